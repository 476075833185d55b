"""The service's own description, for programs and for people. Open to everybody."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache

from flask import Response, current_app, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from thumbnailer_api.openapi.document import document
from thumbnailer_api.openapi.pieces import Json
from thumbnailer_api.problems import every_problem
from thumbnailer_api.wiring import Wiring


def openapi(wiring: Wiring) -> Response:
    """The OpenAPI document."""
    return Response(json.dumps(described(wiring)), mimetype="application/json")


def page(wiring: Wiring) -> Response:
    """The same for a reader, on one page that loads nothing from anywhere."""
    style = Markup(render_template("docs.css"))  # noqa: S704 - our own file
    told = {
        "api": described(wiring),
        "style": style,
        "base": request.host_url.rstrip("/"),
        "problems": every_problem().values(),
    }
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Response(
        render_template("docs.html", **told), headers={"Content-Security-Policy": policy}, mimetype="text/html"
    )


def problem(_: Wiring, name: str) -> BaseResponse:
    """Where a problem's `type` leads: to its place on the page."""
    if name not in every_problem():
        raise NotFound
    return redirect(url_for("documents.page", _anchor=name))


def described(wiring: Wiring) -> Json:
    scopes = current_app.config["SCOPES"] if wiring.settings.auth == "keys" else ()
    return made(wiring.offer, scopes)


made = cache(document)
