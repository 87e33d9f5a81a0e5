"""The runbook, lived through: what `docs/operations.md` says is done, and nobody honest is logged out by it."""

import base64
import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.deploy.page import BLOCK, BLOCKS, PAGE, without_users
from tests.deploy.programs import program, run
from tests.deploy.stage import GRACE, Machine, Stage
from tests.e2e.client import Answer, Client
from tests.e2e.server import SCRIPTS, Nuovo, wait_for

USERS = [f"user{number}" for number in range(12)]
MIGRATION = '''"""What a next version might add."""


def up(migrator, db):
    """Add a column that may be empty: the version before does not know it."""
    db.execute_sql('ALTER TABLE nuovo_sessions ADD COLUMN note VARCHAR(9)')
'''


class Runbook:
    """The page's commands, each of which is to be run."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.done: set[str] = set()

    def __call__(self, name: str, machine: str = "a", **variables: str) -> str:
        self.done.add(name)
        return self._stage.run(BLOCKS[name], machine, **variables)

    def everywhere(self, name: str, **variables: str) -> list[str]:
        """Run commands on each machine, one after the other."""
        return [self(name, machine, **variables) for machine in self._stage.machines]


class Crowd:
    """Honest users, each with a session that they keep using."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.tokens: dict[str, str] = {}
        self.access_tokens: list[str] = []
        """Those of the last round."""

    def sign_in(self, *users: str) -> None:
        with self._stage.inner() as client:
            for user in users:
                answer = client.sign_in(self._stage.credential, user)
                assert answer.status == 201
                self.tokens[user] = answer.refresh_token

    def refresh(self) -> None:
        """Refresh each session once, and be sure that nobody is logged out."""
        self.access_tokens.clear()
        for user in list(self.tokens):
            answer = self.once(user)
            assert answer.status == 200, (user, answer.body)
            self.tokens[user] = answer.refresh_token
            self.access_tokens.append(answer.access_token)

    def once(self, user: str) -> Answer:
        with self._stage.client() as client:
            return client.refresh(self.tokens[user])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    for name in ("prometheus", "nginx", "psql", "jq", "curl", "bash"):
        program(name)
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


def test_every_command_of_the_page_is_marked() -> None:
    assert PAGE.count("```sh") == len(BLOCKS) == len(BLOCK.findall(PAGE))


def test_a_production_from_its_start_to_a_restored_backup(stage: Stage) -> None:
    """Brought up, watched, attacked, given another key, upgraded, cut off from its database, and restored."""
    runbook, crowd = Runbook(stage), Crowd(stage)
    bring_up(stage, runbook)
    crowd.sign_in(*USERS)
    crowd.refresh()
    assert stage.firing() == set()

    catch_a_thief(stage, runbook, crowd)
    turn_away_forgers(stage, runbook)
    crowd.refresh()
    change_the_key(stage, runbook, crowd)
    for _ in range(2):
        change_the_access_key(stage, runbook, crowd)
    upgrade(stage, runbook, crowd)
    lose_the_database(stage, runbook, crowd)
    lose_an_instance(stage, runbook, crowd)
    restore(stage, runbook, crowd)
    look_around(runbook)
    with_systemd = {name for name in BLOCKS if name.startswith("install")}
    assert runbook.done | with_systemd | {"backup-sqlite", "restore-sqlite", "end-everybody"} == set(BLOCKS)


def bring_up(stage: Stage, runbook: Runbook) -> None:
    said = runbook.everywhere("start")
    assert "Applied 0001_sessions." in said[0]
    assert "Nothing to do: the database is up to date." in said[1]
    for user in (*USERS, "victim", "leaver"):
        stage.run(f"nuovo users add {user}")
    wait_for("both instances in Prometheus", lambda: stage.targets_up() == len(stage.machines))


def catch_a_thief(stage: Stage, runbook: Runbook, crowd: Crowd) -> None:
    """Superseded tokens are presented: the alert fires, and the runbook finds whose they were."""
    with stage.inner() as inner:
        stolen = [inner.sign_in(stage.credential, "victim").refresh_token for _ in range(6)]
    current = list(stolen)
    for _ in range(2):
        with stage.client() as client:
            current = [client.refresh(token).refresh_token for token in current]
        time.sleep(GRACE + 1.1)
    with stage.client() as client:
        assert [client.refresh(token).status for token in stolen] == [401] * 6
        assert [client.refresh(token).status for token in current] == [401] * 6
    wait_for("the alert", lambda: "NuovoReuse" in stage.firing())
    assert "firing\tNuovoReuse\t" in runbook("alerts")

    lines = [line.split("\t") for line in runbook("reuse").splitlines()]
    assert [(user, client) for _, user, _, client in lines] == [("victim", "127.0.0.1")] * 6
    assert "All sessions of victim are over; 0 were live." in runbook("end-user", USER_ID="victim")
    crowd.refresh()


