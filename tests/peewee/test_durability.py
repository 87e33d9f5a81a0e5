"""What no later token can repair waits for the disk, whichever method writes it.

Here SQLite tells; that PostgreSQL waits, too, is in `test_pooler.py`.
"""

import pytest

from domain.model.sessions import RevocationReason
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.sessions import PeeweeSessions
from tests.fakes.clock import START
from tests.peewee.conftest import MigratedUrl
from tests.peewee.engines import Engines
from tests.peewee.methods import UNSTORED, WRITES, Method

METHODS: dict[str, Method] = WRITES | {
    "sessions.revoke nothing": lambda engine: PeeweeSessions(engine).revoke(
        UNSTORED, at=START, reason=RevocationReason.LOGOUT
    ),
    "sessions.end_everybody": lambda engine: PeeweeSessions(engine).end_everybody(started_by=START, at=START),
}
REPAIRABLE = {name for name in METHODS if "rotate" in name}
_WRITING = ("INSERT", "UPDATE", "DELETE", "WITH")


@pytest.mark.parametrize("sync_every_write", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_what_cannot_be_repaired_waits_for_the_disk(
    migrated_url_of: MigratedUrl, engines: Engines, name: str, sync_every_write: bool
) -> None:
    """A purge first writes how far it goes; the rows that it then deletes may come back."""
    engine = engines.open(migrated_url_of("sqlite"), sync_every_write=sync_every_write)

    levels = levels_of_writes(engine, METHODS[name])

    expected = "normal" if name in REPAIRABLE and not sync_every_write else "full"
    assert set(levels[:1] if name == "sessions.purge" else levels) == {expected}


def levels_of_writes(engine: Engine, method: Method) -> list[str]:
    """Call a method, and return what SQLite's `synchronous` was at each of its writes."""
    WRITES["sessions.start"](engine)
    names = {1: "normal", 2: "full"}
    level, levels = names[engine.peewee.execute_sql("PRAGMA synchronous").fetchone()[0]], []
    said: list[str] = []
    engine.peewee.connection().set_trace_callback(said.append)
    method(engine)
    for statement in said:
        if statement.startswith("PRAGMA synchronous"):
            level = statement.rpartition(" ")[2]
        elif statement.startswith(_WRITING):
            levels.append(level)
    return levels
