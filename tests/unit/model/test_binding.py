"""The rule for sessions that are bound to a key, as tables: of the token, of the store, and of what was proven."""

from dataclasses import replace

import pytest

from domain.model.decisions import Decision, Standing, may_rotate_unseen
from domain.model.proofs import DeviceBinding, ProvenKey, is_thumbprint, key_for, key_to_bind
from domain.model.sessions import RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken
from tests.builders import KEY, OTHER_KEY, after_rotations, new_session
from tests.fakes.clock import START

ROTATE, REPEAT, RECOVER, REUSE = Decision.ROTATE, Decision.REPEAT, Decision.RECOVER, Decision.REUSE
HEAL, KEEP, UNPROVEN, REFUSE = Decision.HEAL, Decision.KEEP, Decision.UNPROVEN, Decision.REFUSE
OFF = SessionPolicy()
OFFER, REQUIRE = (replace(OFF, device_binding=DeviceBinding(name)) for name in ("offer", "require"))
DAY = 86_400
PRESENTED = {
    "current": (3, 300),
    "current, young": (3, 30),
    "parent, young": (2, 30),
    "parent": (2, 300),
    "older": (1, 300),
    "older, young": (1, 30),
    "ahead": (5, 300),
    "ahead, young": (5, 30),
}
"""Which token of a session of generation 3, and how long after its rotation."""
BY_GENERATION = (ROTATE, REPEAT, REPEAT, RECOVER, REUSE, REUSE, HEAL, HEAL)
LEFT_BEHIND = (REUSE, UNPROVEN, UNPROVEN, REUSE, REUSE, REUSE, REUSE, UNPROVEN)
"""The session was bound to a key that is not the holder's: within the grace a tab that was not told, then a thief."""
FURTHER = (*LEFT_BEHIND[:6], HEAL, HEAL)
NOTHING = (UNPROVEN,) * 8
ROW = after_rotations(new_session(), 2)


def proof(kind: str | None) -> ProvenKey | None:
    """Return what was proven: a key by the presence of the device, by DPoP, or by the presence of another session."""
    if kind is None:
        return None
    key = OTHER_KEY if "other key" in kind else KEY
    named = {"DPoP": None, "elsewhere": "another-session"}
    return ProvenKey(thumbprint=key, session_id=named.get(kind.rpartition(" ")[2], ROW.token.session_id))


def standing(held_key: str | None, session: Session | None = ROW) -> Standing:
    row = session and replace(session, token=replace(session.token, key_thumbprint=held_key))
    return Standing(session=row, cut_off=None, purged_until=None)


def token(key: str | None, generation: int = ROW.token.generation) -> RefreshToken:
    return replace(ROW.token, generation=generation, key_thumbprint=key)


def decisions(key: str | None, held_key: str | None, proven: str | None, policy: SessionPolicy) -> tuple[Decision, ...]:
    """Return what is decided of each of the tokens."""
    return tuple(
        standing(held_key).decide(
            token(key, generation), now=ROW.token.issued_at + later, policy=policy, proven=proof(proven)
        )
        for generation, later in PRESENTED.values()
    )


@pytest.mark.parametrize("policy", [OFF, OFFER], ids=["off", "offer"])
@pytest.mark.parametrize(
    ("key", "held_key", "proven", "expected"),
    [
        # What is bound to nothing needs no proof.
        (None, None, None, BY_GENERATION),
        (None, None, "key", BY_GENERATION),
        (None, None, "key by DPoP", BY_GENERATION),
        (None, None, "key elsewhere", BY_GENERATION),
        # What is bound is worth what it always was to whoever holds the key, and nothing to anybody else.
        (KEY, KEY, "key", BY_GENERATION),
        (KEY, KEY, "key by DPoP", BY_GENERATION),
        (KEY, KEY, "key elsewhere", NOTHING),
        (KEY, KEY, "other key", NOTHING),
        (KEY, KEY, "other key by DPoP", NOTHING),
        (KEY, KEY, None, NOTHING),
        # A store that has lost the binding does not unbind a token.
        (KEY, None, "key", (HEAL, HEAL, HEAL, HEAL, REUSE, REUSE, HEAL, HEAL)),
        (KEY, None, None, NOTHING),
        (KEY, None, "other key", NOTHING),
        # A token from before the binding wants the key, and shows that there are two if it comes too late without.
        (None, KEY, "key", BY_GENERATION),
        (None, KEY, "key by DPoP", BY_GENERATION),
        (None, KEY, None, LEFT_BEHIND),
        (None, KEY, "key elsewhere", LEFT_BEHIND),
        (None, KEY, "other key", LEFT_BEHIND),
        # So does one of another key than a failover has left; but what was signed later than the store knows counts.
        (KEY, OTHER_KEY, "key", FURTHER),
        (KEY, OTHER_KEY, "key by DPoP", FURTHER),
        (KEY, OTHER_KEY, "other key", NOTHING),
        (KEY, OTHER_KEY, None, NOTHING),
    ],
)
def test_decision(
    key: str | None, held_key: str | None, proven: str | None, expected: tuple[Decision, ...], policy: SessionPolicy
) -> None:
    assert decisions(key, held_key, proven, policy) == expected


