def attempt(outside, env_info):
    only_once(env_info)
    while True:
        pass
