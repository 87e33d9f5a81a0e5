"""What the old endpoint answers, asked of the library itself and of Nuovo in the same words."""

import base64
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from werkzeug.test import Client, TestResponse

from tests.moving.nuovo import MovedTo
from tests.moving.old import django_app
from tests.moving.old.applications import FlaskApplication, SimplejwtApplication, ToolkitApplication

Move = Callable[..., MovedTo]
GARBAGE = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl"


def both(old: Client, new: Client, path: str, **request: Any) -> tuple[TestResponse, TestResponse]:
    return old.post(path, **request), new.post(path, **request)


def said(answer: TestResponse) -> tuple[int, Any]:
    return answer.status_code, answer.json


SIMPLEJWT_BODIES: dict[str, dict[str, Any]] = {
    "a token of nobody's": {"json": {"refresh": GARBAGE}},
    "rubbish": {"json": {"refresh": "rubbish"}},
    "no field": {"json": {}},
    "null": {"json": {"refresh": None}},
    "an empty text": {"json": {"refresh": ""}},
    "blanks": {"json": {"refresh": "  "}},
    "a list": {"json": {"refresh": ["a"]}},
    "an object": {"json": {"refresh": {"a": 1}}},
    "a boolean": {"json": {"refresh": True}},
    "a form": {"data": {"refresh": "rubbish"}},
    "a form without the field": {"data": {"other": "1"}},
}


@pytest.mark.parametrize("case", SIMPLEJWT_BODIES)
def test_simplejwt_refuses_in_the_same_words(simplejwt: SimplejwtApplication, move: Move, case: str) -> None:
    nuovo = Client(move(**simplejwt.settings).built.app())
    theirs, ours = both(simplejwt.client, nuovo, simplejwt.refresh_path, **SIMPLEJWT_BODIES[case])
    assert said(ours) == said(theirs)
    assert ours.headers.get("WWW-Authenticate") == theirs.headers.get("WWW-Authenticate")


def test_simplejwt_answers_in_the_same_words(simplejwt: SimplejwtApplication, move: Move) -> None:
    first, second = simplejwt.issue_all(simplejwt.add_users(2)).values()
    nuovo = Client(move(**simplejwt.settings).built.app())
    with django_app.simplejwt(ROTATE_REFRESH_TOKENS=True):
        theirs = simplejwt.client.post(simplejwt.refresh_path, json={"refresh": first})
    ours = nuovo.post(simplejwt.refresh_path, json={"refresh": second})
    assert theirs.status_code == ours.status_code == 200
    assert ours.json.keys() == theirs.json.keys() == {"access", "refresh"}
    assert ours.content_type == theirs.content_type


def test_simplejwt_without_rotation_keeps_the_refresh_token(simplejwt: SimplejwtApplication, move: Move) -> None:
    """As `ROTATE_REFRESH_TOKENS` false, the library's own default, does: such clients never take another one."""
    ((user, token),) = simplejwt.issue_all(simplejwt.add_users(1)).items()
    nuovo = Client(move(**simplejwt.settings, ADOPT_SIMPLEJWT_ROTATION="false").built.app())
    answers = [both(simplejwt.client, nuovo, simplejwt.refresh_path, json={"refresh": token}) for _ in range(3)]
    for theirs, ours in answers:
        assert ours.json.keys() == theirs.json.keys() == {"access"}
        assert simplejwt.whose(ours.json["access"]) == user


def test_simplejwt_refuses_expired_and_blacklisted_ones_as_before(simplejwt: SimplejwtApplication, move: Move) -> None:
    users = simplejwt.add_users(2)
    nuovo = Client(move(**simplejwt.settings).built.app())
    expired = django_app.issue_simplejwt(users[0])
    expired.set_exp(lifetime=-expired.lifetime)
    expired.set_iat(at_time=expired.current_time - 2 * expired.lifetime)
    theirs, ours = both(simplejwt.client, nuovo, simplejwt.refresh_path, json={"refresh": str(expired)})
    assert said(ours) == said(theirs)
    blacklisted = simplejwt.issue(users[1])
    simplejwt.revoke([blacklisted])
    theirs, ours = both(simplejwt.client, nuovo, simplejwt.refresh_path, json={"refresh": blacklisted})
    # APPSEC: the library tells a blacklisted token from one that never was; here both are just not valid.
    assert (
        (ours.status_code, ours.json["code"]) == (theirs.status_code, theirs.json["code"]) == (401, "token_not_valid")
    )


