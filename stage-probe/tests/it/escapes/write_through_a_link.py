import os


def attempt(outside, env_info):
    os.symlink(outside["folder"] + "/escaped", "/tmp/link")
    return open("/tmp/link", "w").write("x")
