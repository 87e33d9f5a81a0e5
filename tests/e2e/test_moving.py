"""Moving from one store to the next while both serve: nobody is logged out, and what was ended stays ended."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import orjson
import pytest

from tests.e2e.client import Client
from tests.e2e.database import Databases
from tests.e2e.server import USER, Nuovo
from tests.stores import SERVED

MOVES = [move for move in (("sqlite", "postgres"), ("postgres", "redis")) if move[1] in SERVED]


@contextmanager
def two_services(databases: Databases, kinds: tuple[str, str], folder: Path) -> Iterator[list[Nuovo]]:
    """Start a service on each kind of store, with one signing key and one service credential."""
    with ExitStack() as stack:
        old, new = (Nuovo(folder, databases.new(kind)) for kind in kinds)
        shared = ("NUOVO_SECRET_KEY", "NUOVO_SERVICE_CREDENTIALS")
        new.environment |= {name: old.environment[name] for name in shared}
        new.service_credential = old.service_credential
        yield [stack.enter_context(each) for each in (old, new)]


@pytest.mark.parametrize("kinds", MOVES, ids="-".join)
def test_nobody_is_logged_out_by_a_move(databases: Databases, tmp_path: Path, kinds: tuple[str, str]) -> None:
    with two_services(databases, kinds, tmp_path) as (old, new):
        with Client(old.url) as at_old, Client(new.url) as at_new:
            honest, ended, early, late = (at_old.sign_in(old.service_credential, USER).refresh_token for _ in range(4))
            honest = at_old.refresh(honest).refresh_token
            assert at_old.log_out(ended).status == 200
            early = at_new.refresh(early).refresh_token  # its server has moved before anything was copied

        copied = old.run("sessions", "copy", "--to", new.environment["NUOVO_DATABASE_URL"], "--json")
        assert (copied.returncode, copied.stderr) == (0, "")
        assert orjson.loads(copied.stdout)["sessions"] == 4

        with Client(old.url) as at_old:
            late = at_old.refresh(late).refresh_token  # its server has not moved yet
            started, logged_out = (at_old.sign_in(old.service_credential, USER).refresh_token for _ in range(2))
            assert at_old.log_out(logged_out).status == 200
        assert old.run("sessions", "copy", "--to", new.environment["NUOVO_DATABASE_URL"]).returncode == 0

        with Client(new.url) as at_new:
            assert [at_new.refresh(token).status for token in (honest, early, late, started)] == [200] * 4
            assert [at_new.refresh(token).status for token in (ended, logged_out)] == [401] * 2
