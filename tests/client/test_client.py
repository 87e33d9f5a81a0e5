"""Runs the JavaScript client's own tests, which need Node.js 20 or newer and nothing else."""

import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")
MIN_MAJOR = 20


def _major() -> int:
    if NODE is None:
        return 0
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True, encoding="ascii")
    return int(version.stdout.lstrip("v").partition(".")[0])


@pytest.mark.skipif(_major() < MIN_MAJOR, reason="the client's tests need Node.js 20 or newer")
def test_the_clients_own_tests_pass() -> None:
    assert NODE is not None
    folder = Path(__file__).parent
    files = sorted(str(path) for path in folder.glob("*.test.mjs"))
    result = subprocess.run(
        [NODE, "--test", *files], capture_output=True, text=True, check=False, encoding="utf-8", timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
