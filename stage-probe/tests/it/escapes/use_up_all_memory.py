def attempt(outside, env_info):
    only_once(env_info)
    hoard = []
    while True:
        hoard.append(bytearray(1 << 26))
