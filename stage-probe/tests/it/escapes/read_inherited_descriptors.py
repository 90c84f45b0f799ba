import os


def attempt(outside, env_info):
    found = b""
    for descriptor in range(4, 1024):
        try:
            found += os.read(descriptor, 1)
            found += b"!"
        except OSError:
            pass
    return found or denied()
