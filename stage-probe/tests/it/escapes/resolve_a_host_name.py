import socket


def attempt(outside, env_info):
    return socket.getaddrinfo("localhost.localdomain.example", 80)
