"""How a page is answered to a browser that may hold a refresh cookie of this origin."""

import falcon

JAVASCRIPT = "text/javascript; charset=utf-8"
STYLESHEET = "text/css; charset=utf-8"

# APPSEC: a page runs and styles itself with files served here alone, asks nobody else, and is framed by nobody. Icons
# may be drawn from `data:` URLs, which Swagger UI does; nothing needs another exception.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src data:; "
    "connect-src 'self'; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'"
)


def answer_page(resp: falcon.Response, page: bytes, *, stricter: str = "") -> None:
    """Answer with an HTML page. `stricter` adds directives to its policy, each led by a semicolon."""
    resp.content_type = falcon.MEDIA_HTML
    resp.cache_control = ["no-cache"]
    resp.set_header("Content-Security-Policy", _CONTENT_SECURITY_POLICY + stricter)
    resp.set_header("Referrer-Policy", "no-referrer")
    resp.data = page
