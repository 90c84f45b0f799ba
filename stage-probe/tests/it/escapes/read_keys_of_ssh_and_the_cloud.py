import glob


def attempt(outside, env_info):
    homes = glob.glob("/home/*/.ssh/*") + glob.glob("/root/.ssh/*") + glob.glob("/root/.aws/*")
    return homes or denied()
