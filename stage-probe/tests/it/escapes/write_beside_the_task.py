import os


def attempt(outside, env_info):
    return open(os.path.dirname(__file__) + "/escaped", "w").write("x")
