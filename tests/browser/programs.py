"""Programs that the how-to pages are tried with: login services, nginx."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.server import clean_environment, wait_for


def nginx() -> str | None:
    """Return nginx's program, which Debian keeps off the path of users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


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


@contextmanager
def running_nginx(configuration: Path, port: int) -> Iterator[None]:
    """Run nginx with the server of `configuration`, in its folder, which gets all of its files."""
    folder = configuration.parent
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    main = folder / "main.conf"
    main.write_text(
        f"""
        {"user root;" if os.geteuid() == 0 else ""}
        daemon off;
        worker_processes 1;
        pid {folder}/nginx.pid;
        error_log stderr;
        events {{}}
        http {{
            types {{ text/html html; text/javascript js; }}
            access_log off;
            {" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)}
            include {configuration};
        }}
        """,
        encoding="utf-8",
    )
    program = nginx()
    assert program is not None
    with running([program, "-e", "stderr", "-p", str(folder), "-c", str(main)], port, folder):
        yield
