import os
import signal


def attempt(outside, env_info):
    os.kill(-1, signal.SIGKILL)
    denied()
