import os
import time


def attempt(outside, env_info):
    os.closerange(0, 1024)
    while True:
        time.sleep(1)
