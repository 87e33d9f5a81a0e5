"""Sessions that are bound to a key: how they come to be, and what they are worth to whoever has no key."""

from dataclasses import replace

import pytest

from domain.model.claims import Claims
from domain.model.errors import InvalidAccessTokenError, KeyNotProvenError, RefusalCause, StoreUnavailableError
from domain.model.proofs import DeviceBinding, ProvenKey
from domain.model.sessions import Rotation, SessionPolicy
from domain.use_cases.start_session import SessionTerms
from ports.security_log import Happening
from tests.builders import KEY, OTHER_KEY
from tests.fakes.foreign_tokens import FakeForeignTokens
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.unit.use_cases.steps import (
    assert_not_proven,
    assert_refused,
    event,
    presence,
    read,
    read_access,
    refresh,
    refresh_token_of,
    sign_in,
    stored,
)

OFF = SessionPolicy()
OFFER, REQUIRE = (replace(OFF, device_binding=DeviceBinding(name)) for name in ("offer", "require"))
DPOP, OTHER_DPOP = ProvenKey(thumbprint=KEY), ProvenKey(thumbprint=OTHER_KEY)
GRACE, HOUR, DAY = 31, 3_600, 86_400
"""As soon as a grace is over, and longer."""


def bound(service: FakeService) -> tuple[str, str, str]:
    """Return the three tokens of a session that its device bound with the third."""
    service.policy = OFFER
    first = sign_in(service)
    second = refresh(service, first)
    service.clock.advance(GRACE)
    return first, second, refresh(service, second, presence(service, second))


def test_a_session_is_bound_by_the_rotation_that_first_carries_the_presence_of_its_device(service: FakeService) -> None:
    _, second, third = bound(service)

    assert read(service, second).key_thumbprint is None
    assert read(service, third).key_thumbprint == KEY
    assert stored(service, third).token == read(service, third)
    rotated, is_bound = service.log.events[-2:]
    assert (rotated, is_bound) == (
        event(service, Happening.ROTATED, third),
        event(service, Happening.BOUND, third),
    )


def test_a_session_is_called_bound_once(service: FakeService) -> None:
    """Not when it goes on, and not when a store that has lost it is healed."""
    *_, third = bound(service)
    service.clock.advance(GRACE)
    fourth = refresh(service, third, presence(service, third))
    assert isinstance(service.sessions, FakeSessions)
    service.sessions.rows.clear()

    healed = refresh(service, fourth, presence(service, fourth))

    assert read(service, healed).key_thumbprint == stored(service, healed).token.key_thumbprint == KEY
    assert service.log.happenings.count(Happening.BOUND) == 1
    assert_not_proven(service, healed)


def test_a_presence_binds_nothing_within_the_grace(service: FakeService) -> None:
    """Nothing is written then; the next rotation binds."""
    service.policy = OFFER
    first = sign_in(service)
    second = refresh(service, first)

    assert refresh(service, first, presence(service, first)) == second

    assert Happening.BOUND not in service.log.happenings


@pytest.mark.parametrize("policy", [OFF, OFFER, REQUIRE])
def test_a_bound_session_is_served_to_its_device_alone(service: FakeService, policy: SessionPolicy) -> None:
    """Rotated, repeated, recovered, healed and kept; whatever the settings have become."""
    *_, third = bound(service)
    proven, thief = presence(service, third), presence(service, third, OTHER_KEY)
    assert isinstance(service.sessions, FakeSessions)
    service.policy = policy
    for wait, happening in (
        (0, Happening.REPEATED),
        (GRACE, Happening.ROTATED),
        (GRACE, Happening.RECOVERED),
    ):
        service.clock.advance(wait)
        for stolen in (None, thief, OTHER_DPOP, replace(proven, session_id="another-session")):
            assert_not_proven(service, third, stolen)
        pair = service.refresh(third, proven)
        assert service.log.happenings[-1] is happening
        assert not pair.may_bind
    last = refresh_token_of(pair)
    service.sessions.rows.clear()
    assert_not_proven(service, last)
    healed = refresh(service, last, proven)
    assert service.log.happenings[-1:] == [Happening.HEALED]
    service.policy = replace(policy, rotation=False)
    assert_not_proven(service, healed)
    assert service.refresh(healed, proven).refresh_token is None
    assert service.log.happenings[-1:] == [Happening.KEPT]


def test_a_stolen_bound_token_ends_nothing_however_stale(service: FakeService) -> None:
    *_, third = bound(service)
    service.clock.advance(GRACE)
    fourth = refresh(service, third, presence(service, third))
    service.clock.advance(GRACE)
    fifth = refresh(service, fourth, presence(service, fourth))
    service.clock.advance(2 * DAY)

    assert_not_proven(service, third)
    assert refresh(service, fifth, presence(service, fifth))
    # With the key as well there are two who have it: that is reuse.
    assert_refused(service, third, RefusalCause.REUSED, presence(service, third))
    assert_refused(service, fifth, RefusalCause.REVOKED)


