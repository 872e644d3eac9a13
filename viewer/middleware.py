"""Around every page: headers, and errors turned into a sentence in one place."""

import logging
import traceback
from collections.abc import Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from daemon.index.database import Locked
from daemon.outputs.catalogue import text
from daemon.records.accounts import TooBusy
from model.errors import GliowatchError
from viewer.api.openapi import is_api, problem
from viewer.login import is_secure
from viewer.templating import render

# `data:` and `blob:` because the style sheet holds its small icons inline and NiiVue its font;
# NiiVue unpacks .nii.gz with WebAssembly, which `wasm-unsafe-eval` allows and nothing wider.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# Referrer-Policy is not `no-referrer`: with that a browser posts our own forms with the
# header `Origin: null`, and no other site is told anything by `same-origin` either.
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "gliowatch",
}
ONE_YEAR = "max-age=31536000"  # seconds for which a browser asks by TLS alone


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: runs before any response leaves, pictures and faults too."""
    response.headers.update(HEADERS)
    if is_secure(request):
        response.headers["Strict-Transport-Security"] = ONE_YEAR
    if request.path.startswith("/static/"):  # nobody's data; asked anew each time, sent if changed
        response.headers["Cache-Control"] = "no-cache"


LOG = logging.getLogger(__name__)
SENTENCES = {404: "fault.no_page", 405: "fault.wrong_method", 413: "fault.too_large"}
KEPT = (hdrs.ALLOW, hdrs.RETRY_AFTER)  # of an error's own headers
TITLES = {403: "fault.denied", 404: "fault.not_found"}
AIOHTTPS_OWN = "Maximum request body size"  # how its sentence about a large form begins
FAULT_STATUS = 500


@web.middleware
async def show_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with a page: its sentence if it has one, else a plain one."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _fault_page(request, error.status, _sentence(error), error.headers)
    except TooBusy as error:
        return _fault_page(request, 503, str(error), {"Retry-After": "5"})
    except Locked as error:
        return _fault_page(request, 503, str(error), {"Retry-After": "10"})
    except GliowatchError as error:
        return _fault_page(request, FAULT_STATUS, str(error))
    except ConnectionError:
        raise  # the browser is gone, so nobody would read a page
    except Exception as error:
        LOG.error("%s %s failed: %s", request.method, _route(request), _without_values(error))
        return _fault_page(request, FAULT_STATUS, text("fault.unexpected"))


def _fault_page(
    request: web.Request, status: int, sentence: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    if is_api(request):
        return problem(status, sentence, headers or {})
    title = text(TITLES.get(status, "fault.title"))
    page = render(request, "fault.html", {"title": title, "sentence": sentence}, status)
    page.headers.update({name: value for name, value in (headers or {}).items() if name in KEPT})
    return page


def _sentence(error: web.HTTPException) -> str:
    """The text that a handler gave, or ours: aiohttp's own texts are not for people."""
    given = error.text or ""
    is_plain = given in ("", f"{error.status}: {error.reason}")
    if not is_plain and not given.startswith(AIOHTTPS_OWN):
        return given
    return text(SENTENCES.get(error.status, "fault.unanswerable"))


def _route(request: web.Request) -> str:
    """The pattern of the address, without the ids in it."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown page"


def _without_values(error: Exception) -> str:
    """Type and place of an error; its message may hold names of patients, files or folders."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"
