import socket


def attempt(outside, env_info):
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
