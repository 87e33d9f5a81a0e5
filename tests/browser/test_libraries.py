"""What frontends already use, against the service as its documentation shows it."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.how_to import write_snippet
from tests.browser.site import Site
from tests.e2e.server import wait_for

PARALLEL = 8
STATUSES = f"Promise.all(Array.from({{ length: {PARALLEL} }}, () => get())).then((all) => all.join())"
ALL_GOOD = ",".join(["200"] * PARALLEL)
CLIENT = Path(__file__).parents[2] / "entrypoints" / "http" / "static" / "client.js"

KY = """
import ky from "ky";
let token = "";
const api = ky.create({
  prefixUrl: "/api",
  retry: { limit: 2, statusCodes: [401], delay: () => 1 },
  hooks: {
    beforeRequest: [(request) => request.headers.set("Authorization", `Bearer ${token}`)],
    beforeRetry: [
      async ({ request }) => {
        token = (await ky.post("/refresh_token").json()).data.access_token;
        request.headers.set("Authorization", `Bearer ${token}`);
      },
    ],
  },
});
window.get = async () => (await api.get("me")).status;
window.token = () => token;
"""
AXIOS_ALONE = """
import { api } from "./api-alone.js";
window.get = async () => (await api.get("/me")).status;
window.token = async () => (await api.get("/me")).config.headers.Authorization.split(" ")[1];
"""
AXIOS = """
import { api, session } from "./api.js";
window.get = async () => (await api.get("/me")).status;
window.token = () => session.accessToken();
"""


@pytest.fixture
def open_library(sources: Path, open_bundle: Callable[[Path], Page]) -> Callable[[str], Page]:
    def open_module(text: str) -> Page:
        (sources / "nuovo-client.js").write_bytes(CLIENT.read_bytes())
        write_snippet("api.js", sources)
        write_snippet("api-alone.js", sources)
        entry = sources / "entry.js"
        entry.write_text(text, encoding="utf-8")
        return open_bundle(entry)

    return open_module


@pytest.mark.parametrize("library", [AXIOS, AXIOS_ALONE, KY], ids=["axios", "axios alone", "ky"])
def test_a_library_gets_its_token_and_the_next_when_the_api_refuses_it(
    open_library: Callable[[str], Page], site: Site, context: BrowserContext, library: str
) -> None:
    """Eight requests at once, before there is a token and after it has expired: all succeed in the end."""
    page = open_library(library)
    assert page.evaluate(STATUSES) == ALL_GOOD
    before = len(site.answers("/refresh_token"))
    site.refused.add(page.evaluate("token()"))
    assert page.evaluate(STATUSES) == ALL_GOOD
    assert len(site.answers("/refresh_token")) > before
    assert set(site.answers("/refresh_token")) == {200}


@pytest.mark.parametrize("library", [AXIOS, AXIOS_ALONE], ids=["axios", "axios alone"])
def test_axios_refreshes_once_for_all_requests_that_wait(
    open_library: Callable[[str], Page], site: Site, library: str
) -> None:
    page = open_library(library)
    assert page.evaluate(STATUSES) == ALL_GOOD
    site.refused.add(page.evaluate("token()"))
    site.requests.clear()
    gate = site.gates["/refresh_token"] = threading.Event()
    page.evaluate(f"() => {{ window.outcome = {STATUSES}; }}")
    wait_for("all refusals", lambda: site.answers("/api/me") == [401] * PARALLEL)
    gate.set()
    assert page.evaluate("window.outcome") == ALL_GOOD
    assert site.answers("/refresh_token") == [200]
