"""A browser that binds sessions to its device, and an origin with TLS, without which it does not.

On Linux Chromium has Device Bound Session Credentials behind a flag, with keys of software.
"""

import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import the_cookie
from tests.browser.site import Request, Site
from tests.e2e.server import wait_for

DOMAIN = "nuovo.test"
APP, OTHER = f"app.{DOMAIN}", f"www.{DOMAIN}"
PRESENCE, OFFERED = "__Host-presence", "__Host-binding-offered"
REGISTER, PROVE, REFRESH_TOKEN = "/dbsc/register", "/dbsc/refresh", "/refresh_token"
REFRESH = """async (url) => {
  const response = await fetch(url ?? "/refresh_token", { method: "POST", credentials: "include" });
  const { message } = await response.json();
  return message ?? response.status;
}"""
LOGIN = "async () => (await fetch('/login', { method: 'POST' })).status"


class Certificate:
    """A key and a certificate of its own for both hosts, which a browser is told to believe."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(APP), x509.DNSName(OTHER)]), critical=False)
            .sign(key, SHA256())
        )
        self.chain, self.key = folder / "certificate.pem", folder / "certificate.key"
        self.chain.write_bytes(certificate.public_bytes(Encoding.PEM))
        self.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.digest = b64encode(sha256(spki).digest()).decode()

    @property
    def arguments(self) -> list[str]:
        """What Chromium is started with. That no certificate at all is checked would switch the feature off."""
        features = "DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting"
        return [
            f"--enable-features={features}",
            f"--ignore-certificate-errors-spki-list={self.digest}",
            f"--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1",
        ]


@dataclass
class SecureSite(Site):
    """The application and Nuovo on `https://app.nuovo.test`, and pages on `https://www.nuovo.test`."""

    certificate: Certificate | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        assert self.certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.chain, self.certificate.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        return self

    @property
    def url(self) -> str:
        return self.url_on(APP)

    def url_on(self, host: str) -> str:
        return f"https://{host}:{self.port}"

    def asked(self, path: str) -> list[Request]:
        """Return the requests for a path, in the order of their answers."""
        return [request for request in list(self.requests) if request.path == path]


class Profile:
    """One person's browser, with a folder of its own."""

    def __init__(
        self, launch: Callable[..., Any], url: str, certificate: Certificate, folder: Path, *, path: str = "/blank"
    ) -> None:
        """Take where the application is, the certificate to believe, and the path of the page to open."""
        self._launch, self._folder, self._page_url = launch, folder, url + path
        self._arguments = certificate.arguments
        self.open()

    def open(self) -> None:
        self.context: BrowserContext = self._launch(self._folder, args=self._arguments)
        self.context.set_default_timeout(40_000)
        self.page = self.tab()

    def close(self) -> None:
        self.context.close()

    def restart(self) -> None:
        """Close the browser, and start it again with the same folder."""
        self.close()
        self.open()

    def tab(self) -> Page:
        page = self.context.new_page()
        page.goto(self._page_url)
        return page

    def pass_the_grace(self) -> None:
        """Wait until the session is young no more: for a grace of one second, which is counted in whole ones."""
        self.page.wait_for_timeout(2_100)

    def lose_presence(self) -> None:
        """Let presence be gone, as it is five minutes later."""
        self.context.clear_cookies(name=PRESENCE)

    @property
    def presence(self) -> str | None:
        found = [cookie["value"] for cookie in self.context.cookies() if cookie["name"] == PRESENCE]
        return found[0] if found else None

    @property
    def refresh_cookie(self) -> dict[str, Any]:
        return the_cookie(self.context)


class Device(Profile):
    """A browser that uses a site of which every request is known."""

    def __init__(self, launch: Callable[..., Any], site: SecureSite, folder: Path) -> None:
        assert site.certificate is not None
        self.site = site
        super().__init__(launch, site.url, site.certificate, folder)

    def sign_in(self) -> None:
        assert self.page.evaluate(LOGIN) == 200

    def refresh(self, page: Page | None = None) -> Any:
        """Refresh, and return 200 or what a refusal says."""
        return (page or self.page).evaluate(REFRESH)

    def register(self) -> None:
        """Refresh, and return when the browser has taken the offer."""
        known = len(self.site.answers(REGISTER))
        assert self.refresh() == 200
        wait_for("the registration", lambda: len(self.site.answers(REGISTER)) > known and self.presence is not None)

    def bind(self) -> None:
        """Sign in, register, and return when the session is bound."""
        self.sign_in()
        self.register()
        self.pass_the_grace()
        assert self.refresh() == 200
