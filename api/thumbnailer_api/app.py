"""The WSGI app: what answers at which address, and what every answer has."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from thumbnailer_api import metrics, problems
from thumbnailer_api.errors import MissingScope
from thumbnailer_api.intake.queries import nothing_asked
from thumbnailer_api.routes import accounts, deliveries, documents, jobs, keys, limits, outputs, queue, webhooks
from thumbnailer_api.wiring import Wiring
from thumbnailer_storage.jobs.keys import Scope

ROUTES: list[tuple[str, str, Callable[..., Any], Scope]] = [
    ("POST", "/jobs", jobs.post, Scope.SUBMIT),
    ("GET", "/jobs", jobs.newest, Scope.READ),
    ("DELETE", "/jobs", jobs.delete_all, Scope.CANCEL),
    ("GET", "/jobs/<job>", jobs.get, Scope.READ),
    ("DELETE", "/jobs/<job>", jobs.delete, Scope.CANCEL),
    ("GET", "/jobs/<job>/events", jobs.events, Scope.READ),
    ("GET", "/jobs/<job>/outputs/<n>", outputs.get, Scope.READ),
    ("GET", "/jobs/<job>/deliveries", deliveries.of_job, Scope.READ),
    ("POST", "/jobs/<job>/deliveries/<delivery>", deliveries.again, Scope.SUBMIT),
    ("GET", "/webhook", webhooks.get, Scope.READ),
    ("PUT", "/webhook", webhooks.put, Scope.SUBMIT),
    ("DELETE", "/webhook", webhooks.delete, Scope.SUBMIT),
    ("GET", "/queue", queue.get, Scope.READ),
    ("GET", "/usage", accounts.usage, Scope.READ),
    ("GET", "/events", accounts.events, Scope.ADMIN),
    ("GET", "/limits", limits.get, Scope.READ),
    ("POST", "/keys", keys.post, Scope.ADMIN),
    ("GET", "/keys", keys.newest, Scope.ADMIN),
    ("GET", "/keys/<key>", keys.get, Scope.ADMIN),
    ("DELETE", "/keys/<key>", keys.delete, Scope.ADMIN),
]
"""What callers can do, and the scope that it needs; each of these passes auth/. A GET answers HEAD too."""

OPEN_ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", "/docs", documents.page),
    ("GET", "/openapi.json", documents.openapi),
    ("GET", "/problems/<name>", documents.problem),
]
"""What everybody may read."""

WITH_OPTIONS = (jobs.post, jobs.newest, jobs.delete_all, accounts.usage, accounts.events, keys.newest)
"""What reads the query of a request; everything else refuses one."""

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""Those that have a time series of their own; callers may invent others without end."""

SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")

log = structlog.get_logger()


def create_app(wiring: Wiring) -> Flask:
    """The app of one process; configured by nothing but its wiring."""
    app = Flask("thumbnailer_api", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # it would redirect to whatever host the caller names
    if wiring.settings.proxies:
        fixed = ProxyFix(app.wsgi_app, x_for=wiring.settings.proxies, x_proto=0, x_host=0)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # as werkzeug's documentation does it
    for method, path, handler, _ in ROUTES:
        app.add_url_rule(path, name_of(handler), partial(handler, wiring), methods=[method])
    for method, path, handler in OPEN_ROUTES:
        app.add_url_rule(path, name_of(handler), partial(handler, wiring), methods=[method])
    app.config["SCOPES"] = tuple((method, path, scope) for method, path, _, scope in ROUTES)  # for the documents
    app.before_request(begin)
    app.before_request(partial(authenticate, wiring))
    app.before_request(refuse_options)
    app.after_request(finish)
    app.register_error_handler(Exception, problems.answer)
    return app


def name_of(handler: Callable[..., Any]) -> str:
    return f"{handler.__module__.rpartition('.')[2]}.{handler.__name__}"


NEEDED = {name_of(handler): scope for _, _, handler, scope in ROUTES}
"""The scope of each endpoint that is not open."""
OPEN = frozenset(name_of(handler) for _, _, handler in OPEN_ROUTES)
READS_OPTIONS = frozenset(map(name_of, WITH_OPTIONS))


def begin() -> None:
    """Give the request an id, its caller's if that is a sane one, and start the clock."""
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if SANE_ID.fullmatch(given) else uuid4().hex
    g.method = request.method
    g.address = an_address(request.remote_addr)
    g.started = time.perf_counter()


def an_address(given: str | None) -> str | None:
    """Where the request came from; what a proxy's caller may have made up is none."""
    try:
        return str(ip_address((given or "").partition("%")[0]))  # a zone is any text at all
    except ValueError:
        return None


def authenticate(wiring: Wiring) -> None:
    """Learn who calls, and whether they may do this, before anything else is read of the request."""
    if request.url_rule is None or request.endpoint in OPEN:
        return
    needed = NEEDED[str(request.endpoint)]
    caller = wiring.authenticator.caller(request.headers)
    g.owner, g.key, g.scopes = caller.owner, caller.key, caller.scopes
    if needed not in caller.scopes:
        raise MissingScope(needed)


def refuse_options() -> None:
    """Refuse options, never ignore them, at an address that has none."""
    if request.url_rule and request.endpoint not in READS_OPTIONS:
        nothing_asked(request.environ["QUERY_STRING"])


def finish(answer: Response) -> Response:
    """Name the request in its answer, count it, and write its line in the log."""
    answer.headers["X-Request-Id"] = g.request_id
    answer.headers["X-Content-Type-Options"] = "nosniff"  # names and metadata are the caller's own words
    route = request.url_rule.rule if request.url_rule else "unknown"
    seconds = time.perf_counter() - g.started
    method = request.method if request.method in METHODS else "other"
    metrics.requests.labels(route, method, answer.status_code).observe(seconds)
    about = {name: str(value) for name in ("owner", "key", "job") if (value := g.get(name)) is not None}
    log.info(
        "request",
        method=request.method,
        route=route,
        status=answer.status_code,
        ms=round(seconds * 1000, 1),
        address=g.address,
        request_id=g.request_id,
        **about,
    )
    return answer
