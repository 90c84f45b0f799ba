import os


def attempt(outside, env_info):
    os.closerange(0, 1024)
    denied()
