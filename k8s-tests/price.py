"""A price that tests set: a small server in the cluster, on the API's image."""

from __future__ import annotations

import cluster
from release import Release

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
        return f"http://price.{namespace}.svc:8000/"

    def __init__(self, release: Release) -> None:
        self._release = release
        confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
        container = {
            "name": "price",
            "image": f"thumbnailer-api:{cluster.VERSION}",
            "command": ["python", "-c", SERVER],
            "ports": [{"containerPort": 8000}],
            "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
            "securityContext": {**confined, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        }
        pod = {
            "metadata": {"name": "price", "labels": {"app": "price"}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
        }
        release.core.create_namespaced_pod(release.namespace, pod)
        service = {"metadata": {"name": "price"}, "spec": {"selector": {"app": "price"}, "ports": [{"port": 8000}]}}
        release.core.create_namespaced_service(release.namespace, service)
        release.kubectl("wait", "pod/price", "--for=condition=Ready", "--timeout=60s")

    def is_now(self, price: float) -> None:
        self._release.wait("the price is set", lambda: self._release.ask("services", "price", 8000, f"set/{price}"))

    def vanishes(self) -> None:
        """Nobody answers at its address any more."""
        self._release.kubectl("delete", "service", "price")
