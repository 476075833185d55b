"""A price that tests set."""

from __future__ import annotations

from release import Release
from server import PORT, serve

SERVER = """
import http.server, json
price = 0.1
class Price(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global price
        if self.path.startswith('/set/'):
            price = float(self.path.removeprefix('/set/'))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({'instance': {'price': price}}).encode())
http.server.ThreadingHTTPServer(('', 8000), Price).serve_forever()
"""


class Price:
    """The server; `url` is what a pool's `priceGate.source` takes, with `LOCATION`."""

    LOCATION = "instance.price"

    @staticmethod
    def url(namespace: str) -> str:
        return f"http://price.{namespace}.svc:{PORT}/"

    def __init__(self, release: Release) -> None:
        self._release = release
        serve(release, "price", SERVER)

    def is_now(self, price: float) -> None:
        self._release.wait("the price is set", lambda: self._release.ask("services", "price", PORT, f"set/{price}"))

    def vanishes(self) -> None:
        """Nobody answers at its address any more."""
        self._release.kubectl("delete", "service", "price")
