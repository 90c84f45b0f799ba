import os
import stat


def attempt(outside, env_info):
    os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0))
    return open("/tmp/disk", "rb").read(1)
