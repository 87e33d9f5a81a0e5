"""The service as the rest of the world meets it: behind the documented nginx, over TLS, its issuer a URL."""

import secrets
import sqlite3
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey, import_key

from tests.e2e.client import Answer, Client
from tests.e2e.nginx import Nginx
from tests.e2e.server import Nuovo

AUDIENCE = "api"
SERVICE = "login"
USERS = {"ada": "admin", "bob": "member"}
"""Their roles, which access tokens repeat."""


class Authority(Nuovo):
    """A service that signs access tokens with ES256, for the users of an application's own table.

    `trust` is a file with the certificate of the authority that signed nginx's. Refresh tokens rotate at every use.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tls: tuple[Path, Path],
        trust: Path,
        settings: Mapping[str, str],
        replaced: Mapping[str, str] | None = None,
    ) -> None:
        """Take a folder, nginx's certificate and its key, settings, and what to replace in nginx's configuration."""
        database = folder / "application.sqlite3"
        super().__init__(folder, f"sqlite:///{database}")
        self.trust = trust
        self.bind = f"unix:{folder}/nuovo.sock"
        unlimited = {"rate=50r/s": "rate=100000r/s"}
        self.nginx = Nginx(folder, nuovo=(self.bind, self.bind), replaced={**unlimited, **(replaced or {})}, tls=tls)
        self.service_secret = self.service_credential
        self._key, self._published = folder / "access-token-key.pem", folder / "published.pem"
        self.use_keys(self.new_key())
        self.environment |= {
            "NUOVO_SERVICE_CREDENTIALS": f"{SERVICE}:{self.service_secret}",
            "NUOVO_ACCESS_TOKEN_KEY_FILE": str(self._key),
            "NUOVO_ACCESS_TOKEN_VERIFICATION_KEYS_FILE": str(self._published),
            "NUOVO_ISSUER": self.issuer,
            "NUOVO_AUDIENCE": AUDIENCE,
            "NUOVO_USERS_TABLE": "users",
            "NUOVO_USERS_CLAIMS": "role",
            "NUOVO_REPLAY_GRACE": "0",
            **settings,
        }
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE users (id TEXT PRIMARY KEY, role TEXT NOT NULL, active BOOLEAN NOT NULL)")
            connection.executemany("INSERT INTO users VALUES (?, ?, true)", USERS.items())
        connection.close()

    @property
    def issuer(self) -> str:
        """The address that everybody knows."""
        return f"https://localhost:{self.nginx.public}"

    @property
    def inner_url(self) -> str:
        """The address that the application's own services know."""
        return f"http://127.0.0.1:{self.nginx.inner}"

    def spawn(self, command: tuple[str, ...] | None = None) -> None:
        """Start both, and return when both listen."""
        super().spawn(command)
        self.nginx.__enter__()

    def kill(self) -> None:
        """Leave nothing of either."""
        self.nginx.stop()
        super().kill()

    @property
    def access_token_key(self) -> str:
        """The private key in PEM that signs access tokens, or will after a reload."""
        return self._key.read_text(encoding="ascii")

    def use_keys(self, signing: str, *published: str) -> None:
        """Write down which private key signs, and the public halves of which others are published beside it."""
        self._key.write_text(signing, encoding="ascii")
        self._published.write_text("".join(map(self.public_key, published)), encoding="ascii")

    def new_key(self) -> str:
        """Return a private key in PEM, made as the documentation says."""
        made = self.run("keys", "generate", "--algorithm", "ES256")
        made.check_returncode()
        return made.stdout

    def public_key(self, private_key: str) -> str:
        """Return the public half in PEM."""
        key = import_key(private_key, "EC")
        assert isinstance(key, ECKey)
        return key.as_pem(private=False).decode()

    def sign_in(self, user_id: str = "ada", **fields: Any) -> Answer:
        """Start a session, as the login service does."""
        with Client(self.inner_url) as client:
            answer = client.sign_in(self.service_secret, user_id, **fields)
        assert answer.status == 201, answer
        return answer

    def refresh(self, refresh_token: str) -> Answer:
        with Client(self.inner_url) as client:
            return client.refresh(refresh_token)

    def environment_of_others(self) -> dict[str, str]:
        """Return what programs on other machines are told: no secret, and whom to trust."""
        return {
            "ISSUER": self.issuer,
            "AUDIENCE": AUDIENCE,
            "SSL_CERT_FILE": str(self.trust),
            "REQUESTS_CA_BUNDLE": str(self.trust),
            "NODE_EXTRA_CA_CERTS": str(self.trust),
        }

    def requests_for(self, path: str) -> int:
        """Return how many requests for what is below `path` nginx has seen at either door."""
        lines = self.nginx.log.read_text(encoding="utf-8").splitlines()
        return sum(orjson.loads(line)["path"].startswith(f"{path}/") for line in lines)

    def forge(self, token: str, key: str | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return `token` with other claims (`None` removes one), signed with the service's key or another."""
        parsed = _read(token)
        changed = {name: value for name, value in {**parsed[1], **claims}.items() if value is not None}
        signer = import_key(key or self.access_token_key, "EC")
        return jwt.encode({**parsed[0], **(header or {})}, changed, signer, algorithms=["ES256"])


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload = (orjson.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in token.split(".")[:2])
    return header, payload


def another_key() -> str:
    """Return a private key in PEM of which the service knows nothing."""
    return ECKey.generate_key("P-256", {"kid": secrets.token_hex(4)}).as_pem(private=True).decode()
