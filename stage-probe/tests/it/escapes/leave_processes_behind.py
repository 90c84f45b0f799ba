import os


def attempt(outside, env_info):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execlp("sleep", "sleep", outside["marker"])
        os._exit(0)
    denied()
