import socket


def attempt(outside, env_info):
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
