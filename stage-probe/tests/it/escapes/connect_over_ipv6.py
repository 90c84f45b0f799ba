import socket


def attempt(outside, env_info):
    connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    connection.connect(("::1", outside["port"]))
    return "connected"
