import sys


def attempt(outside, env_info):
    return [frame.f_locals for frame in sys._current_frames().values()]
