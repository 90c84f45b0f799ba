import os


def attempt(outside, env_info):
    os.chroot("/tmp")
    return "changed"
