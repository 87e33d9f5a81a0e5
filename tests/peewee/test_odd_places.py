"""Nuovo installed in odd places, and SQLite files in them: found, migrated, and readable by nobody else."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import infrastructure
from domain.model.errors import StoreUnavailableError
from domain.model.users import User
from infrastructure.peewee import schema as schema_module
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.users import PeeweeUserDirectory
from tests.peewee.engines import Engines

PACKAGES = Path(infrastructure.__file__).parent.parent
ODD_NAMES = ["venv[x]", "venv*", "v?nv", "{a,b}", "two words", "~", "Ad\u00e9", "%41", "-rf", "a'b\"c", "[!0]", "#"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_migrations_are_found_wherever_they_are(
    tmp_path: Path, engines: Engines, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With `glob` a path with `[` held none, and `migrate` said that the database was up to date."""
    folder = tmp_path / name / "migrations"
    shutil.copytree(schema_module._DIRECTORY, folder)
    (folder / "notes.txt").write_text("no migration", encoding="utf-8")
    (folder / "__init__.py").touch()
    monkeypatch.setattr(schema_module, "_DIRECTORY", folder)
    engine = engines.open(f"sqlite:///{tmp_path}/nuovo.sqlite3")

    assert Schema(engine).migrate() == ["0001_sessions"]
    assert Schema(engine).pending() == []


@pytest.mark.parametrize("name", ODD_NAMES[:3])
def test_the_command_works_from_a_copy_in_an_odd_place(tmp_path: Path, name: str) -> None:
    site = tmp_path / name
    for package in ("domain", "ports", "infrastructure", "entrypoints"):
        shutil.copytree(PACKAGES / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(site),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUOVO_SECRET_KEY": "b0Yt7-9dq2Zz8T4rWmVn3kXc6LpJfHsA5eGuQyEiRoM",
    }
    nuovo = [sys.executable, "-c", "from entrypoints.main import main; main()"]
    for command, said in (("migrate", "Applied 0001_sessions."), ("check", "the database is ready")):
        ended = subprocess.run([*nuovo, command], cwd=tmp_path, env=environment, capture_output=True, check=True)
        assert said in ended.stdout.decode()


def test_an_installation_without_migrations_is_not_up_to_date(
    database_url: str, tmp_path: Path, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_module, "_DIRECTORY", tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    schema = Schema(engines.open(database_url))

    for ask in (schema.migrate, schema.pending):
        with pytest.raises(StoreUnavailableError, match="this installation has no migrations"):
            ask()
    (tmp_path / "empty").rmdir()
    for ask in (schema.migrate, schema.pending):
        with pytest.raises(StoreUnavailableError, match="this installation has no migrations"):
            ask()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_file_is_its_owners_alone(tmp_path: Path, engines: Engines, umask: int) -> None:
    """And so are its companions: whoever can read them knows who has sessions."""
    before = os.umask(umask)
    try:
        write_to(engines, tmp_path / "nuovo.sqlite3")
    finally:
        os.umask(before)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("nuovo.sqlite3", "nuovo.sqlite3-wal", "nuovo.sqlite3-shm"), 0o600)


def test_a_new_file_behind_a_link_is_its_owners_alone(tmp_path: Path, engines: Engines) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_to(engines, tmp_path / "link")

    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path, engines: Engines) -> None:
    """An operator who lets a group read it has decided so."""
    (tmp_path / "nuovo.sqlite3").touch(0o640)
    (tmp_path / "nuovo.sqlite3").chmod(0o640)
    write_to(engines, tmp_path / "nuovo.sqlite3")

    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o640}
    said = list(engines.open(f"sqlite:///{tmp_path}/nuovo.sqlite3").remarks())
    assert said == ["The database's file is not its owner's alone: its mode is 0640; Nuovo makes 0600."]
    (tmp_path / "nuovo.sqlite3").chmod(0o600)
    assert list(engines.open(f"sqlite:///{tmp_path}/nuovo.sqlite3").remarks()) == []


def write_to(engines: Engines, file: Path) -> None:
    engine = engines.open(f"sqlite:///{file}")
    Schema(engine).migrate()
    PeeweeUserDirectory(engine).put(User(id="ada"))
