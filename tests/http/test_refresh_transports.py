"""How a refresh token comes and goes: by header, or by a cookie that no script sees."""

from collections.abc import Callable

import pytest
from falcon.testing import Result, TestClient

from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from entrypoints.http.refresh_cookie import RefreshCookie
from tests.fakes.service import FakeService
from tests.http.contract import (
    AMBIGUOUS,
    CLEARED_COOKIE,
    COOKIE,
    INVALID,
    MISSING,
    USER_NOT_FOUND,
    bearer,
    by_cookie,
    refresh_token_of,
    without_rotation,
)

REFRESH_TTL = SessionPolicy().refresh_token_ttl


def refresh(client: TestClient, headers: dict[str, str]) -> Result:
    return client.simulate_post("/refresh_token", headers=headers)


def refresh_with_raw_cookie(client: TestClient, cookie: str) -> Result:
    """Send `cookie` as a server hands it on; the client would strip more than servers do."""
    return client.simulate_post(
        "/refresh_token", headers={"Sec-Fetch-Site": "same-origin"}, extras={"HTTP_COOKIE": cookie}
    )


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_read_in_any_case(client: TestClient, pair: TokenPair, scheme: str) -> None:
    assert refresh(client, {"Authorization": f"{scheme} {refresh_token_of(pair)}"}).status_code == 200


@pytest.mark.parametrize("space", ["  ", "    "])
def test_more_spaces_between_scheme_and_token(client: TestClient, pair: TokenPair, space: str) -> None:
    assert refresh(client, {"Authorization": f"Bearer{space}{refresh_token_of(pair)}{space}"}).status_code == 200


def test_a_token_by_cookie_goes_back_by_cookie_alone(client: TestClient, pair: TokenPair, service: FakeService) -> None:
    answer = refresh(client, by_cookie(refresh_token_of(pair)))
    assert answer.status_code == 200
    assert list(answer.json["data"]) == ["access_token"]
    token = answer.cookies[COOKIE].value
    assert answer.headers["Set-Cookie"] == (
        f"{COOKIE}={token}; Max-Age={REFRESH_TTL}; Path=/; HttpOnly; Secure; SameSite=Strict"
    )
    assert service.tokens.read_refresh_token(token).generation == 2
    assert token not in answer.text


def test_a_token_by_header_sets_no_cookie(client: TestClient, pair: TokenPair) -> None:
    answer = refresh(client, bearer(refresh_token_of(pair)))
    assert "refresh_token" in answer.json["data"]
    assert "Set-Cookie" not in answer.headers


def test_without_rotation_the_cookie_stays_as_it_is(
    make_client: Callable[..., TestClient], service: FakeService, pair: TokenPair
) -> None:
    without_rotation(service)
    answer = refresh(make_client(), by_cookie(refresh_token_of(pair)))
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_a_replayed_cookie_lives_no_longer_than_its_token(
    client: TestClient, service: FakeService, pair: TokenPair
) -> None:
    """A replay gives the current token, issued earlier: `Max-Age` is what is left of its life."""
    refresh(client, by_cookie(refresh_token_of(pair)))
    service.clock.advance(20)
    answer = refresh(client, by_cookie(refresh_token_of(pair)))
    assert answer.cookies[COOKIE].max_age == REFRESH_TTL - 20


