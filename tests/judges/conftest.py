"""Clients and resource servers that nobody here wrote, in front of the real service."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.e2e.nginx import program as nginx
from tests.e2e.server import clean_environment
from tests.judges.authority import Authority
from tests.left_out import LeftOut

# They have an environment of their own (`tox -e judges`); in every other one there is nothing here to collect.
collect_ignore_glob = [] if find_spec("trustme") else ["test_*.py"]

PROGRAMS = Path(__file__).with_name("programs")
_MIN_NODE = 20


def _node() -> str | None:
    """Return Node.js of a version that can be used here, or `None`."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, encoding="ascii").stdout
    return node if int(version.lstrip("v").partition(".")[0]) >= _MIN_NODE else None


def _absent() -> dict[str, str]:
    """Return the fixtures that cannot be had here, each with the reason."""
    no_node = None if _node() else f"no Node.js {_MIN_NODE} with npm here"
    reasons = {
        "authority": None if nginx() else "no nginx here",
        "node_modules": no_node,
        "node": no_node,
    }
    return {fixture: reason for fixture, reason in reasons.items() if reason}


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LeftOut(Path(__file__).parent, _absent()))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Return a certificate for `localhost`, its key, and the certificate of the authority that signed it."""
    import trustme  # noqa: PLC0415  here it is sure to be there

    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "certificate.pem", folder / "certificate.key", folder / "authority.pem"
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    paths[0].write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    paths[1].write_bytes(issued.private_key_pem.bytes())
    paths[2].write_bytes(authority.cert_pem.bytes())
    return paths


@pytest.fixture(scope="session")
def establish(
    certificates: tuple[Path, Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Authority]]:
    """Start a service of its own, with settings and with other things replaced in nginx's configuration."""
    started: list[Authority] = []

    def start(settings: Mapping[str, str] | None = None, replaced: Mapping[str, str] | None = None) -> Authority:
        folder = tmp_path_factory.mktemp("authority")
        authority = Authority(
            folder, tls=certificates[:2], trust=certificates[2], settings=settings or {}, replaced=replaced
        )
        authority.run("migrate").check_returncode()
        started.append(authority.start())
        return authority

    yield start
    for authority in started:
        authority.kill()


@pytest.fixture(scope="session")
def authority(establish: Callable[..., Authority]) -> Authority:
    """Return a running service that tests share and leave running."""
    return establish()


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the pinned packages of npm, which nothing but these tests uses."""
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(Path(__file__).with_name(name), folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        pytest.skip(f"npm could not install: {done.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture
def sources(node_modules: Path, request: pytest.FixtureRequest) -> Path:
    """Make an empty folder in which packages of npm are found."""
    folder = node_modules / "sources" / "".join(c if c.isalnum() else "-" for c in request.node.name)
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def run_program(authority: Authority, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Run a judge of `programs` to its end; keywords are its environment. Fails with what it said."""

    def run(name: str, **environment: str) -> None:
        if name.endswith(".mjs"):
            folder = request.getfixturevalue("sources")
            shutil.copy(PROGRAMS / name, folder)
            command = ["node", str(folder / name)]
        else:
            command = [sys.executable, "-W", "error", str(PROGRAMS / name)]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=clean_environment() | authority.environment_of_others() | environment,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1:] == ["done"], "it ended before its end"

    return run