def turn_away_forgers(stage: Stage, runbook: Runbook) -> None:
    """Signatures and credentials that are made up."""
    with stage.inner() as inner:
        head, payload, signature = inner.sign_in(stage.credential, "victim").refresh_token.split(".")
        for _ in range(7):
            assert inner.sign_in("a-guess-that-is-wrong", "victim").status == 401
    forged = f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    with stage.client() as client:
        assert {client.refresh(forged).status for _ in range(15)} == {401}
    wait_for("both alerts", lambda: {"NuovoForgedTokens", "NuovoServiceCredentialRefused"} <= stage.firing())
    assert re.search(r"^ *15 bad_signature\t127\.0\.0\.1$", runbook("forged"), re.MULTILINE)
    assert re.search(r"^ *7 127\.0\.0\.1$", runbook("credentials"), re.MULTILINE)


def change_the_key(stage: Stage, runbook: Runbook, crowd: Crowd) -> None:
    """Each machine takes each step alone, and all the time everybody is served by both."""
    before = set(map(header_of, crowd.tokens.values()))
    new = runbook("key-make").strip()
    for step in ("key-know", "key-sign"):
        for machine in stage.machines:
            runbook(step, machine, NEW=new)
            crowd.refresh()
            crowd.refresh()
    time.sleep(GRACE + 1.1)
    crowd.refresh()
    after = set(map(header_of, crowd.tokens.values()))
    assert not before & after
    runbook.everywhere("key-forget")
    crowd.refresh()
    fingerprints = [said.split()[-2:] for said in runbook.everywhere("differ")]
    assert fingerprints[0] == fingerprints[1]


def change_the_access_key(stage: Stage, runbook: Runbook, crowd: Crowd) -> None:
    """Each machine takes each step alone; whoever verifies knows every key that signs, from the step before."""
    by_secret = set(map(header_of, crowd.tokens.values()))
    runbook("access-key-make")
    for name in ("access-next.pem", "access-next-public.pem"):
        shutil.copy(stage.machines["a"].folder / name, stage.machines["b"].folder)
    for step in ("access-key-publish", "access-key-sign", "access-key-forget"):
        known = published(stage)
        for machine in stage.machines:
            runbook(step, machine)
            crowd.refresh()
            crowd.refresh()
            assert {kid for kid in map(header_of, crowd.access_tokens) if kid not in by_secret} <= known
        with stage.client() as client:
            assert client.get("/sessions", crowd.access_tokens[-1]).status == 200
    assert published(stage) == {header_of(crowd.access_tokens[-1])}


def published(stage: Stage) -> set[str]:
    """Return the names of the keys that every machine publishes."""
    names = []
    for machine in stage.machines.values():
        with Client(machine.url) as client:
            names.append({key["kid"] for key in json.loads(client.get("/.well-known/jwks.json").body)["keys"]})
    return set.intersection(*names)


def header_of(token: str) -> str:
    kid: str = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))["kid"]
    return kid


def upgrade(stage: Stage, runbook: Runbook, crowd: Crowd) -> None:
    """To a version that has a migration more, and back: mixed versions serve the same sessions."""
    following = stage.folder / "next"
    for package in ("domain", "ports", "infrastructure", "entrypoints"):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        shutil.copytree(Path(spec.origin).parent, following / package, ignore=shutil.ignore_patterns("__pycache__"))
    (following / "infrastructure/peewee/migrations/0002_note.py").write_text(MIGRATION, encoding="utf-8")

    crowd.refresh()
    assert "Applied 0002_note." in runbook("upgrade-migrate", PYTHONPATH=str(following))
    crowd.refresh()  # by the version before, on the form of the next one
    for name in stage.machines:
        move_to(stage, runbook, name, following)
        crowd.refresh()
        crowd.refresh()
    for name in stage.machines:
        move_to(stage, runbook, name, None)
        crowd.refresh()


def move_to(stage: Stage, runbook: Runbook, name: str, version: Path | None) -> None:
    """Restart a machine with another version installed, as somebody signs in and refreshes through the others."""
    machine = stage.machines[name]
    if version is None:
        machine.environment.pop("PYTHONPATH")
    else:
        machine.environment["PYTHONPATH"] = str(version)
    runbook("upgrade-restart", name)
    loaded = stage.run('python3 -c "import entrypoints; print(entrypoints.__file__)"', name, **path_of(machine))
    assert (version is None) or loaded.startswith(str(version))


def path_of(machine: Machine) -> dict[str, str]:
    return {name: value for name, value in machine.environment.items() if name == "PYTHONPATH"}


