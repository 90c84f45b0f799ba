def attempt(outside, env_info):
    value = []
    for _ in range(1000000):
        value = [value]
    return str(value)
