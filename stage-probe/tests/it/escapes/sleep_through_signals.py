import signal
import time


def attempt(outside, env_info):
    only_once(env_info)
    for number in range(1, 65):
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        except (OSError, ValueError):
            pass
    time.sleep(1000)
