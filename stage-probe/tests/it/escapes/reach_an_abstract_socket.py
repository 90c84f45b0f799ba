import socket


def attempt(outside, env_info):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("\0" + outside["socket"])
    return "connected"
