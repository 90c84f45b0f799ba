import socket


def attempt(outside, env_info):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return sender.sendto(b"hello", ("127.0.0.1", outside["port"]))
