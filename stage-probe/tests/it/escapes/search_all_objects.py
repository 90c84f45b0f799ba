import gc


def attempt(outside, env_info):
    return [thing for thing in gc.get_objects() if type(thing).__name__ == "SimpleQueue"] or denied()
