"""`nuovo serve --demo`: whose database it is that may be signed in to without a password."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoints.bootstrap import build
from entrypoints.cli.demo import is_own_demo, prepare_demo, remove_own_demo
from entrypoints.settings import SettingsError, load_settings
from tests.cli.conftest import Opener

KEY = "b0Yt7-9dq2Zz8T4rWmVn3kXc6LpJfHsA5eGuQyEiRoM"


@pytest.fixture
def prepared(opener: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment of a demonstration that this process has made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return prepare_demo(opener, "127.0.0.1:0")


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/demo.sqlite3"


def test_the_process_that_made_it_and_its_children_serve_it(prepared: dict[str, str]) -> None:
    url = prepared["NUOVO_DATABASE_URL"]
    assert is_own_demo(url)
    build(load_settings(prepared))

    ask = f"from entrypoints.cli.demo import is_own_demo; print(is_own_demo({url!r}))"
    child = subprocess.run([sys.executable, "-c", ask], capture_output=True, encoding="utf-8", check=True)
    assert child.stdout == "True\n"
    shell = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -c "{ask}"; true'], capture_output=True, encoding="utf-8", check=True
    )
    assert shell.stdout == "False\n"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "maker.pid").unlink(),
        lambda folder: (folder / "maker.pid").write_text("1", encoding="ascii"),
        lambda folder: (folder / "maker.pid").write_bytes(b"\xff"),
        lambda folder: folder.chmod(0o750),
        lambda folder: folder.chmod(0o777),
    ],
)
def test_a_folder_of_somebody_else(prepared: dict[str, str], spoil: Callable[[Path], object]) -> None:
    folder = Path(prepared["NUOVO_DATABASE_URL"].removeprefix("sqlite:///")).parent
    spoil(folder)
    assert not is_own_demo(url_of(folder))
    remove_own_demo(url_of(folder))
    assert (folder / "demo.sqlite3").parent.exists()


def test_what_was_made_is_removed(prepared: dict[str, str], tmp_path: Path) -> None:
    remove_own_demo(prepared["NUOVO_DATABASE_URL"])
    assert list(tmp_path.iterdir()) == []


def test_a_name_alone_opens_nothing(tmp_path: Path, prepared: dict[str, str]) -> None:
    """`NUOVO_DEMO` that strayed into production must not sign anybody in without a password: nothing even starts."""
    folder = tmp_path / "nuovo-demo-x"
    folder.mkdir(0o700)
    link = tmp_path / "nuovo-demo-link"
    link.symlink_to(Path(prepared["NUOVO_DATABASE_URL"].removeprefix("sqlite:///")).parent)
    real = prepared["NUOVO_DATABASE_URL"]
    for url in (
        "sqlite:///nuovo.sqlite3",
        url_of(folder),
        url_of(link),
        f"{real}?mode=ro",
        f"{real}/../other.sqlite3",
        real.replace("demo.sqlite3", "production.sqlite3"),
        f"postgresql://nuovo@db/{'nuovo-demo-'}live",
        f"postgresql://nuovo@db{real.removeprefix('sqlite://')}",
        f"postgresql://nuovo@db/x?options={real}",
    ):
        with pytest.raises(SettingsError) as refused:
            build(load_settings({"NUOVO_SECRET_KEY": KEY, "NUOVO_DEMO": "true", "NUOVO_DATABASE_URL": url}))
        assert refused.value.problems == ["NUOVO_DEMO is for `nuovo serve --demo` itself to set; unset it"]
