import os


def attempt(outside, env_info):
    tasks = os.path.dirname(os.path.dirname(__file__))
    others = [name for name in os.listdir(tasks) if name != os.path.basename(os.path.dirname(__file__))]
    return others or denied()
