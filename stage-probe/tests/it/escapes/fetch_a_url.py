import urllib.request


def attempt(outside, env_info):
    return urllib.request.urlopen("http://127.0.0.1:%d/" % outside["port"], timeout=1).status
