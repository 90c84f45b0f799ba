import os


def attempt(outside, env_info):
    return open(os.path.dirname(os.__file__) + "/sitecustomize.py", "w").write("x")
