"""Nuovo as a team that moves in starts it: from settings, in this process."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

from falcon.testing import TestClient
from structlog.testing import capture_logs

from entrypoints.bootstrap import build
from entrypoints.settings import load_settings

SECRET_KEY = "uT7wVq2Lx9Rz4Mn6Bk1Yc8Hd3Jf5Gs0PaEoIiKvX"
SERVICE_CREDENTIAL = "Hf4kQ9zT2vW7xB1nM6rL3yD8sJ5gC0pEaUoViYtR"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]
    cookies: Mapping[str, Any]

    @property
    def refresh_token(self) -> str:
        token = self.body["data"]["refresh_token"]
        assert isinstance(token, str)
        return token

    @property
    def access_token(self) -> str:
        token = self.body["data"]["access_token"]
        assert isinstance(token, str)
        return token


class MovedTo:
    """One service; `settings` are what they are called in the environment, without `NUOVO_`."""

    def __init__(self, database_url: str, settings: Mapping[str, str]) -> None:
        environment = {
            "NUOVO_SECRET_KEY": SECRET_KEY,
            "NUOVO_SERVICE_CREDENTIALS": SERVICE_CREDENTIAL,
            "NUOVO_DATABASE_URL": database_url,
            **{f"NUOVO_{name}": value for name, value in settings.items()},
        }
        self.built = build(load_settings(environment))
        if "DATABASE_URL" not in settings:  # by another role, say, of a database that has been migrated
            self.built.operations.migrate()
        self.client = TestClient(self.built.app())
        self.events: list[Any] = []

    def post(self, path: str, **request: Any) -> Answer:
        with capture_logs() as events:
            result = self.client.simulate_post(path, **request)
        self.events += events
        body = json.loads(result.text) if result.text else None
        return Answer(result.status_code, body, result.headers, result.cookies)

    def refresh(self, token: str) -> Answer:
        return self.post("/refresh_token", headers={"Authorization": f"Bearer {token}"})

    def revoke(self, token: str) -> Answer:
        return self.post("/revoke_token", headers={"Authorization": f"Bearer {token}"})

    def happenings(self, name: str) -> list[Any]:
        return [event for event in self.events if event["event"] == name]

    def close(self) -> None:
        self.built.moving_in.engine.drop_connection()


@contextmanager
def serving(nuovo: MovedTo) -> Iterator[str]:
    """Let Nuovo answer on a port of this machine, and return the address."""
    app = nuovo.built.app()

    def answer(environ: Any, start_response: Any) -> list[bytes]:
        try:
            return list(app(environ, start_response))
        finally:
            nuovo.close()  # what this thread has opened

    with serving_wsgi(answer) as url:
        yield url


@contextmanager
def serving_wsgi(app: Any) -> Iterator[str]:
    """Let an application answer on a port of this machine, and return the address."""
    from werkzeug.serving import make_server  # noqa: PLC0415  where the libraries are

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
