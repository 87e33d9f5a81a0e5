"""The life and death of sessions, over the wire and in the store."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import orjson

from domain.model.sessions import RevocationReason
from tests.e2e.client import Answer, Client
from tests.e2e.database import Beside
from tests.e2e.server import USER, Nuovo
from tests.stores import Stores

NIGHT = 10 * 3600
LONGER_THAN_THE_GRACE = 60


def claims_of(token: str) -> dict[str, object]:
    """Return what a token says, unverified."""
    payload = token.split(".")[1]
    claims: dict[str, object] = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def once(nuovo: Nuovo, token: str) -> Answer:
    """Present a token over a connection of its own."""
    with Client(nuovo.url) as client:
        return client.refresh(token)


def test_fifty_threads_present_one_token_at_once(nuovo: Nuovo, client: Client, beside: Beside) -> None:
    """All get 200 and one successor, and the session rotates once, round after round."""
    first = client.sign_in(nuovo.service_credential, USER)
    session_id, token = first.data["session_id"], first.refresh_token
    barrier = Barrier(50)

    def present(token: str) -> Answer:
        with Client(nuovo.url) as racer:
            racer.get("/health/live")  # connect before the race
            barrier.wait()
            return racer.refresh(token)

    with ThreadPoolExecutor(barrier.parties) as pool:
        for generation in (1, 2, 3):
            assert beside.session(session_id).token.generation == generation
            beside.put_back(session_id, LONGER_THAN_THE_GRACE)
            answers = list(pool.map(present, [token] * barrier.parties))
            assert [answer.status for answer in answers] == [200] * barrier.parties
            assert len({answer.access_token for answer in answers}) == barrier.parties
            (token,) = {answer.refresh_token for answer in answers}
            assert claims_of(token)["jti"] == f"{session_id}.{generation + 1}"
    assert beside.session(session_id).token.generation == 4


def test_reuse_ends_the_session_for_everybody(nuovo: Nuovo, client: Client, beside: Beside) -> None:
    """A token whose successor was used comes back: nobody is believed any more."""
    first = client.sign_in(nuovo.service_credential, USER)
    session_id = first.data["session_id"]
    second = client.refresh(first.refresh_token)
    beside.put_back(session_id, LONGER_THAN_THE_GRACE)
    third = client.refresh(second.refresh_token)

    assert once(nuovo, first.refresh_token).status == 401
    assert [once(nuovo, answer.refresh_token).status for answer in (third, second, first)] == [401] * 3
    assert beside.session(session_id).revocation_reason is RevocationReason.REUSE


def test_within_the_grace_a_token_and_its_successor_get_the_same_successor(
    nuovo: Nuovo, client: Client, beside: Beside
) -> None:
    """Whoever asks, over whichever connection; and nothing is written."""
    first = client.sign_in(nuovo.service_credential, USER)
    second = client.refresh(first.refresh_token)
    row = beside.session(first.data["session_id"])
    for token in (first.refresh_token, second.refresh_token) * 2:
        repeated = once(nuovo, token)
        assert (repeated.status, repeated.refresh_token) == (200, second.refresh_token)
    assert beside.session(first.data["session_id"]) == row


def test_a_lost_answer_is_recovered_the_next_morning(nuovo: Nuovo, client: Client, beside: Beside) -> None:
    first = client.sign_in(nuovo.service_credential, USER)
    session_id = first.data["session_id"]
    lost = client.refresh(first.refresh_token)
    beside.put_back(session_id, NIGHT)

    recovered = once(nuovo, first.refresh_token)
    assert recovered.status == 200
    assert claims_of(recovered.refresh_token)["jti"] == f"{session_id}.3"
    assert lost.refresh_token != recovered.refresh_token
    assert once(nuovo, recovered.refresh_token).status == 200


def test_after_a_recovery_the_successor_left_behind_betrays_a_thief(
    nuovo: Nuovo, client: Client, beside: Beside
) -> None:
    first = client.sign_in(nuovo.service_credential, USER)
    stolen = client.refresh(first.refresh_token)
    beside.put_back(first.data["session_id"], NIGHT)
    recovered = client.refresh(first.refresh_token)

    assert once(nuovo, stolen.refresh_token).status == 401
    assert once(nuovo, recovered.refresh_token).status == 401


def test_an_answer_lost_for_longer_than_a_day_is_not_recovered(nuovo: Nuovo, client: Client, beside: Beside) -> None:
    first = client.sign_in(nuovo.service_credential, USER)
    client.refresh(first.refresh_token)
    beside.put_back(first.data["session_id"], 25 * 3600)
    assert once(nuovo, first.refresh_token).status == 401


def test_logout(nuovo: Nuovo, client: Client) -> None:
    """One device is logged out at once, however often it asks; the other goes on."""
    phone, laptop = (client.sign_in(nuovo.service_credential, USER) for _ in range(2))
    for _ in range(2):
        answer = client.log_out(phone.refresh_token)
        expected = b'{"status":"success","code":200,"data":{"message":"Refresh token revoked."}}'
        assert (answer.status, answer.body) == (200, expected)
    assert once(nuovo, phone.refresh_token).status == 401
    assert client.get("/sessions", phone.access_token).status == 401
    assert once(nuovo, laptop.refresh_token).status == 200


def test_a_user_sees_and_ends_sessions(nuovo: Nuovo, client: Client) -> None:
    phone = client.sign_in(nuovo.service_credential, USER, device="Phone")
    laptop = client.sign_in(nuovo.service_credential, USER, device="Laptop")
    seen = {session["id"]: session for session in client.get("/sessions", laptop.access_token).data["sessions"]}
    assert seen[phone.data["session_id"]]["device"] == "Phone"
    assert seen[laptop.data["session_id"]]["current"]

    assert client.delete(f"/sessions/{phone.data['session_id']}", laptop.access_token).status == 200
    assert once(nuovo, phone.refresh_token).status == 401
    assert once(nuovo, laptop.refresh_token).status == 200


def test_without_rotation_a_token_stays_the_same_until_it_is_revoked(
    kind: str, serve: Callable[..., Nuovo], stores: Stores
) -> None:
    nuovo = serve(kind, NUOVO_ROTATION="false")
    beside = Beside(stores[kind], nuovo.environment["NUOVO_DATABASE_URL"])
    with Client(nuovo.url) as client:
        first = client.sign_in(nuovo.service_credential, USER)
        row = beside.session(first.data["session_id"])
        answers = [client.refresh(first.refresh_token) for _ in range(3)]
        assert [(answer.status, set(answer.data)) for answer in answers] == [(200, {"access_token"})] * 3
        assert beside.session(first.data["session_id"]) == row
        client.log_out(first.refresh_token)
    assert once(nuovo, first.refresh_token).status == 401
    beside.close()


def test_a_revoked_session_never_gets_200_again(prepared_url: str, tmp_path: Path) -> None:
    """Whoever ended it: not with any of its tokens, not after a restart, a new sign-in or a change of settings."""
    dead: list[str] = []

    def begin(user: str = USER) -> Answer:
        """Start a session and refresh it once, so that there are two tokens to try."""
        first = client.sign_in(nuovo.service_credential, user)
        second = client.refresh(first.refresh_token)
        dead.extend((first.refresh_token, second.refresh_token))
        return second

    with Nuovo(tmp_path, prepared_url) as nuovo:
        with Client(nuovo.url) as client:
            by_logout, by_user, by_operator, all_of_bob, _ = begin(), begin(), begin(), begin("bob"), begin("bob")
            assert client.log_out(by_logout.refresh_token).status == 200
            session = claims_of(by_user.access_token)["sid"]
            assert client.delete(f"/sessions/{session}", by_user.access_token).status == 200
            session = claims_of(by_operator.access_token)["sid"]
            assert nuovo.run("sessions", "revoke", "--session", str(session)).returncode == 0
            assert client.delete("/sessions", all_of_bob.access_token).status == 200
            new = client.sign_in(nuovo.service_credential, "bob")
        assert [once(nuovo, token).status for token in dead] == [401] * 10

        nuovo.kill()
        nuovo.environment |= {"NUOVO_REPLAY_GRACE": "300", "NUOVO_SESSION_TTL": str(400 * 86_400)}
        nuovo.start()
        assert [once(nuovo, token).status for token in dead] == [401] * 10
        assert once(nuovo, new.refresh_token).status == 200
