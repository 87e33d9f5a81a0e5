"""What was tried, how often, and what came of it: printed at the end of a run as a Markdown table."""

import pytest

_ROWS = pytest.StashKey[list[tuple[str, str]]]()


class Figures:
    """The figures of a run."""

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        self._rows = rows

    def add(self, what: str, figure: object) -> None:
        self._rows.append((what, str(figure)))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where a test leaves its figures."""
    return Figures(request.config.stash.setdefault(_ROWS, []))


def print_figures(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, if a test has left a figure."""
    if rows := terminalreporter.config.stash.get(_ROWS, []):
        terminalreporter.section("figures")
        terminalreporter.write_line("| tried | found |\n|---|---|")
        for what, figure in sorted(rows):
            terminalreporter.write_line(f"| {what} | {figure} |")
