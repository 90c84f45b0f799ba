import socket


def attempt(outside, env_info):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(outside["folder"] + "/listening")
    return "connected"
