def attempt(outside, env_info):
    only_once(env_info)
    while True:
        print("{\"record\":\"probe\",\"ok\":true}" * 1000)
