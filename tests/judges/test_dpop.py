"""DPoP as other people's libraries speak it, untouched, over TLS: keys of four algorithms, nonces, a stolen token."""

from collections.abc import Callable

import pytest

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
