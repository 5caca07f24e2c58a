"""A small HTTP server on the loopback interface for tests of downloads."""

from __future__ import annotations

import http.server


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``; remembers the ranges asked for; can break off after ``cut`` bytes, or ignore ranges."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests, self.cut, self.ranges = {}, [], None, True
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        content = server.files.get(self.path.strip("/"))
        wanted = self.headers.get("Range")
        server.requests.append((self.path.strip("/"), wanted))
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        self.wfile.write(body if server.cut is None else body[: server.cut])