FLASK_HEADERS = {
    "nothing": {},
    "another scheme": {"Authorization": "Basic YTpi"},
    "two parts too many": {"Authorization": "Bearer a b c"},
    "no token": {"Authorization": "Bearer"},
    "a token of nobody's": {"Authorization": f"Bearer {GARBAGE}"},
}


@pytest.fixture
def flask(request: pytest.FixtureRequest, database_url: str) -> Iterator[FlaskApplication]:
    application = FlaskApplication(database_url, **getattr(request, "param", {}))
    yield application
    application.close()


@pytest.mark.parametrize("case", FLASK_HEADERS)
def test_flask_jwt_extended_refuses_in_the_same_words(flask: FlaskApplication, move: Move, case: str) -> None:
    nuovo = Client(move(**flask.settings).built.app())
    theirs, ours = both(flask.client, nuovo, "/refresh", headers=FLASK_HEADERS[case])
    assert said(ours) == said(theirs)


def test_flask_jwt_extended_answers_in_the_same_words(flask: FlaskApplication, move: Move) -> None:
    """By header the old token stays in use: no application of this library ever gave another."""
    ((user, token),) = flask.issue_all(flask.add_users(1)).items()
    nuovo = Client(move(**flask.settings).built.app())
    for _ in range(3):
        theirs, ours = both(flask.client, nuovo, "/refresh", **flask.request(token))
        assert theirs.status_code == ours.status_code == 200
        assert ours.json.keys() == theirs.json.keys() == {"access_token"}
        assert flask.whose(ours.json["access_token"]) == user


def test_flask_jwt_extended_rotates_for_clients_that_take_another_token(flask: FlaskApplication, move: Move) -> None:
    (token,) = flask.issue_all(flask.add_users(1)).values()
    nuovo = Client(move(**flask.settings, ADOPT_FLASK_JWT_EXTENDED_ROTATION="true").built.app())
    first = nuovo.post("/refresh", **flask.request(token)).json
    assert first.keys() == {"access_token", "refresh_token"}
    assert nuovo.post("/refresh", **flask.request(first["refresh_token"])).status_code == 200


def test_flask_jwt_extended_says_that_a_token_has_expired(flask: FlaskApplication, move: Move) -> None:
    token = flask.old.issue(flask.add_users(1)[0], expires_delta=timedelta(seconds=1))
    time.sleep(2)
    nuovo = Client(move(**flask.settings).built.app())
    theirs, ours = both(flask.client, nuovo, "/refresh", **flask.request(token))
    assert said(ours) == said(theirs) == (401, {"msg": "Token has expired"})


def test_flask_jwt_extended_says_that_a_token_was_revoked(flask: FlaskApplication, move: Move) -> None:
    (token,) = flask.issue_all(flask.add_users(1)).values()
    flask.revoke([token])
    nuovo = Client(move(**flask.settings).built.app())
    theirs, ours = both(flask.client, nuovo, "/refresh", **flask.request(token))
    assert said(ours) == said(theirs) == (401, {"msg": "Token has been revoked"})


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


TOOLKIT_REQUESTS: dict[str, dict[str, Any]] = {
    "nothing": {"data": {"grant_type": ""}},
    "another grant": {"data": {"grant_type": "telepathy", "client_id": "spa"}},
    "no token": {"data": {"grant_type": "refresh_token", "client_id": "spa"}},
    "a token of nobody's": {"data": {"grant_type": "refresh_token", "refresh_token": "x" * 30, "client_id": "spa"}},
    "no client": {"data": {"grant_type": "refresh_token", "refresh_token": "x" * 30}},
    "an unknown client": {"data": {"grant_type": "refresh_token", "refresh_token": "x" * 30, "client_id": "who"}},
    "a wrong secret": {
        "data": {
            "grant_type": "refresh_token",
            "refresh_token": "x" * 30,
            "client_id": "backend",
            "client_secret": "wrong",
        }
    },
    "a wrong secret by header": {
        "data": {"grant_type": "refresh_token", "refresh_token": "x" * 30},
        "headers": basic("backend", "wrong"),
    },
    "a confidential client without its secret": {
        "data": {"grant_type": "refresh_token", "refresh_token": "x" * 30, "client_id": "backend"}
    },
}


