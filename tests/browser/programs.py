"""Programs that the how-to pages are tried with: login services."""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.server import clean_environment, wait_for


@contextmanager
def running(
    command: list[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run `command` in `folder` while it listens on `port` of the loopback."""
    log = folder / f"{Path(command[0]).name}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=clean_environment() | dict(environment or {}),
        )

    def listens() -> bool:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True

    try:
        wait_for(f"{command[0]} on its port", listens)
        yield
    finally:
        process.terminate()
        process.wait(30)
