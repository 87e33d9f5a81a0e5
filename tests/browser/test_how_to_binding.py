"""The how-to page of bound cookies, executed: its page, in a real Chromium, through the documented nginx."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.bound import APP, PRESENCE, Certificate, Profile
from tests.browser.conftest import claims_of
from tests.browser.how_to import write_snippet
from tests.browser.site import Site
from tests.e2e.nginx import Nginx
from tests.e2e.server import Nuovo, wait_for


@dataclass
class Front:
    """The application behind nginx."""

    certificate: Certificate
    url: str
    proxy: Nginx

    def answers(self, path: str) -> list[str]:
        lines = self.proxy.log.read_text(encoding="utf-8").splitlines() if self.proxy.log.exists() else []
        return [line.partition('"status":"')[2][:3] for line in lines if f'"path":"{path}"' in line]


@pytest.fixture
def front(serve: Callable[..., Nuovo], tmp_path: Path) -> Iterator[Front]:
    """Run nginx with TLS in front of the page, of a login service and of Nuovo with the page's setting."""
    certificate = Certificate(tmp_path)
    (tmp_path / "app").mkdir()
    write_snippet("bound.html", tmp_path / "app")
    write_snippet("bound.js", tmp_path / "app")
    nuovo = serve(device_binding="offer", replay_grace="1")
    upstream = urlsplit(nuovo.url).netloc
    with Site(nuovo=nuovo) as login:
        proxy = Nginx(
            tmp_path,
            nuovo=(upstream, upstream),
            replaced={"127.0.0.1:8001": f"127.0.0.1:{login.port}"},
            tls=(certificate.chain, certificate.key),
        )
        with proxy:
            yield Front(certificate, f"https://{APP}:{proxy.public}", proxy)


@pytest.fixture
def new_device(launch: Callable[..., Any], front: Front, tmp_path: Path) -> Iterator[Callable[[], Profile]]:
    devices: list[Profile] = []

    def start() -> Profile:
        devices.append(
            Profile(launch, front.url, front.certificate, tmp_path / f"profile-{len(devices)}", path="/bound.html")
        )
        return devices[-1]

    yield start
    for device in devices:
        device.close()


def is_signed_in(page: Page) -> None:
    expect(page.get_by_text("You are signed in.")).to_be_visible(timeout=20_000)


def test_the_page_is_bound_through_nginx_and_says_when_the_key_is_lost(
    front: Front, new_device: Callable[[], Profile]
) -> None:
    device = new_device()
    page = device.page
    expect(page.get_by_text("Please sign in.")).to_be_visible()
    page.get_by_role("button", name="Sign in").click()
    is_signed_in(page)
    wait_for("the registration", lambda: device.presence)
    device.pass_the_grace()
    page.reload()
    is_signed_in(page)
    assert claims_of(device.refresh_cookie["value"])["cnf"]
    device.lose_presence()
    device.pass_the_grace()
    page.reload()
    is_signed_in(page)
    assert front.answers("/dbsc/register") == ["200"]
    assert front.answers("/dbsc/refresh") == ["200"]
    thief = new_device()
    stolen = [cookie for cookie in device.context.cookies() if cookie["name"] != PRESENCE]
    thief.context.add_cookies(stolen)  # type: ignore[arg-type]  # as `cookies` gives them
    thief.page.reload()
    expect(thief.page.get_by_text("This browser has lost the key of your session.")).to_be_visible(timeout=30_000)
    page.reload()
    is_signed_in(page)