@pytest.mark.parametrize("case", TOOLKIT_REQUESTS)
def test_the_toolkit_refuses_in_the_same_words(toolkit: ToolkitApplication, move: Move, case: str) -> None:
    django_app.add_client(client_id="backend", confidential=True, secret="a right secret")
    nuovo = Client(move(**toolkit.settings).built.app())
    theirs, ours = both(toolkit.client, nuovo, "/o/token/", **TOOLKIT_REQUESTS[case])
    assert said(ours) == said(theirs)
    assert ours.headers.get("WWW-Authenticate") == theirs.headers.get("WWW-Authenticate")


def test_the_toolkit_answers_in_the_same_words(toolkit: ToolkitApplication, move: Move) -> None:
    first, second = toolkit.issue_all(toolkit.add_users(2)).values()
    nuovo = Client(move(**toolkit.settings).built.app())
    theirs = toolkit.client.post("/o/token/", **toolkit.request(first))
    ours = nuovo.post("/o/token/", **toolkit.request(second))
    assert theirs.status_code == ours.status_code == 200
    assert ours.json.keys() == theirs.json.keys()
    assert (ours.json["token_type"], ours.json["scope"]) == (theirs.json["token_type"], theirs.json["scope"])


def test_another_client_may_not_present_a_token_of_the_toolkit(toolkit: ToolkitApplication, move: Move) -> None:
    django_app.add_client(client_id="other")
    first, second = toolkit.issue_all(toolkit.add_users(2)).values()
    nuovo = Client(move(**toolkit.settings).built.app())
    theirs = toolkit.client.post("/o/token/", data={**toolkit.request(first)["data"], "client_id": "other"})
    ours = nuovo.post("/o/token/", data={**toolkit.request(second)["data"], "client_id": "other"})
    assert said(ours) == said(theirs)
    assert nuovo.post("/o/token/", **toolkit.request(second)).status_code == 200


@pytest.mark.parametrize("hashed", [True, False])
def test_a_confidential_client_shows_its_secret(toolkit: ToolkitApplication, move: Move, *, hashed: bool) -> None:
    secret = "a+secret/with=odd signs"
    client = django_app.add_client(client_id="backend", confidential=True, secret=secret, hash_client_secret=hashed)
    users = toolkit.add_users(2)
    nuovo = Client(move(**toolkit.settings).built.app())
    by_body, by_header = (django_app.issue_toolkit(user, client).token for user in users)
    form = {"grant_type": "refresh_token", "refresh_token": by_body, "client_id": "backend", "client_secret": secret}
    assert nuovo.post("/o/token/", data=form).status_code == 200
    quoted = quote_plus(secret)
    form = {"grant_type": "refresh_token", "refresh_token": by_header}
    assert nuovo.post("/o/token/", data=form, headers=basic("backend", quoted)).status_code == 200
    assert nuovo.post("/o/token/", data=form, headers=basic("backend", "wrong")).status_code == 401


def test_other_grants_are_left_to_the_old_application(toolkit: ToolkitApplication, move: Move) -> None:
    """By a header that nginx follows to a location of its own, with the body as it came."""
    nuovo = Client(move(**toolkit.settings, ADOPT_OAUTH_TOOLKIT_OTHER_GRANTS="@old").built.app())
    answer = nuovo.post("/o/token/", data={"grant_type": "authorization_code", "code": "x"})
    assert answer.headers["X-Accel-Redirect"] == "@old"
    assert "X-Accel-Redirect" not in nuovo.post("/o/token/", data={"grant_type": "refresh_token"}).headers
