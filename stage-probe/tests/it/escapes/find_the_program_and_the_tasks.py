import os


def attempt(outside, env_info):
    seen = [path for path in (outside["folder"], outside["program"]) if os.path.exists(path)]
    return seen or denied()
