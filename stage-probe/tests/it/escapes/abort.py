import os


def attempt(outside, env_info):
    os.abort()
