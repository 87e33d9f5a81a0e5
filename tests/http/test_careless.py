"""These tests can fail: each careless variant of the entry point is caught by the test that is named beside it."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from falcon.testing import TestClient

from domain.model.tokens import TokenPair
from domain.use_cases.start_session import SessionTerms
from entrypoints.http.cross_site import CrossSiteGuard
from entrypoints.http.errors import ErrorHandlers
from tests.fakes.dpop import FakeDPoP
from tests.fakes.service import FakeService
from tests.http import (
    test_cors,
    test_dpop,
    test_headers,
    test_oauth,
    test_refresh_transports,
    test_session_lists,
    test_trouble,
)
from tests.http.contract import ALLOWED_ORIGIN, COOKIE
from tests.http.cross_site_matrix import wrong_answers
from tests.wrong import http as careless

APP = "entrypoints.http.app"


@pytest.mark.parametrize("guard", careless.GUARDS)
def test_the_matrix_catches_a_guard(
    make_client: Callable[..., TestClient],
    service: FakeService,
    monkeypatch: pytest.MonkeyPatch,
    guard: type[CrossSiteGuard],
) -> None:
    monkeypatch.setattr(f"{APP}.CrossSiteGuard", guard)
    client = make_client(allowed_origins=[ALLOWED_ORIGIN])
    assert any(wrong_answers(client, lambda: service.sign_in("ada")))


def two_cookies(client: TestClient, pair: TokenPair) -> None:
    header = "{0}={1}; {0}={2}"
    test_refresh_transports.test_two_cookies_of_the_name_are_ambiguous(client, pair, header)


def resembling_name(client: TestClient, pair: TokenPair) -> None:
    test_refresh_transports.test_a_name_that_only_resembles_the_cookies_is_another(client, pair, f"\xa0{COOKIE}")


def clearing(client: TestClient, _pair: TokenPair) -> None:
    test_refresh_transports.test_a_401_clears_the_cookie_with_every_attribute(client)


@pytest.mark.parametrize(
    ("cookie", "caught_by"),
    [
        (careless.TakesTheFirstCookie, two_cookies),
        (careless.ReadsCookiesWithFalcon, resembling_name),
        (careless.ClearsWithFalcon, clearing),
    ],
)
def test_a_cookie_is_caught(
    make_client: Callable[..., TestClient], pair: TokenPair, cookie: type[Any], caught_by: Callable[..., None]
) -> None:
    with pytest.raises((AssertionError, KeyError)):
        caught_by(make_client(cookie=cookie()), pair)


def hostile_origin(client: TestClient, service: FakeService) -> None:
    for origin in test_cors.HOSTILE_ORIGINS:
        test_cors.test_any_other_origin_may_read_nothing(client, service, origin)


def errors_read(client: TestClient, _service: FakeService) -> None:
    test_cors.test_errors_too_may_be_read(client, "POST", "/refresh_token", 401)


def varying(client: TestClient, _service: FakeService) -> None:
    test_cors.test_an_answer_varies_even_without_an_origin(client, "GET", "/health/live")


@pytest.mark.parametrize(
    ("cors", "caught_by"),
    [
        (careless.ReflectsOrigins, hostile_origin),
        (careless.LooksForOriginsInside, hostile_origin),
        (careless.ForgetsErrors, errors_read),
        (careless.ForgetsVary, varying),
    ],
)
def test_cors_is_caught(
    make_client: Callable[..., TestClient],
    service: FakeService,
    monkeypatch: pytest.MonkeyPatch,
    cors: type[Any],
    caught_by: Callable[..., None],
) -> None:
    monkeypatch.setattr(f"{APP}.Cors", cors)
    with pytest.raises((AssertionError, KeyError)):
        caught_by(make_client(allowed_origins=[ALLOWED_ORIGIN]), service)


HANDLERS: dict[type[ErrorHandlers], Callable[..., None]] = {
    careless.ClearsOnEveryRefusal: test_trouble.test_a_store_in_trouble_is_503,
    careless.TellsWhatWentWrong: test_trouble.test_a_defect_is_500,
}


@pytest.mark.parametrize("handlers", HANDLERS)
def test_an_error_handler_is_caught(
    make_client: Callable[..., TestClient],
    service: FakeService,
    log_lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    handlers: type[ErrorHandlers],
) -> None:
    monkeypatch.setattr(f"{APP}.ErrorHandlers", handlers)
    (by_cookie,) = [each for each in test_trouble.ENDPOINTS if str(each) == "POST /refresh_token with_cookie"]
    with pytest.raises(AssertionError):
        HANDLERS[handlers](make_client, service, log_lines, by_cookie)


def test_a_path_that_comes_back_is_caught(
    make_client: Callable[..., TestClient], pair: TokenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{APP}.ErrorHandlers", careless.RepeatsThePath)
    with pytest.raises(AssertionError):
        test_headers.test_no_path_comes_back(make_client(), pair, "/CaNaRy")


def test_a_request_id_that_comes_back_is_caught(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{APP}._REQUEST_ID", re.compile(r".+", re.DOTALL))
    with pytest.raises(AssertionError):
        test_headers.test_a_hostile_request_id_is_replaced(client, "<script>")


def test_trouble_that_becomes_a_grant_is_caught(
    make_client: Callable[..., TestClient], service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{APP}.ErrorHandlers", careless.MakesTroubleAGrant)
    with pytest.raises((AssertionError, KeyError)):
        test_oauth.test_trouble_stays_trouble(make_client, service, "/oauth/token")


def test_a_query_that_is_read_leniently_is_caught(
    client: TestClient, pair: TokenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.http.own_sessions.read_query", careless.reads_known_parameters)
    with pytest.raises(AssertionError):
        test_session_lists.test_nobody_signs_out_everywhere_by_a_slip(client, pair, "expect=current")


def no_cookie(client: TestClient, pair: TokenPair) -> None:
    test_oauth.test_no_cookie_is_accepted(client, pair, "cross-site")


def no_address(client: TestClient, pair: TokenPair) -> None:
    test_oauth.test_nothing_is_read_from_the_address(client, pair, "/oauth/token")


OAUTH_READERS = {careless.reads_cookies_too: no_cookie, careless.reads_the_address_too: no_address}


@pytest.mark.parametrize("reader", OAUTH_READERS)
def test_an_oauth_endpoint_that_looks_elsewhere_is_caught(
    client: TestClient, pair: TokenPair, monkeypatch: pytest.MonkeyPatch, reader: Callable[..., dict[str, str]]
) -> None:
    monkeypatch.setattr("entrypoints.http.oauth.token.read_public_client_parameters", reader)
    with pytest.raises((AssertionError, KeyError)):
        OAUTH_READERS[reader](client, pair)


def bad_proof(client: TestClient, service: FakeService, dpop: FakeDPoP) -> None:
    test_dpop.test_a_bad_proof_is_refused_whether_or_not_one_is_asked_for(client, service, dpop, "nonsense")


def bound_access(client: TestClient, service: FakeService, dpop: FakeDPoP) -> None:
    test_dpop.test_a_bound_access_token_is_taken_with_its_proof_alone(client, service, dpop, "GET", "/sessions")


def told_nonce(client: TestClient, service: FakeService, dpop: FakeDPoP) -> None:
    bound = service.sign_in("ada", SessionTerms(key_thumbprint=test_dpop.KEY))
    test_dpop.test_a_proof_without_a_nonce_is_told_which_to_use(client, dpop, bound)


PROVERS: list[tuple[str, type[Any], Callable[..., None]]] = [
    ("KeyProofs", careless.IgnoresBadProofs, bad_proof),
    ("KeyProofs", careless.ForgetsTheAccessToken, bound_access),
    ("KeyProofs", careless.LooksForTheHeaderAlone, bound_access),
    ("AccessTokenCredential", careless.ProvesBearerTokens, bound_access),
    ("DPoPChallenges", careless.KeepsNoncesToItself, told_nonce),
    ("DPoPChallenges", careless.ChallengesForBearers, told_nonce),
]


@pytest.mark.parametrize("prover", PROVERS, ids=lambda prover: prover[1].__name__)
def test_a_careless_look_at_proofs_is_caught(
    make_client: Callable[..., TestClient],
    service: FakeService,
    monkeypatch: pytest.MonkeyPatch,
    prover: tuple[str, type[Any], Callable[..., None]],
) -> None:
    name, variant, caught_by = prover
    dpop = FakeDPoP(service.clock)
    service.policy = replace(service.policy, bound_access_tokens=True)
    caught_by(make_client(dpop=dpop), service, dpop)
    monkeypatch.setattr(f"{APP}.{name}", variant)
    service.log.events.clear()
    with pytest.raises((AssertionError, KeyError)):
        caught_by(make_client(dpop=dpop), service, dpop)
