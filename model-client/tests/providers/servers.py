"""Servers for the test: a recorder of requests, a CONNECT proxy, nginx with TLS."""

import http.client
import http.server
import json
import os
import socket
import subprocess
import threading
import urllib.parse


class Recorder:
    """Keeps the paths and bodies of requests. Passes them on to a model's server, or rejects them if there is none."""

    def __init__(self, upstream=None):
        self.requests = []
        recorder = self
        host = upstream and urllib.parse.urlsplit(upstream).netloc

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                recorder.requests.append({"path": self.path.split("?")[0], "body": json.loads(body)})
                if host is None:
                    return self.send_error(413)
                connection = http.client.HTTPConnection(host)
                connection.request("POST", self.path, body, dict(self.headers))
                response = connection.getresponse()
                self.send_response(response.status)
                self.send_header("content-type", response.headers["content-type"])
                self.end_headers()
                self.wfile.write(response.read())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()


class ConnectProxy:
    """An HTTP proxy for CONNECT."""

    def __init__(self):
        self.connections = 0
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        host, port = head.split()[1].decode().rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self.connections += 1
        threading.Thread(target=copy, args=(client, server), daemon=True).start()
        copy(server, client)


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Nginx:
    """nginx with TLS in front of a model's server: one port for each certificate."""

    def __init__(self, program, scratch, upstream, key, certificates):
        self.ports = {name: free_port() for name in certificates}
        servers = "".join(
            f"""
  server {{
    listen 127.0.0.1:{self.ports[name]} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{
      proxy_pass {upstream}; proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 60s;
      proxy_set_header Connection ""; client_max_body_size 50m;
    }}
  }}"""
            for name, certificate in certificates.items()
        )
        paths = "".join(
            f"{name}_temp_path {scratch}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (scratch / "nginx.conf").write_text(
            # The worker needs the files in `scratch`.
            f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid {scratch}/nginx.pid; error_log {scratch}/nginx.log; events {{}}\n"
            f"http {{ access_log off; {paths} {servers}\n}}\n"
        )
        self.process = subprocess.Popen([program, "-c", scratch / "nginx.conf"], stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait()
