"""The tables of settings are true: they name each, and what it takes to leave it out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoints.settings import Settings, load_settings

KEY = "Y6f1nIfFzV9tq0uCk3J2wDqv8LxPZsa5bRmeH7Gg4To"
INTERNAL = {"demo"}


@pytest.fixture
def defaults(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the default of each setting as the table has it, `none` for nothing."""
    found: dict[str, str] = {}
    for page in ("README.md", "docs/how-to/moving-in.md"):
        text = (Path(request.config.rootpath) / page).read_text(encoding="utf-8")
        found |= _rows(text.partition("\n## Settings\n")[2].partition("\n## ")[0])
    return found


def _rows(section: str) -> Iterator[tuple[str, str]]:
    for line in section.splitlines():
        names, default = [*line.split("|"), "", ""][1:3]
        settings = re.findall(r"`([A-Z_]+)`", names)
        values = [value.strip(" `") for value in default.split(",")]
        if settings:
            assert len(settings) == len(values), line
        yield from zip(settings, values, strict=False)


def test_the_table_has_every_setting_and_no_other(defaults: dict[str, str]) -> None:
    assert {name.lower() for name in defaults} == Settings.model_fields.keys() - INTERNAL


def test_its_defaults_are_what_leaving_them_out_means(defaults: dict[str, str]) -> None:
    required = {name for name, default in defaults.items() if default == "required"}
    assert required == {"SECRET_KEY"}
    as_written = {f"NUOVO_{name}": "" if value == "none" else value for name, value in defaults.items()}
    assert load_settings(as_written | {"NUOVO_SECRET_KEY": KEY}) == load_settings({"NUOVO_SECRET_KEY": KEY})
