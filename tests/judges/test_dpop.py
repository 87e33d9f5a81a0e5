"""DPoP as other people's libraries speak it, untouched, over TLS: keys of four algorithms, nonces, a stolen token."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.how_to import write_snippet
from tests.judges.authority import SERVICE, Authority

pytestmark = pytest.mark.node


@pytest.fixture(scope="module", params=["false", "true"], ids=["bearer access tokens", "bound access tokens"])
def binding(request: pytest.FixtureRequest, establish: Callable[..., Authority]) -> tuple[Authority, str]:
    """Return a running service of each kind, and which it is."""
    return establish({"NUOVO_DPOP_ACCESS_TOKENS": request.param}), request.param


@pytest.mark.parametrize("program", ["oauth4webapi_dpop.mjs", "dpop.mjs"])
def test_a_library_is_content(program: str, run_program: Callable[..., None], binding: tuple[Authority, str]) -> None:
    authority, bound_access_tokens = binding
    run_program(
        program,
        **authority.environment_of_others(),
        INNER_URL=authority.inner_url,
        SERVICE=SERVICE,
        SERVICE_SECRET=authority.service_secret,
        BOUND_ACCESS_TOKENS=bound_access_tokens,
    )
    log = authority.log_text
    assert "key_not_proven" in log
    assert "Traceback" not in log


def test_what_the_page_says_of_clients_and_the_login_service(
    run_program: Callable[..., None], authority: Authority, sources: Path
) -> None:
    for name in ("bound-session.js", "start-bound-session.js"):
        write_snippet(name, sources)
    run_program(
        "bound_session.mjs",
        SESSION_SERVICE_URL=authority.inner_url,
        SESSION_SERVICE_CREDENTIAL=authority.service_secret,
    )
