import os


def attempt(outside, env_info):
    os.setuid(1)
    return os.getuid()
