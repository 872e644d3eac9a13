"""Who signs what is entered: the person whose account is logged in, by full name."""

from aiohttp import web

from viewer.keys import SESSION


def signer(request: web.Request) -> str:
    """The name that stands under a review, a date, a change of a record."""
    return request[SESSION].full_name
