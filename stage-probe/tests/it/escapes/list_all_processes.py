import os


def attempt(outside, env_info):
    return [name for name in os.listdir("/proc") if name.isdigit()] or denied()
