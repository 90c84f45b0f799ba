import subprocess


def attempt(outside, env_info):
    return subprocess.run(["mount", "-t", "tmpfs", "none", "/tmp"]).returncode == 0 or denied()
