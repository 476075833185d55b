"""A receiver of webhooks in the cluster."""

from __future__ import annotations

import base64
import json

from release import Release
from server import PORT, serve

INTO_THE_CLUSTER = {"networks": ["10.0.0.0/8"], "ports": [PORT], "insecureHttp": True}
"""What lets webhooks there, for the chart's `webhooks`."""

SERVER = """
import base64, http.server, json
received = []
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        received.append([dict(self.headers), base64.b64encode(body).decode()])
        self.send_response(204)
        self.end_headers()
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(received).encode())
http.server.ThreadingHTTPServer(('', 8000), Receiver).serve_forever()
"""


class Receiver:
    """Keeps what it is sent."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self.url = f"http://receiver.{release.namespace}.svc:{PORT}/hook"
        serve(release, "receiver", SERVER)

    def received(self) -> list[tuple[dict[str, str], bytes]]:
        """Headers and body of each message so far."""
        said = json.loads(self._release.ask("services", "receiver", PORT, "received"))
        return [
            ({name.lower(): value for name, value in headers.items()}, base64.b64decode(body)) for headers, body in said
        ]
