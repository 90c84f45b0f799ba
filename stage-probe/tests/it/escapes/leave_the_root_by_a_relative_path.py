def attempt(outside, env_info):
    return open("/tmp/../../../../../../.." + outside["folder"] + "/escaped", "w").write("x")
