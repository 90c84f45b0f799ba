import ctypes


def attempt(outside, env_info):
    libc = ctypes.CDLL(None)
    return libc.ptrace(16, outside["pid"], 0, 0) == 0 or denied()
