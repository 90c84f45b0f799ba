import glob
import os


def attempt(outside, env_info):
    found = [value for value in os.environ.values() if "sk-ant" in value]
    for path in glob.glob("/proc/*/environ"):
        found += [path for _ in [0] if "sk-ant" in open(path, errors="replace").read()]
    return found or denied()
