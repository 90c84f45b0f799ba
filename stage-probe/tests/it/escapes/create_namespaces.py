import subprocess


def attempt(outside, env_info):
    return subprocess.run(["unshare", "-Ur", "true"]).returncode == 0 or denied()
