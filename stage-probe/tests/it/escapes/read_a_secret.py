def attempt(outside, env_info):
    return open(outside["folder"] + "/secret").read()
