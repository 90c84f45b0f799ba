def attempt(outside, env_info):
    written = 0
    while written < 1 << 30:
        with open("/tmp/%d" % written, "wb") as file:
            written += file.write(bytes(1 << 22))
    return "wrote a gigabyte"
