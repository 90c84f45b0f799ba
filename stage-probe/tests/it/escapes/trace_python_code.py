import sys


def attempt(outside, env_info):
    sys.settrace(lambda *_: None)
    return "traces"
