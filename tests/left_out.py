"""Tests that cannot run where a program is absent: left out with a line for each reason, not for each test."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest


class LeftOut:
    """A plugin of pytest for one folder of tests, given the fixtures that cannot be had here, each with the reason.

    What goes by the name of a marker counts as a fixture.
    """

    def __init__(self, folder: Path, absent: Mapping[str, str]) -> None:
        self._folder = folder
        self._absent = absent
        self._counts: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not self._is_left_out(item)]

    def _is_left_out(self, item: pytest.Item) -> bool:
        if not item.path.is_relative_to(self._folder):
            return False
        needed = {*getattr(item, "fixturenames", []), *(marker.name for marker in item.iter_markers())}
        reason = next((reason for name, reason in self._absent.items() if name in needed), None)
        if reason is not None:
            self._counts[reason] += 1
        return reason is not None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Let nothing to run be no failure when there is a reason."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._counts:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for reason, count in self._counts.items():
            terminalreporter.write_line(f"SKIPPED [{count}] {self._folder.name}: {reason}")