def lose_the_database(stage: Stage, runbook: Runbook, crowd: Crowd) -> None:
    """PostgreSQL is stopped: 503 and not one 401, and everybody goes on when it is back, without a restart."""
    before = {name: machine.worker_pids for name, machine in stage.machines.items()}
    stage.postgres.stop()
    for user in USERS[:4]:
        answer = crowd.once(user)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "the server refuses connections" in runbook("unavailable")
    stage.postgres.start()
    for machine in stage.machines.values():
        machine.await_ok("/health/ready")
    crowd.refresh()
    assert {name: machine.worker_pids for name, machine in stage.machines.items()} == before


def lose_an_instance(stage: Stage, runbook: Runbook, crowd: Crowd) -> None:
    """One is killed with all of its processes; nginx asks the other, and the runbook brings it back."""
    stage.machines["b"].kill()
    crowd.refresh()
    wait_for("Prometheus to notice", lambda: stage.targets_up() == 1)
    assert "is ready." in runbook("down", "b")
    crowd.refresh()


def restore(stage: Stage, runbook: Runbook, crowd: Crowd) -> None:
    """Put back a backup that is older than what everybody holds, and than a logout, which alone is ended again."""
    crowd.sign_in("leaver")
    crowd.refresh()
    runbook("backup")
    backup_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    with stage.client() as client:
        assert client.log_out(crowd.tokens["leaver"]).status == 200
    left = crowd.tokens.pop("leaver")
    stage.run("nuovo users add latecomer")
    crowd.sign_in("latecomer")
    for _ in range(2):
        time.sleep(GRACE + 1.1)
        crowd.refresh()

    for name in stage.machines:
        stage.run("systemctl stop nuovo", name)
    runbook("restore")
    stage.run("nuovo users add latecomer")  # the application's users are not Nuovo's to restore
    assert "All sessions of leaver are over; 1 were live." in runbook("end-again", BACKUP_AT=backup_at)
    for name in stage.machines:
        stage.run("systemctl start nuovo", name)
    wait_for("both instances in Prometheus", lambda: stage.targets_up() == len(stage.machines))

    crowd.refresh()
    with stage.client() as client:
        assert client.refresh(left).status == 401
    wait_for("the alert", lambda: "NuovoHealing" in stage.firing())
    healed = json.loads(runbook("healing"))
    assert healed["sessions"] == len(crowd.tokens)
    assert healed["rotations"] >= healed["sessions"]


def look_around(runbook: Runbook) -> None:
    """Look at what there is: it does no harm."""
    assert json.loads(runbook("purge")) == {"removed": 0}
    assert (
        len(
            re.findall(
                r"^(?:http_request|database_statement): 99 of 100 within [0-9.e-]+ s$", runbook("slow"), re.MULTILINE
            )
        )
        == 2
    )
    assert "pid" in runbook("waits")
    events = [json.loads(line)[1:4] for line in runbook("user", USER_ID="victim").splitlines()]
    assert events.count(["session_ended", "reuse", "nuovo"]) == 6


class SqliteMachine:
    """One machine, whose database is a file."""

    def __init__(self, folder: Path) -> None:
        program("sqlite3")
        self.database = folder / "nuovo.sqlite3"
        self.backups = folder / "backups"
        self.backups.mkdir()
        self.nuovo = Nuovo(folder, f"sqlite:///{self.database}", environment={"NUOVO_REPLAY_GRACE": "0"}).prepare()

    def do(self, name: str) -> None:
        """Run the runbook's commands, with the settings in the environment."""
        environment = {**self.nuovo.environment, "DATABASE": str(self.database)}
        environment["PATH"] = f"{SCRIPTS}:{environment['PATH']}"
        commands = without_users(BLOCKS[name]).replace("/var/backups/nuovo", str(self.backups))
        run("bash", "-euo", "pipefail", "-c", commands, folder=self.nuovo.folder, environment=environment)


@pytest.mark.parametrize("everybody", [False, True], ids=["nobody ended", "everybody ended"])
def test_a_restored_file(tmp_path: Path, *, everybody: bool) -> None:
    """What went on goes on, and what was ended lives again; unless everybody's sessions are ended."""
    machine = SqliteMachine(tmp_path)
    nuovo = machine.nuovo
    with nuovo, Client(nuovo.url) as client:
        kept, ended = (client.sign_in(nuovo.service_credential, "ada").refresh_token for _ in range(2))
        machine.do("backup-sqlite")
        client.log_out(ended)
        for _ in range(3):
            kept = client.refresh(kept).refresh_token
        lost = client.sign_in(nuovo.service_credential, "ada").refresh_token
        assert nuovo.stop() == 0
        machine.do("restore-sqlite")
        if everybody:
            machine.do("end-everybody")
        nuovo.start()
    with nuovo, Client(nuovo.url) as client:
        expected = 401 if everybody else 200
        assert [client.refresh(token).status for token in (kept, ended, lost)] == [expected] * 3
        assert client.sign_in(nuovo.service_credential, "ada").status == 201
        later = client.sign_in(nuovo.service_credential, "ada").refresh_token
        assert client.refresh(later).status == 200
