"""The catalogue of hostile tokens, against the codec and through HTTP.

Every one of them gets the body that the contract has for a token that is not authentic, changes nothing in the store,
opens no connection and no file, and leaves no part of itself in any log.
"""

from collections.abc import Callable, Iterable, Iterator

import pytest

from domain.model.errors import InvalidAccessTokenError, InvalidRefreshTokenError, RefusalCause
from ports.token_codec import TokenCodec
from tests.hostile.catalogue import GROUPS, SIGNED_BY_US, every_token, tokens
from tests.hostile.complaints import Complaint, complaints, shared_text
from tests.hostile.conftest import Target
from tests.hostile.forge import ACCESS, REFRESH, SESSION_ID, Kind, strict_codec
from tests.hostile.headers import Named
from tests.hostile.wsgi import Answer, ask, on_the_wire
from tests.http.contract import ACCESS_INVALID, CLEARED_COOKIE, COOKIE, INVALID
from tests.wrong.readers import ByTheBook, careless_codecs

KINDS = pytest.mark.parametrize("kind", [REFRESH, ACCESS], ids=lambda kind: kind.name)
EACH_GROUP = pytest.mark.parametrize("group", GROUPS)


def read(codec: TokenCodec, kind: Kind, text: str) -> object:
    return codec.read_refresh_token(text) if kind is REFRESH else codec.read_access_token(text)


def found(codec: TokenCodec, kind: Kind, cases: Iterable[Named]) -> Iterator[Complaint]:
    refusals = (InvalidRefreshTokenError, InvalidAccessTokenError)
    return complaints(lambda text: read(codec, kind, text), cases, *refusals)


def test_the_forge_makes_what_the_service_makes() -> None:
    """What is refused below is refused for what is wrong with it: the honest tokens are accepted, to the byte."""
    codec = strict_codec()
    assert codec.write_refresh_token(codec.read_refresh_token(REFRESH.honest)) == REFRESH.honest
    assert codec.write_access_token(codec.read_access_token(ACCESS.honest)) == ACCESS.honest


@KINDS
@EACH_GROUP
def test_the_codec_refuses_every_hostile_token(
    kind: Kind, group: str, record_property: Callable[[str, object], None]
) -> None:
    cases = tokens(kind, group)
    codec = strict_codec()
    read(codec, kind, kind.honest)
    assert list(found(codec, kind, cases)) == []
    record_property("hostile_tokens", len(cases))


@pytest.mark.parametrize("group", sorted(set(GROUPS) - set(SIGNED_BY_US)))
def test_nothing_is_believed_before_the_signature(group: str) -> None:
    """What is not signed by the ring under its own header is refused for its form or its signature.

    A cause that speaks of claims would mean that they were looked at. The exceptions are those of these groups that
    are validly signed, under the honest header.
    """
    for name, text in tokens(REFRESH, group):
        with pytest.raises(InvalidRefreshTokenError) as refused:
            strict_codec().read_refresh_token(text)
        if refused.value.cause is RefusalCause.BAD_CLAIMS:
            assert REFRESH.with_payload(b"").split(".")[0] == text.split(".")[0], name


REFRESH_REQUESTS = [
    ("POST", "/refresh_token", "header"),
    ("POST", "/refresh_token", "cookie"),
    ("POST", "/revoke_token", "header"),
    ("POST", "/revoke_token", "cookie"),
]
ACCESS_REQUESTS = [
    ("GET", "/sessions", "header"),
    ("DELETE", "/sessions", "header"),
    ("DELETE", f"/sessions/{SESSION_ID}", "header"),
]


def send(target: Target, method: str, path: str, transport: str, text: str) -> Answer | None:
    """Present `text`, or return `None` if the transport itself would change it."""
    if not text.strip(" \t") or text != text.strip(" \t"):
        return None
    if transport == "header":
        return ask(target.app, method, path, HTTP_AUTHORIZATION=f"Bearer {on_the_wire(text)}")
    if ";" in text:
        return None
    cookie = f"{COOKIE}={on_the_wire(text)}"
    return ask(target.app, method, path, HTTP_COOKIE=cookie, HTTP_SEC_FETCH_SITE="same-origin")


@KINDS
@EACH_GROUP
def test_every_hostile_token_gets_the_contracts_body(
    target: Target, kind: Kind, group: str, record_property: Callable[[str, object], None]
) -> None:
    """And changes nothing, and is not repeated in any log; the honest token is still good afterwards."""
    before, sent = target.state(), 0
    body, requests = (INVALID, REFRESH_REQUESTS) if kind is REFRESH else (ACCESS_INVALID, ACCESS_REQUESTS)
    for name, text in tokens(kind, group):
        for method, path, transport in requests:
            answer = send(target, method, path, transport, text)
            if answer is None:
                continue
            sent += 1
            assert (answer.status, answer.body) == (401, body), (name, method, path, transport)
            assert answer.all("Content-Type") == ["application/json"]
            assert answer.all("Set-Cookie") == ([CLEARED_COOKIE] if transport == "cookie" else []), name
            assert all('error="invalid_token"' in value for value in answer.all("WWW-Authenticate"))
            said = target.said() + repr(answer.headers)
            assert shared_text(said, text) is None, name
        assert target.state() == before, name
    method, path, transport = requests[0]
    honest = send(target, method, path, transport, kind.honest)
    assert honest is not None
    assert honest.status == 200
    record_property("hostile_token_requests", sent)


def test_the_plain_reader_refuses_the_whole_catalogue() -> None:
    """So what its careless variants accept is owed to their carelessness."""
    reader = ByTheBook()
    assert reader.read_refresh_token(REFRESH.honest) == strict_codec().read_refresh_token(REFRESH.honest)
    assert list(found(reader, REFRESH, every_token(REFRESH))) == []


@pytest.mark.parametrize("careless", careless_codecs())
def test_the_catalogue_catches_a_careless_reader(careless: type[ByTheBook]) -> None:
    reader = careless()
    reader.read_refresh_token(REFRESH.honest)
    assert next(found(reader, REFRESH, every_token(REFRESH)), None) is not None


class Talkative(ByTheBook):
    """Logs what it reads, "for debugging"."""

    def read_refresh_token(self, presented: str) -> object:  # type: ignore[override]
        import logging  # noqa: PLC0415

        logging.getLogger("nuovo").debug("reading %s", presented)
        return super().read_refresh_token(presented)


def test_a_reader_that_logs_tokens_is_caught(make_target: Callable[..., Target]) -> None:
    target = make_target(Talkative())
    send(target, "POST", "/refresh_token", "header", REFRESH.honest[:-5])
    assert shared_text(target.said(), REFRESH.honest) is not None