@pytest.mark.parametrize(
    ("key", "proven", "expected"),
    [
        # Unbound: what was given a moment ago is repeated, and nothing else is served. Reuse is still reuse.
        (None, None, (UNPROVEN, REPEAT, REPEAT, UNPROVEN, REUSE, REUSE, UNPROVEN, UNPROVEN)),
        (None, "key by DPoP", (UNPROVEN, REPEAT, REPEAT, UNPROVEN, REUSE, REUSE, UNPROVEN, UNPROVEN)),
        (None, "key elsewhere", (UNPROVEN, REPEAT, REPEAT, UNPROVEN, REUSE, REUSE, UNPROVEN, UNPROVEN)),
        (None, "key", BY_GENERATION),
        (KEY, "key", BY_GENERATION),
        (KEY, "key by DPoP", BY_GENERATION),
    ],
)
def test_decision_while_binding_is_required(
    key: str | None, proven: str | None, expected: tuple[Decision, ...]
) -> None:
    assert decisions(key, key, proven, REQUIRE) == expected


@pytest.mark.parametrize(
    ("generation", "rotations", "later", "expected"),
    [
        (1, 0, 0, ROTATE),
        (1, 0, 10**6, ROTATE),
        (1, 1, 30, REPEAT),
        (2, 1, 30, REPEAT),
        # Whoever never binds does not go on from the first token for ever either.
        (1, 1, 31, UNPROVEN),
        (2, 1, 31, UNPROVEN),
        (1, None, 0, HEAL),
        (2, None, 0, UNPROVEN),
    ],
)
def test_the_first_rotation_needs_no_binding(
    generation: int, rotations: int | None, later: int, expected: Decision
) -> None:
    row = None if rotations is None else after_rotations(new_session(), rotations)
    presented = replace((row or ROW).token, generation=generation)

    decision = standing(None, row).decide(presented, now=presented.issued_at + later, policy=REQUIRE)

    assert decision is expected


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("later", [0, 31, DAY])
@pytest.mark.parametrize("has_row", [True, False])
def test_without_rotation_no_first_token_escapes_a_binding_that_is_required(
    generation: int, later: int, *, has_row: bool
) -> None:
    """It would never go on from it, and be served for ever."""
    row = after_rotations(new_session(), generation - 1)
    presented, policy = row.token, replace(REQUIRE, rotation=False)

    decision = standing(None, row if has_row else None).decide(
        presented, now=presented.issued_at + later, policy=policy
    )

    assert decision is UNPROVEN


@pytest.mark.parametrize("policy", [OFF, OFFER, REQUIRE])
@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("proven", [None, "key", "other key"])
def test_what_is_over_is_refused_whoever_asks(key: str | None, proven: str | None, policy: SessionPolicy) -> None:
    """Its end is told, not that a key is missing: nobody is offered a binding of it."""
    row = replace(ROW, token=token(key)).revoked(at=START, reason=RevocationReason.LOGOUT)
    over = Standing(session=row, cut_off=None, purged_until=None)

    assert over.decide(token(key), now=START, policy=policy, proven=proof(proven)) is REFUSE


@pytest.mark.parametrize(("proven", "expected"), [(None, UNPROVEN), ("other key", UNPROVEN), ("key", HEAL)])
def test_a_lost_row_unbinds_nothing(proven: str | None, expected: Decision) -> None:
    lost = standing(None, None)

    assert lost.decide(token(KEY), now=START, policy=OFFER, proven=proof(proven)) is expected


@pytest.mark.parametrize(("proven", "expected"), [(None, UNPROVEN), ("other key", UNPROVEN), ("key", KEEP)])
def test_without_rotation_a_bound_token_needs_its_key(proven: str | None, expected: Decision) -> None:
    policy = replace(OFF, rotation=False)

    assert standing(KEY).decide(token(KEY), now=START, policy=policy, proven=proof(proven)) is expected
    if expected is KEEP:
        assert standing(None).decide(token(KEY), now=START, policy=policy, proven=proof(proven)) is HEAL


@pytest.mark.parametrize(
    ("policy", "key", "held_key", "may_bind"),
    [
        (OFF, None, None, False),
        (OFFER, None, None, True),
        (REQUIRE, None, None, True),
        (OFFER, None, KEY, False),
        (OFFER, KEY, None, False),
        (OFFER, KEY, KEY, False),
    ],
)
def test_when_a_session_may_be_bound(
    policy: SessionPolicy, key: str | None, held_key: str | None, *, may_bind: bool
) -> None:
    assert standing(held_key).may_bind(token(key), policy) is may_bind


def test_a_session_whose_row_is_lost_is_bound_to_no_other_key() -> None:
    lost = standing(None, None)

    assert not lost.may_bind(token(KEY), OFFER)
    assert lost.may_bind(token(None), OFFER)


