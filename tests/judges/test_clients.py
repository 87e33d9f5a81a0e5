"""OAuth clients of other people, untouched, as their documentation shows them, over TLS."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.browser.how_to import write_snippet
from tests.e2e.client import Client
from tests.e2e.server import clean_environment
from tests.judges.authority import SERVICE, Authority


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("oauth4webapi.mjs", marks=pytest.mark.node),
        pytest.param("openid_client.mjs", marks=pytest.mark.node),
        "authlib_session.py",
        "requests_session.py",
        "pyjwk_client.py",
    ],
)
def test_a_client_is_content(program: str, run_program: Callable[..., None], authority: Authority) -> None:
    signed_in = authority.sign_in()
    run_program(
        program,
        ACCESS_TOKEN=signed_in.access_token,
        REFRESH_TOKEN=signed_in.refresh_token,
        SERVICE=SERVICE,
        SERVICE_SECRET=authority.service_secret,
    )


def test_what_the_page_says_of_introspection(authority: Authority, tmp_path: Path) -> None:
    script = write_snippet("introspect.sh", tmp_path, **{"reports:$REPORTS_SECRET": f"{SERVICE}:$REPORTS_SECRET"})
    signed_in = authority.sign_in()
    environment = {
        **clean_environment(),
        **authority.environment_of_others(),
        "CURL_CA_BUNDLE": str(authority.trust),
        "REPORTS_SECRET": authority.service_secret,
        "ACCESS_TOKEN": signed_in.access_token,
    }

    def told() -> dict[str, object]:
        done = subprocess.run(["bash", "-e", script], env=environment, check=True, capture_output=True)
        answer: dict[str, object] = orjson.loads(done.stdout)
        return answer

    assert told().items() >= {"active": True, "sub": "ada", "role": "admin", "iss": authority.issuer}.items()
    with Client(authority.inner_url) as client:
        assert client.log_out(signed_in.refresh_token).status == 200
    assert told() == {"active": False}
