def attempt(outside, env_info):
    return open(outside["folder"] + "/escaped", "w").write("x")
