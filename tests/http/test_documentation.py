"""The document and its page, as a browser gets them."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import falcon
import pytest
from falcon.testing import TestClient

from entrypoints.http.openapi import document

EVIL_NAMES = ["swagger-ui.css.map", "index.html", "..", "..%2Fopenapi.json", "%2e%2e", "start.js%00", "START.JS"]


class References(HTMLParser):
    """What a page loads, and what it would run or style without loading it."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and "src" not in given:
            self.inline.append(tag)
        self.inline.extend(name for name in given if name == "style" or name.startswith("on"))
        names = ("src",) if tag == "script" else ("href",) if tag == "link" else ()
        self.loaded.extend(given[name] or "" for name in names)


@pytest.fixture
def references(client: TestClient) -> References:
    found = References()
    found.feed(client.simulate_get("/docs").text)
    return found


def policy_of(client: TestClient) -> dict[str, list[str]]:
    directives = client.simulate_get("/docs").headers["Content-Security-Policy"].split(";")
    return {name: sources for name, *sources in (directive.split() for directive in directives)}


def test_the_document_is_served_complete(client: TestClient) -> None:
    answer = client.simulate_get("/openapi.json")
    assert answer.status == falcon.HTTP_200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == document()


def test_the_page_is_html(client: TestClient) -> None:
    answer = client.simulate_get("/docs")
    assert answer.status == falcon.HTTP_200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_is_html_whatever_is_accepted(client: TestClient) -> None:
    answer = client.simulate_get("/docs", headers={"Accept": "application/json"})
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_everything_that_the_page_loads_is_served_here(client: TestClient, references: References) -> None:
    """With no other host: the page works in a network without a way out."""
    assert references.loaded
    for reference in references.loaded:
        target = urlsplit(urljoin("https://nuovo.example/docs", reference))
        if target.scheme == "data":
            continue
        assert target.netloc == "nuovo.example"
        answer = client.simulate_get(target.path)
        assert answer.status == falcon.HTTP_200, target.path
        assert answer.content


def test_the_page_also_works_below_a_prefix(references: References) -> None:
    """Behind a proxy that mounts the service at `/auth`, every address stays below it."""
    for reference in references.loaded:
        target = urlsplit(urljoin("https://example.com/auth/docs", reference))
        assert target.scheme == "data" or target.path.startswith("/auth/docs/")


def test_the_page_runs_and_styles_nothing_inline(references: References) -> None:
    assert references.inline == []


def test_the_policy_allows_nothing_that_is_not_served_here(client: TestClient) -> None:
    policy = policy_of(client)
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    sources = [source for allowed in policy.values() for source in allowed]
    assert set(sources) == {"'none'", "'self'", "data:"}
    assert [name for name, allowed in policy.items() if "data:" in allowed] == ["img-src"]


def test_the_page_asks_no_validator_and_keeps_no_token(client: TestClient) -> None:
    """Swagger UI would by default send the document's address to a public validator."""
    start = client.simulate_get("/docs/start.js").text
    assert "validatorUrl: null" in start
    assert "persistAuthorization: false" in start
    assert "://" not in start


@pytest.mark.parametrize(
    ("asset", "content_type"),
    [
        ("start.js", "text/javascript; charset=utf-8"),
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
    ],
)
def test_assets_have_their_type_and_may_be_cached(client: TestClient, asset: str, content_type: str) -> None:
    """A browser that is told `nosniff` runs a script of no other type."""
    answer = client.simulate_get(f"/docs/{asset}")
    assert answer.status == falcon.HTTP_200
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_any_other_name_is_an_unknown_path(client: TestClient, name: str) -> None:
    """The assets are a table, not a folder: no name reaches a file system."""
    answer = client.simulate_get(f"/docs/{name}")
    assert answer.status == falcon.HTTP_404
    assert answer.json == {"status": "error", "code": 404, "message": "Not found."}
