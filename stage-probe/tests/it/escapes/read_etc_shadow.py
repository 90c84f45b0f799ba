def attempt(outside, env_info):
    return open("/etc/shadow").read()
