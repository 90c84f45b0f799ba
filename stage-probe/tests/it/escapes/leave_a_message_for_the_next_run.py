import os


def attempt(outside, env_info):
    if os.path.exists("/tmp/message"):
        return "a message from an earlier run"
    open("/tmp/message", "w").write("x")
    denied()
