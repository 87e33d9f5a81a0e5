"""What a hurried newcomer might try: each way round the strata is found, and no list has to be kept for that."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "ports", "infrastructure", "entrypoints")
LINT_IMPORTS = str(Path(sysconfig.get_path("scripts")) / "lint-imports")
NO_PACKAGE = {ROOT / "infrastructure" / "peewee" / "migrations"}
"""Run by file, and never imported."""

Lint = Callable[[], str]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the sources, to be spoiled."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def lint(tree: Path) -> Lint:
    """Return what judges the copy, and gives what it says against it."""

    def run() -> str:
        ended = subprocess.run(
            [LINT_IMPORTS, "--no-cache"], cwd=tree, check=False, capture_output=True, text=True, encoding="utf-8"
        )
        assert ended.returncode in (0, 1), ended.stderr
        return ended.stdout if ended.returncode else ""

    return run


def write(path: Path, line: str) -> None:
    """Add a line to a module; make it and the packages that it lies in, if they are not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "__init__.py").touch()
    with path.open("a", encoding="utf-8") as module:
        module.write(f"{line}\n")


def test_the_sources_are_sound(lint: Lint) -> None:
    assert lint() == ""


TABLES = "from infrastructure.peewee.tables import users"


@pytest.mark.parametrize(
    "lines",
    [
        {"infrastructure/mongo.py": TABLES},
        {"infrastructure/mongo/__init__.py": "", "infrastructure/mongo/deep/stores.py": TABLES},
        {"infrastructure/mongo.py": f"def f():\n    {TABLES}"},
        {"infrastructure/mongo.py": f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {TABLES}"},
        {"infrastructure/mongo.py": "import infrastructure.peewee.tables as tables"},
        {"infrastructure/two_places.py": "from infrastructure.peewee.users import PeeweeUsers"},
        {"infrastructure/peewee/users.py": "from infrastructure.clock import SystemClock"},
        # By way of somebody else, each of whom is free to be imported.
        {"infrastructure/__init__.py": TABLES, "infrastructure/mongo.py": "from infrastructure import users"},
        {"ports/users.py": TABLES, "infrastructure/mongo.py": "from ports.users import users"},
    ],
    ids=" and ".join,
)
def test_no_adapter_knows_another(tree: Path, lint: Lint, lines: dict[str, str]) -> None:
    for path, line in lines.items():
        write(tree / path, line)

    assert "No adapter knows another, and a new one is no exception BROKEN" in lint()


@pytest.mark.parametrize(
    ("path", "line", "broken"),
    [
        ("domain/model/users.py", "import ports.clock", "The outer knows the inner, never the reverse"),
        ("ports/users.py", "import domain.use_cases.service", "The outer knows the inner, never the reverse"),
        ("domain/use_cases/service.py", "import infrastructure.clock", "The outer knows the inner, never the reverse"),
        ("infrastructure/clock.py", "import entrypoints.settings", "The outer knows the inner, never the reverse"),
        ("entrypoints/http/app.py", "import infrastructure.clock", "The outer knows the inner, never the reverse"),
        ("entrypoints/http/app.py", "import entrypoints.settings", "The outer knows the inner, never the reverse"),
        ("entrypoints/helpers.py", "", "Every module of the entry points has its place"),
        ("domain/services.py", "", "Every module of the domain has its place"),
        ("domain/use_cases/service.py", "import peewee", "Domain and ports know no technology"),
        ("ports/users.py", "import falcon", "Domain and ports know no technology"),
    ],
)
def test_every_stratum_keeps_to_its_place(tree: Path, lint: Lint, path: str, line: str, broken: str) -> None:
    write(tree / path, line)

    assert f"{broken} BROKEN" in lint()


def test_domain_and_ports_need_nothing_but_the_standard_library() -> None:
    """Whatever may be installed one day."""
    trees = [
        ast.parse(module.read_bytes()) for package in ("domain", "ports") for module in (ROOT / package).rglob("*.py")
    ]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        (node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in imports
    }

    assert names - sys.stdlib_module_names == {"domain", "ports"}


def test_every_folder_of_tests_is_explained() -> None:
    readme = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    folders = {module.relative_to(ROOT / "tests").parts[0] for module in (ROOT / "tests").glob("*/**/*.py")}

    assert set(re.findall(r"`(\w+)/`", readme)) == folders


def test_every_folder_of_modules_is_a_package() -> None:
    """In a folder that is none, nothing would be looked at."""
    folders = {module.parent for package in PACKAGES for module in (ROOT / package).rglob("*.py")}

    assert {folder for folder in folders if not (folder / "__init__.py").is_file()} == NO_PACKAGE
