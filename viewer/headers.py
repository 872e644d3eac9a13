"""Headers of every response: nothing is cached, framed, guessed, or loaded from elsewhere."""

from aiohttp import web

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


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: runs before any response leaves, pictures and faults too."""
    response.headers.update(HEADERS)
    if request.path.startswith("/static/"):  # nobody's data; asked anew each time, sent if changed
        response.headers["Cache-Control"] = "no-cache"
