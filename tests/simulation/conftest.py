"""How much is simulated, and the figures of the run."""

import os

import pytest

_FIGURES = pytest.StashKey[list[tuple[str, str]]]()
STRESS = bool(os.environ.get("NUOVO_TEST_STRESS"))


class Figures:
    """What was tried and what came of it: printed at the end as rows of a Markdown table."""

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        self._rows = rows

    def add(self, what: str, figure: object) -> None:
        self._rows.append((what, str(figure)))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where a test leaves its figures."""
    return Figures(request.config.stash.setdefault(_FIGURES, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if rows := config.stash.get(_FIGURES, []):
        terminalreporter.section("simulation")
        terminalreporter.write_line("| simulated | found |\n|---|---|")
        for what, figure in sorted(rows):
            terminalreporter.write_line(f"| {what} | {figure} |")
