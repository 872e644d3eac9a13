"""Errors of the API as RFC 9457 wants them: `application/problem+json` with one sentence."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

PROBLEM = "application/problem+json"
KEPT = ("Allow", "Retry-After", "WWW-Authenticate")  # of an error's own headers


def is_api(request: web.Request) -> bool:
    """Whether a program asks: everything below `/api`, whether there is such an address or not."""
    return request.path == "/api" or request.path.startswith("/api/")


def problem(status: int, sentence: str, headers: Mapping[str, str]) -> web.Response:
    """The answer; the sentence is one of ours and names no patient."""
    said = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return web.Response(
        text=json.dumps({**said, "detail": sentence}),
        status=status,
        content_type=PROBLEM,
        headers={name: headers[name] for name in KEPT if name in headers},
    )
