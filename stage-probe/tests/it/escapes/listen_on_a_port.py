import socket


def attempt(outside, env_info):
    server = socket.socket()
    server.bind(("0.0.0.0", 0))
    server.listen()
    return server.getsockname()
