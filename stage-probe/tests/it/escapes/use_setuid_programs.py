import subprocess


def attempt(outside, env_info):
    done = subprocess.run(["su", "-c", "id -u"], capture_output=True, timeout=5, stdin=subprocess.DEVNULL)
    return done.returncode == 0 or denied()
