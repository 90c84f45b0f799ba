import os


def attempt(outside, env_info):
    os.kill(outside["pid"], 0)
    return "it can be signalled"
