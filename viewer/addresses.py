"""Addresses: where a request came from, whether it was encrypted, and where one may be sent."""

import ipaddress

from aiohttp import web

from viewer.keys import SETTINGS


def is_local(target: str) -> bool:
    """Whether a browser that is sent to `target` stays here.

    Browsers read a backslash as a slash and skip tabs and line ends, so both are refused.
    """
    plain = all(" " < character < "\x7f" and character != "\\" for character in target)
    return plain and target.startswith("/") and not target.startswith("//")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def peer_of(request: web.Request) -> str:
    """The address that a login is counted against: the browser's, told by a trusted proxy if any.

    Of X-Forwarded-For only the last word counts, which is the proxy's own.
    """
    if _is_proxied(request):
        told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        try:
            return str(ipaddress.ip_address(told))
        except ValueError:
            return str(request.remote)
    return str(request.remote)


def is_secure(request: web.Request) -> bool:
    """Whether the browser speaks TLS, to us or to a trusted proxy."""
    return request.secure or (
        _is_proxied(request) and request.headers.get("X-Forwarded-Proto", "") == "https"
    )


def _is_proxied(request: web.Request) -> bool:
    return str(request.remote) in request.app[SETTINGS].viewer.trusted_proxies
