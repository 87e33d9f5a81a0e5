"""The limit of the server: a Falcon resource that does nothing but answer as many bytes as Nuovo does."""

import os

import falcon


class RefreshToken:
    """Answers the same every time."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = "application/json"
        resp.data = self._answer


def create_app(answer: bytes) -> "falcon.App[falcon.Request, falcon.Response]":
    """Return the application."""
    app = falcon.App()
    app.add_route("/refresh_token", RefreshToken(answer))
    return app


app = create_app(os.environb.get(b"BENCH_ANSWER", b"{}"))
