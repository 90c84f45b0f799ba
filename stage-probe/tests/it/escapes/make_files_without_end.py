def attempt(outside, env_info):
    for number in range(1000000):
        open("/tmp/%d" % number, "w").close()
    return "made a million files"