def test_a_tab_that_was_not_told_of_the_binding_is_told_to_prove_the_key(service: FakeService) -> None:
    _, second, third = bound(service)

    assert_not_proven(service, second)

    assert refresh(service, second, presence(service, second)) == third


@pytest.mark.parametrize("wait", [GRACE, HOUR, DAY, 2 * DAY])
def test_a_thief_who_binds_first_is_ended_by_the_token_left_behind(service: FakeService, wait: int) -> None:
    _, second, third = bound(service)
    service.clock.advance(wait)

    assert_refused(service, second, RefusalCause.REUSED)

    assert_refused(service, third, RefusalCause.REVOKED)


def test_a_lost_answer_of_the_binding_is_recovered_with_the_key(service: FakeService) -> None:
    _, second, _ = bound(service)
    service.clock.advance(HOUR)

    recovered = refresh(service, second, presence(service, second))

    assert read(service, recovered).key_thumbprint == KEY
    assert service.log.happenings.count(Happening.BOUND) == 1


def test_a_binding_is_offered_when_an_unbound_session_rotates(service: FakeService) -> None:
    """Once for a burst of tabs; not where bindings are off, and not once there is one."""
    token = sign_in(service)
    assert not service.refresh(token).may_bind
    service.policy = OFFER
    token = sign_in(service)

    assert [service.refresh(token).may_bind for _ in range(8)] == [True] + [False] * 7

    service.clock.advance(GRACE)
    recovered = service.refresh(token)
    assert recovered.may_bind
    token = refresh_token_of(recovered)
    service.clock.advance(GRACE)
    assert not service.refresh(token, presence(service, token)).may_bind
    assert not service.sign_in().may_bind


def test_where_a_binding_is_required_nothing_goes_on_after_the_first_rotation_without(service: FakeService) -> None:
    service.policy = REQUIRE
    first = sign_in(service)
    second = refresh(service, first)
    assert refresh(service, second) == refresh(service, first) == second
    service.clock.advance(GRACE)
    for presented in (first, second):
        assert_not_proven(service, presented, may_bind=True)
        assert_not_proven(service, presented, DPOP, may_bind=True)

    third = refresh(service, second, presence(service, second))

    assert read(service, third).key_thumbprint == KEY


def test_a_session_that_a_foreign_token_becomes_may_be_bound_at_once(service: FakeService) -> None:
    service.policy, service.foreign = OFFER, FakeForeignTokens()
    presented = service.foreign.issue()
    session_id = service.foreign.issued[presented].token.session_id
    proven = ProvenKey(thumbprint=KEY, session_id=session_id)

    adopted = refresh(service, presented, proven)

    assert service.log.happenings == [Happening.ADOPTED, Happening.BOUND]
    assert read(service, adopted).key_thumbprint == KEY
    service.clock.advance(GRACE)
    assert_refused(service, presented, RefusalCause.REUSED)


def test_no_key_takes_the_place_of_another(service: FakeService) -> None:
    """Whoever has lost the key signs in again: a thief with a key of their own could do what they can."""
    *_, third = bound(service)
    assert_not_proven(service, third)

    assert_not_proven(service, third, presence(service, third, OTHER_KEY))
    service.clock.advance(900)
    assert_not_proven(service, third, presence(service, third, OTHER_KEY))


def test_the_answer_waits_for_no_step_that_another_key_has_taken(service: FakeService) -> None:
    """Two devices bind at once: one step is taken, and the other is told to prove the key."""

    class Overtaken(FakeSessions):
        other: ProvenKey | None = None

        def rotate(self, rotation: Rotation) -> Claims | None:
            if (other := self.other) is not None:
                self.other = None
                refresh(service, second, other)
            return super().rotate(rotation)

    service.policy = OFFER
    service.sessions = store = Overtaken()
    second = refresh(service, sign_in(service))
    service.clock.advance(GRACE)
    store.other = presence(service, second, OTHER_KEY)
    with pytest.raises(KeyNotProvenError):
        service.refresh(second, presence(service, second))

    assert stored(service, second).token.key_thumbprint == OTHER_KEY
    assert service.log.happenings.count(Happening.BOUND) == 1


def test_trouble_in_the_store_is_no_missing_key(service: FakeService) -> None:
    class Away(FakeSessions):
        def rotate(self, rotation: Rotation) -> Claims | None:
            raise StoreUnavailableError

    *_, third = bound(service)
    service.sessions = Away()
    with pytest.raises(StoreUnavailableError):
        service.refresh(third, presence(service, third))