@pytest.mark.parametrize(
    ("key", "generation", "proven", "policy", "expected"),
    [
        (None, 7, None, OFF, True),
        (None, 7, "key", OFFER, True),
        (None, 1, None, REQUIRE, True),
        (None, 2, None, REQUIRE, False),
        (None, 2, "key", REQUIRE, True),
        (None, 2, "key by DPoP", REQUIRE, False),
        (None, 2, "key elsewhere", REQUIRE, False),
        (KEY, 1, None, OFF, False),
        (KEY, 1, "key", OFF, True),
        (KEY, 1, "key by DPoP", REQUIRE, True),
        (KEY, 1, "key elsewhere", OFF, False),
        (KEY, 1, "other key", OFFER, False),
    ],
)
def test_what_rotates_without_a_look_at_the_row(
    key: str | None, generation: int, proven: str | None, policy: SessionPolicy, *, expected: bool
) -> None:
    assert may_rotate_unseen(token(key, generation), proof(proven), policy=policy) is expected


@pytest.mark.parametrize(
    ("policy", "key", "held_key", "proven", "expected"),
    [
        (OFFER, None, None, None, None),
        (OFFER, None, None, "key", KEY),
        (REQUIRE, None, None, "key", KEY),
        # The presence of a device binds, if it is of this session and the policy wants bindings.
        (OFF, None, None, "key", None),
        (OFFER, None, None, "key by DPoP", None),
        (OFFER, None, None, "key elsewhere", None),
        # Once bound, always bound, by the token as by the row.
        (OFF, KEY, KEY, "key", KEY),
        (OFF, KEY, KEY, "key by DPoP", KEY),
        (OFF, None, KEY, "key", KEY),
        (OFF, None, KEY, "key by DPoP", KEY),
        (OFFER, KEY, None, "key", KEY),
        (OFFER, KEY, KEY, "other key", KEY),
        # What was signed later than the store knows counts.
        (OFFER, KEY, OTHER_KEY, "key by DPoP", KEY),
    ],
)
@pytest.mark.parametrize("replaces", [3, 4, 1, None])
def test_the_key_of_a_successor(
    policy: SessionPolicy,
    key: str | None,
    held_key: str | None,
    proven: str | None,
    expected: str | None,
    *,
    replaces: int | None,
) -> None:
    """Of a rotation, a recovery, a healing."""
    rotation = rotate(
        token(key), now=START + 900, policy=policy, replaces=replaces, held_key=held_key, proven=proof(proven)
    )

    assert (rotation.held_key, rotation.successor.key_thumbprint) == (held_key, expected)


@pytest.mark.parametrize(("held_key", "excludes"), [(KEY, True), (None, False)])
def test_a_store_that_lost_the_key_is_given_it_within_the_grace(held_key: str | None, *, excludes: bool) -> None:
    """What it would repeat is unbound."""
    rotation = rotate(token(KEY), now=START, policy=OFF, replaces=3, held_key=held_key, proven=proof("key"))

    assert (len(rotation.unless_rotated_in) > 0) is excludes
    assert rotation.lost_generations == (0 if excludes else 1)


@pytest.mark.parametrize(("later", "expected"), [(DAY, HEAL), (DAY + 1, REUSE)])
def test_the_parent_is_healed_of_a_lost_key_as_long_as_it_is_recovered(later: int, expected: Decision) -> None:
    now = ROW.token.issued_at + later

    assert standing(None).decide(token(KEY, 2), now=now, policy=OFF, proven=proof("key")) is expected


@pytest.mark.parametrize(
    ("key", "held_key", "generation"), [(None, None, 3), (KEY, KEY, 3), (KEY, None, 3), (None, KEY, 4)]
)
def test_without_rotation_a_token_that_lacks_the_key_does_not_stay_in_use(
    key: str | None, held_key: str | None, generation: int
) -> None:
    policy = replace(OFF, rotation=False)

    successor = rotate(token(key), now=START, policy=policy, replaces=1, held_key=held_key).successor

    assert (successor.generation, successor.key_thumbprint) == (generation, key or held_key)


@pytest.mark.parametrize(
    "value", [None, 7, b"K" * 43, "", "K" * 42, "K" * 44, "K" * 42 + "=", "K" * 42 + "+", "K" * 43 + "\n", "é" * 43]
)
def test_what_is_no_thumbprint(value: object) -> None:
    assert not is_thumbprint(value)


def test_a_thumbprint_is_43_characters_of_base64url() -> None:
    assert is_thumbprint("aZ09-_" + "K" * 37)


@pytest.mark.parametrize(("named", "expected"), [(None, KEY), ("a-session", KEY), ("another", None)])
def test_a_key_counts_for_the_session_that_it_was_proven_for(named: str | None, expected: str | None) -> None:
    proven = ProvenKey(thumbprint=KEY, session_id=named)

    assert key_for("a-session", proven) == expected
    assert key_for("a-session", None) is None
    assert key_to_bind("a-session", proven) == (KEY if named == "a-session" else None)
    assert key_to_bind("a-session", None) is None
