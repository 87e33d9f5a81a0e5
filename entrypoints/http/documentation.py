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
<link rel="stylesheet" href="docs/swagger-ui.css">
<script src="docs/swagger-ui-bundle.js" defer></script>
<script src="docs/start.js" defer></script>
</head>
<body>
<div id="documentation"></div>
<noscript>This page needs JavaScript; the document itself is <a href="openapi.json">openapi.json</a>.</noscript>
</body>
</html>
"""

# `validatorUrl` would send the document's address to a public validator. Tokens typed into the page are
# forgotten with it (`persistAuthorization`).
_START = b"""\
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
