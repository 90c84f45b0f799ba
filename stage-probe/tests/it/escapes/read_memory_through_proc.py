import os


def attempt(outside, env_info):
    return open("/proc/self/mem", "rb").read(1) or os.listdir("/proc/self")
