"""The command line over fakes."""

from collections.abc import Callable, Mapping

import click
import orjson
import pytest
from click.testing import CliRunner, Result

from domain.model.errors import StoreUnavailableError
from entrypoints.cli.app import create_cli
from entrypoints.cli.keys import keys_group
from entrypoints.cli.operations import Operations
from infrastructure.authlib.keys import generate_private_key, public_half
from ports.transfer import Transfer
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.fakes.transfer import FakeTransfer

Nuovo = Callable[..., Result]
SETTINGS = [("NUOVO_SECRET_KEY", "…"), ("NUOVO_REPLAY_GRACE", "30")]


class Opener:
    """What a composition root gives to the command line, over a `FakeService`."""

    def __init__(self, service: FakeService) -> None:
        self.service = service
        assert isinstance(service.sessions, FakeSessions)
        self.transfer: Transfer = FakeTransfer(service.sessions)
        self.problems: list[str] = []
        self.migrations = ["0001_sessions"]
        self.trouble: str | None = None
        self.elsewhere: dict[str, Opener] = {}
        """The other databases that there are, by URL."""
        self.reads_directory = True
        self.speaks_dpop = True
        self.public_keys: Mapping[str, object] = {"keys": []}

    def __call__(self, environment: Mapping[str, str] | None) -> tuple[Operations, list[tuple[str, str]]]:
        if self.problems:
            raise click.ClickException("\n".join(self.problems))
        service = self.service
        operations = Operations(
            service=service,
            clock=service.clock,
            sessions=service.sessions,
            transfer=self.transfer,
            users=service.users,
            directory=service.users,
            reads_directory=self.reads_directory,
            speaks_dpop=self.speaks_dpop,
            migrate=self._migrate,
            check_ready=self._check_ready,
            elsewhere=self._elsewhere,
            describe=self._describe,
            public_keys=self.public_keys,
        )
        return operations, SETTINGS

    def _elsewhere(self, url: str) -> Operations:
        if url not in self.elsewhere:
            raise ValueError("NUOVO_DATABASE_URL must begin with sqlite:/// or postgresql://")
        return self.elsewhere[url](None)[0]

    def _migrate(self) -> list[str]:
        self._check_ready()
        applied, self.migrations = self.migrations, []
        return applied

    def _describe(self) -> list[str]:
        self._check_ready()
        return ["No column decides who is active: every user is."]

    def _check_ready(self) -> None:
        if self.trouble is not None:
            raise StoreUnavailableError(self.trouble)


@pytest.fixture
def opener(service: FakeService) -> Opener:
    return Opener(service)


@pytest.fixture
def nuovo(opener: Opener) -> Nuovo:
    """Return `nuovo` as a function of its arguments."""

    def run(*arguments: str, stdin: str = "") -> Result:
        keys = keys_group(generate=generate_private_key, public_half=public_half)
        result = CliRunner().invoke(create_cli(opener, keys=keys), arguments, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def json_of(result: Result) -> object:
    """Return the one JSON value, on one line, that a successful command printed and nothing else."""
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("\n")
    assert result.stdout.count("\n") == 1
    return orjson.loads(result.stdout)
