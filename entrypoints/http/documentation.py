"""The API's own documentation: the OpenAPI document, and a page that renders it.

The page is Swagger UI, served from this process: it works in a network without a way out, and nobody else learns
who reads it. Its policy allows no script but the two files served here, and no request but to this server.
"""

from collections.abc import Callable
from importlib.resources import files

import falcon
import orjson

from entrypoints.http.openapi import document
from entrypoints.http.pages import JAVASCRIPT, STYLESHEET, answer_page

_MAX_AGE = 3600

# Relative, so that the page also works behind a proxy that mounts the service below a prefix.
_PAGE = b"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nuovo API</title>
<link rel="icon" href="data:,">
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="stylesheet" href="docs/page.css">
<script src="docs/swagger-ui-bundle.js" defer></script>
<script src="docs/start.js" defer></script>
</head>
<body>
<div id="documentation"></div>
<noscript>This page needs JavaScript; the document itself is <a href="openapi.json">openapi.json</a>.</noscript>
</body>
</html>
"""

# Swagger UI is made for a desk, and by day: on a telephone its tables must not push the page wider than it is, and in
# the dark it leaves the names of headers as dark as they were.
_STYLE = b"""\
body { margin: 0; }
html.dark-mode .swagger-ui .header-col { color: #b7bcbf; }
@media (max-width: 640px) {
  .swagger-ui .wrapper { padding: 0 10px; }
  .swagger-ui .opblock-body, .swagger-ui .models { overflow-x: auto; }
  .swagger-ui .opblock-summary-path, .swagger-ui .markdown { overflow-wrap: anywhere; }
  .swagger-ui .response-col_links { display: none; }
}
"""

# `validatorUrl` would send the document's address to a public validator. Tokens typed into the page are
# forgotten with it (`persistAuthorization`).
_START = b"""\
const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", dress);
dress();
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#documentation",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""


class OpenApiResource:
    """`/openapi.json`: the OpenAPI document."""

    def __init__(self) -> None:
        self._document = orjson.dumps(document())

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the document."""
        resp.content_type = falcon.MEDIA_JSON
        resp.cache_control = ["no-cache"]
        resp.data = self._document


class DocsResource:
    """`/docs`: a page that renders the document, and with the suffix `asset` the files that it loads."""

    def __init__(self) -> None:
        swagger_ui = files("mkdocs_swagger_ui_tag").joinpath("swagger-ui")
        # Read when they are asked for: a developer looks at them now and then, and every worker would hold them.
        self._assets: dict[str, tuple[str, Callable[[], bytes]]] = {
            "start.js": (JAVASCRIPT, lambda: _START),
            "page.css": (STYLESHEET, lambda: _STYLE),
            "swagger-ui-bundle.js": (
                JAVASCRIPT,
                swagger_ui.joinpath("javascripts", "swagger-ui-bundle.js").read_bytes,
            ),
            "swagger-ui.css": (STYLESHEET, swagger_ui.joinpath("stylesheets", "swagger-ui.css").read_bytes),
        }

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the page."""
        answer_page(resp, _PAGE)

    def on_get_asset(self, _req: falcon.Request, resp: falcon.Response, asset: str) -> None:
        """Answer with a file that the page loads. Any other name is an unknown path."""
        if asset not in self._assets:
            raise falcon.HTTPNotFound
        resp.content_type, read = self._assets[asset]
        resp.data = read()
        resp.cache_control = ["public", f"max-age={_MAX_AGE}"]
