"""A service with faults wrapped round its application. The service's own code has no part in it."""

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.server import Nuovo

_INJECTED = Path(__file__).parent / "injected"
KILL_POINTS = ("before_statement", "after_statement", "before_first_byte", "half_of_the_answer")


class FaultyNuovo(Nuovo):
    """As `Nuovo`, but faults may be asked for while it runs."""

    def __init__(
        self, folder: Path, database_url: str, *, workers: int = 2, environment: Mapping[str, str] | None = None
    ) -> None:
        self.faults = folder / "faults"
        self.faults.write_text("", encoding="ascii")
        super().__init__(
            folder,
            database_url,
            workers=workers,
            environment={"FAULTS_FILE": str(self.faults), "PYTHONPATH": str(_INJECTED), **(environment or {})},
        )

    def ask_for(self, **faults: int) -> None:
        """Let each fault strike so many times from now on."""
        self.faults.write_text("".join(f"{what} {count}\n" for what, count in faults.items()), encoding="ascii")

    @property
    def left(self) -> int:
        """How many faults have not struck yet."""
        return sum(int(line.split()[1]) for line in self.faults.read_text(encoding="ascii").splitlines())

    def spawn(self, command: tuple[str, ...] | None = None) -> None:
        """Start gunicorn with the packaged settings and the application that has the faults."""
        options = ("--bind", self.bind, "--workers", f"{self.workers}")
        super().spawn(command or (sys.executable, "-m", "entrypoints.gunicorn", *options, "faulty_app:app"))
