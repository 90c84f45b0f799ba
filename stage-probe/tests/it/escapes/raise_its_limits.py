import resource


def attempt(outside, env_info):
    resource.setrlimit(resource.RLIMIT_NPROC, (100000, 100000))
    return "raised"