def test_a_header_wins_over_a_cookie(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    other = service.sign_in("bob")
    answer = refresh(client, by_cookie(refresh_token_of(pair)) | bearer(refresh_token_of(other)))
    assert service.tokens.read_access_token(answer.json["data"]["access_token"]).user_id == "bob"
    assert "Set-Cookie" not in answer.headers


def test_a_bad_header_is_not_rescued_by_a_good_cookie(client: TestClient, pair: TokenPair) -> None:
    """Nor does its refusal touch the cookie, which was not asked."""
    answer = refresh(client, by_cookie(refresh_token_of(pair)) | bearer("nonsense"))
    assert answer.content == INVALID
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("authorization", ["Basic YWRhOmFkYQ==", "Bearer", "Bearer  ", ""])
def test_a_header_without_a_bearer_token_leaves_the_cookie_its_say(
    client: TestClient, pair: TokenPair, authorization: str
) -> None:
    """A proxy in front may ask for credentials of its own."""
    answer = refresh(client, by_cookie(refresh_token_of(pair)) | {"Authorization": authorization})
    assert answer.status_code == 200


def test_a_header_needs_no_proof_of_its_site(client: TestClient, pair: TokenPair) -> None:
    """No browser adds it by itself."""
    answer = refresh(
        client, bearer(refresh_token_of(pair)) | {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    )
    assert answer.status_code == 200


def test_a_401_clears_the_cookie_with_every_attribute(client: TestClient) -> None:
    """A browser forgets a `__Host-` cookie only if `Secure` and `Path=/` are repeated."""
    assert refresh(client, by_cookie("nonsense")).headers["Set-Cookie"] == CLEARED_COOKIE


def test_an_expired_cookie_is_cleared(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    service.clock.advance(REFRESH_TTL)
    assert refresh(client, by_cookie(refresh_token_of(pair))).headers["Set-Cookie"] == CLEARED_COOKIE


def test_a_404_leaves_the_cookie_alone(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """A refusal other than 401 never touches it: the user may be back in a moment."""
    service.users.remove("ada")
    answer = refresh(client, by_cookie(refresh_token_of(pair)))
    assert answer.content == USER_NOT_FOUND
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("cookie", ["", f"{COOKIE}=", f"{COOKIE}", "theme=dark", f"{COOKIE}= ", f"x{COOKIE}=a"])
def test_no_cookie_of_this_name_is_a_missing_token(client: TestClient, cookie: str) -> None:
    answer = refresh(client, {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"})
    assert answer.content == MISSING
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "header",
    ["{0}={1}; {0}={2}", "{0}={2}; {0}={1}", "{0}={1};{0}={1}", "{0}={1}; theme=dark; {0}=", "{0}=; {0}={1}"],
    ids=["good_first", "good_last", "twice_the_same", "empty_last", "empty_first"],
)
def test_two_cookies_of_the_name_are_ambiguous(client: TestClient, pair: TokenPair, header: str) -> None:
    """One may have been planted from a sibling host, so neither is believed, and neither is cleared."""
    cookie = header.format(COOKIE, refresh_token_of(pair), "planted")
    answer = refresh(client, {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.content) == (400, AMBIGUOUS)
    assert "Set-Cookie" not in answer.headers


def test_a_header_token_is_not_ambiguous_whatever_the_cookies(client: TestClient, pair: TokenPair) -> None:
    cookie = f"{COOKIE}=a; {COOKIE}=b"
    assert refresh(client, bearer(refresh_token_of(pair)) | {"Cookie": cookie}).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        f"\xa0{COOKIE}",
        f"\x85{COOKIE}",
        f"{COOKIE}\xa0",
        f"{COOKIE}\x85",
        f"\x1c{COOKIE}",
        f"\x0b{COOKIE}",
        f"\x0c{COOKIE}",
        f"\xad{COOKIE}",
        f"\u200b{COOKIE}".encode().decode("latin-1"),
        COOKIE.lower(),
        COOKIE.upper(),
        f'"{COOKIE}"',
        f"${COOKIE}",
        COOKIE.replace("_", "%5F"),
    ],
    ids=ascii,
)
def test_a_name_that_only_resembles_the_cookies_is_another(client: TestClient, pair: TokenPair, name: str) -> None:
    """Browsers let anyone set such a name, since it has no prefix; stripped, it would pass for the real one."""
    assert refresh_with_raw_cookie(client, f"{name}={refresh_token_of(pair)}").content == MISSING


def test_a_planted_resemblance_does_not_disturb_the_real_cookie(client: TestClient, pair: TokenPair) -> None:
    cookie = f"\xa0{COOKIE}=planted; {COOKIE}={refresh_token_of(pair)}; {COOKIE}\x85=planted"
    assert refresh_with_raw_cookie(client, cookie).status_code == 200


def test_blanks_round_a_cookie_are_no_part_of_it(client: TestClient, pair: TokenPair) -> None:
    cookie = f"theme=dark;\t{COOKIE}={refresh_token_of(pair)} ;x=y"
    assert refresh(client, {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_name_path_domain_and_same_site_are_settings(make_client: Callable[..., TestClient], pair: TokenPair) -> None:
    """Setting and clearing carry the same attributes: otherwise a browser keeps what it should forget."""
    cookie = RefreshCookie(name="__Secure-rt", path="/auth", domain="example.org", same_site="Lax")
    client = make_client(cookie=cookie)
    attributes = "; Domain=example.org; Path=/auth; HttpOnly; Secure; SameSite=Lax"
    good = refresh(client, {"Cookie": f"__Secure-rt={refresh_token_of(pair)}", "Sec-Fetch-Site": "same-origin"})
    bad = refresh(client, {"Cookie": "__Secure-rt=nonsense", "Sec-Fetch-Site": "same-origin"})
    assert good.headers["Set-Cookie"].endswith(f"; Max-Age={REFRESH_TTL}{attributes}")
    assert bad.headers["Set-Cookie"] == (f"__Secure-rt=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0{attributes}")
