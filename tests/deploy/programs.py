"""The programs that an operator has, of which a machine may have some."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
# What pip needs to reach an index from a container: certificates and its configuration.
FOR_PIP = [
    path
    for path in ("/etc/ssl/certs", "/usr/local/share/ca-certificates", "/etc/xdg/pip", "/etc/pip.conf")
    if Path(path).exists()
]
_ADMINISTRATORS = "/usr/sbin:/usr/local/sbin:/sbin"


def program(name: str, *places: str) -> str:
    """Return where a program is, or skip the test where there is none."""
    found = shutil.which(name) or shutil.which(name, path=":".join([_ADMINISTRATORS, *places]))
    if found is None:
        pytest.skip(f"no {name} here")
    return found


def run(
    *command: str, folder: Path | None = None, environment: Mapping[str, str] | None = None, timeout: float = 60
) -> str:
    """Run a program to its good end and return what it said, on either output."""
    if environment is None:  # what the tests ask of Python is not for programs that are written in it
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ended = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=timeout,
    )
    assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}"
    return ended.stdout
