"""Figures of the run, and client processes that tests share."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import databases, kind
from tests.stress.crowd import Crowd

__all__ = ["crowd", "databases", "figures", "kind"]

_FIGURES = pytest.StashKey[list[tuple[str, str]]]()


class Figures:
    """What was tried, how often, and what came of it: printed at the end as rows of a Markdown table."""

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        self._rows = rows

    def add(self, what: str, figure: str) -> None:
        self._rows.append((what, figure))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where a test leaves its figures."""
    return Figures(request.config.stash.setdefault(_FIGURES, []))


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    """Three client processes."""
    crowd = Crowd(3)
    yield crowd
    crowd.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if rows := config.stash.get(_FIGURES, []):
        terminalreporter.section("figures")
        terminalreporter.write_line("| tried | found |\n|---|---|")
        for what, figure in sorted(rows):
            terminalreporter.write_line(f"| {what} | {figure} |")
