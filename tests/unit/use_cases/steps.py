"""What users of the service do, one line each."""

import pytest

from domain.model.actors import Actor
from domain.model.errors import InvalidRefreshTokenError, KeyNotProvenError, RefusalCause
from domain.model.proofs import ProvenKey
from domain.model.sessions import RevocationReason, Session
from domain.model.tokens import AccessToken, RefreshToken, TokenPair
from ports.security_log import Happening, SecurityEvent
from tests.builders import KEY, held
from tests.fakes.service import FakeService

MADE_UP_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
"""A token that this service never wrote."""


def sign_in(service: FakeService, user_id: str = "ada", device: str = "") -> str:
    """Start a session and return its refresh token."""
    return refresh_token_of(service.sign_in(user_id, device=device))


def refresh(service: FakeService, presented: str, proven: ProvenKey | None = None) -> str:
    """Trade a refresh token and return the one that comes back."""
    return refresh_token_of(service.refresh(presented, proven))


def presence(service: FakeService, presented: str, key: str = KEY) -> ProvenKey:
    """Return what the device of a token's session proves."""
    return ProvenKey(thumbprint=key, session_id=read(service, presented).session_id)


def refresh_token_of(pair: TokenPair) -> str:
    assert pair.refresh_token is not None
    return pair.refresh_token


def read(service: FakeService, presented: str) -> RefreshToken:
    return service.tokens.read_refresh_token(presented)


def read_access(service: FakeService, pair: TokenPair) -> AccessToken:
    return service.tokens.read_access_token(pair.access_token)


def stored(service: FakeService, presented: str) -> Session:
    """Return what the store holds of a token's session."""
    session = held(service.sessions, read(service, presented))
    assert session is not None
    return session


def event(
    service: FakeService,
    happening: Happening,
    presented: str,
    *,
    cause: RefusalCause | RevocationReason | None = None,
    actor: Actor | None = None,
    lost_generations: int | None = None,
) -> SecurityEvent:
    """Return the event about a token, its session and its user."""
    token = read(service, presented)
    return SecurityEvent(
        happening=happening,
        session_id=token.session_id,
        user_id=token.user_id,
        generation=token.generation,
        cause=cause,
        actor=actor,
        lost_generations=lost_generations,
    )


def assert_refused(service: FakeService, presented: str, cause: RefusalCause, proven: ProvenKey | None = None) -> None:
    """Present a refresh token; it is invalid, for this cause, and the error says nothing else."""
    with pytest.raises(InvalidRefreshTokenError) as caught:
        service.refresh(presented, proven)
    assert caught.value.cause is cause
    assert str(caught.value) == cause


def assert_not_proven(
    service: FakeService, presented: str, proven: ProvenKey | None = None, *, may_bind: bool = False
) -> None:
    """Present a refresh token without its key: it is refused, and that changes nothing."""
    before, events = held(service.sessions, read(service, presented)), len(service.log.events)
    with pytest.raises(KeyNotProvenError) as caught:
        service.refresh(presented, proven)
    assert (caught.value.session_id, caught.value.may_bind) == (read(service, presented).session_id, may_bind)
    assert held(service.sessions, read(service, presented)) == before
    refused = event(service, Happening.REFUSED, presented, cause=RefusalCause.KEY_NOT_PROVEN)
    assert service.log.events[events:] == [refused]