@pytest.mark.parametrize("presented", [0, 1, 2])
def test_logging_out_needs_no_key(service: FakeService, presented: int) -> None:
    """A user whose device has lost its key can still end the session, and so can whoever binds it no more."""
    tokens = bound(service)

    service.revoke(tokens[presented])

    assert_refused(service, tokens[2], RefusalCause.REVOKED, presence(service, tokens[2]))


def test_a_session_may_be_bound_at_its_start(service: FakeService) -> None:
    """By a key that is proven at each use: its tokens are, and no presence is asked for."""
    service.policy = REQUIRE
    pair = service.sign_in(terms=SessionTerms(key_thumbprint=KEY))
    first = refresh_token_of(pair)

    assert read(service, first).key_thumbprint == stored(service, first).token.key_thumbprint == KEY
    assert (pair.access_token_is_bound, read_access(service, pair).key_thumbprint) == (False, None)
    assert_not_proven(service, first)
    assert_not_proven(service, first, OTHER_DPOP)
    second = refresh(service, first, DPOP)
    assert read(service, second).key_thumbprint == KEY
    service.clock.advance(GRACE)
    assert refresh(service, second, DPOP)
    assert Happening.BOUND not in service.log.happenings


def test_access_tokens_are_bound_to_the_key_of_a_session_that_proves_it_anywhere(service: FakeService) -> None:
    """Where the settings say so. The presence of a device is proven to this service alone."""
    service.policy = replace(OFFER, bound_access_tokens=True)
    pair = service.sign_in(terms=SessionTerms(key_thumbprint=KEY))
    for _ in range(3):  # started, rotated, repeated
        assert pair.access_token_is_bound
        assert read_access(service, pair).key_thumbprint == KEY
        pair = service.refresh(refresh_token_of(pair), DPOP)
    service.policy = replace(service.policy, rotation=False)
    assert service.refresh(refresh_token_of(pair), DPOP).access_token_is_bound

    service.policy = replace(OFFER, bound_access_tokens=True)
    unbound = service.sign_in()
    assert not unbound.access_token_is_bound
    second = refresh_token_of(unbound)
    assert not service.refresh(second, DPOP).access_token_is_bound
    service.clock.advance(GRACE)
    by_presence = service.refresh(second, presence(service, second))
    assert read(service, refresh_token_of(by_presence)).key_thumbprint == KEY
    assert (by_presence.access_token_is_bound, read_access(service, by_presence).key_thumbprint) == (False, None)


@pytest.mark.parametrize(
    ("is_bound", "proven", "is_accepted"),
    [
        (False, None, True),
        (False, DPOP, False),
        (True, DPOP, True),
        (True, None, False),
        (True, OTHER_DPOP, False),
    ],
)
def test_an_access_token_is_shown_with_its_key_or_as_a_bearer_token_never_otherwise(
    service: FakeService, proven: ProvenKey | None, *, is_bound: bool, is_accepted: bool
) -> None:
    service.policy = replace(OFF, bound_access_tokens=is_bound)
    pair = service.sign_in(terms=SessionTerms(key_thumbprint=KEY))

    if is_accepted:
        assert service.authenticate(pair.access_token, proven).session_id == pair.session_id
        return
    with pytest.raises(InvalidAccessTokenError) as caught:
        service.authenticate(pair.access_token, proven)
    assert caught.value.cause is RefusalCause.KEY_NOT_PROVEN
    refused = service.log.events[-1]
    assert (refused.happening, refused.cause, refused.session_id) == (
        Happening.ACCESS_REFUSED,
        RefusalCause.KEY_NOT_PROVEN,
        pair.session_id,
    )


def test_a_bound_access_token_of_a_session_that_is_over_does_not_count(service: FakeService) -> None:
    service.policy = replace(OFF, bound_access_tokens=True)
    pair = service.sign_in(terms=SessionTerms(key_thumbprint=KEY))
    service.revoke(refresh_token_of(pair))

    with pytest.raises(InvalidAccessTokenError) as caught:
        service.authenticate(pair.access_token, DPOP)
    assert caught.value.cause is RefusalCause.REVOKED


def test_introspection_tells_what_a_bound_token_is_worth_to_its_holder(service: FakeService) -> None:
    """A stale one is worth nothing, nor is one that somebody else's key has replaced, and looking ends nothing."""
    _, second, third = bound(service)
    assert service.introspect(third) == read(service, third)
    assert service.introspect(second) is None
    service.clock.advance(GRACE)
    fourth = refresh(service, third, presence(service, third))
    service.clock.advance(2 * DAY)

    assert service.introspect(third) is None
    assert service.introspect(fourth) == read(service, fourth)
    assert refresh(service, fourth, presence(service, fourth))


def test_introspection_knows_that_a_binding_is_required(service: FakeService) -> None:
    service.policy = REQUIRE
    second = refresh(service, sign_in(service))
    assert service.introspect(second) is not None
    service.clock.advance(GRACE)

    assert service.introspect(second) is None
