import ctypes


def attempt(outside, env_info):
    return ctypes.string_at(id(env_info), 8)
