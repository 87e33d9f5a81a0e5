"""The image, built by buildah on a base made here, and run by runc as a container that may write almost nowhere.

A registry's base is not to be had everywhere, so Debian's own Python stands in for it: `debootstrap` makes it, or
NUOVO_TEST_ROOTFS names a folder in which it has done so before.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.programs import DEPLOY, FOR_PIP, program, run
from tests.e2e.client import Client
from tests.e2e.server import wait_for
from tests.ports import free_port

BASE, IMAGE = "localhost/nuovo-test-base", "localhost/nuovo-test"
KEY = "0gFsAKLsnHhY5eWuBJr2vPzZQ3d8m1TcXN4kV7iy6oE"
CREDENTIAL = "Zb1cX8vQ2nL5kJ7hG4fD9sA3pO6iU0yTrEwMmNqWeRt"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


class Image:
    """What was built, and its files as a container sees them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buildah = program("buildah")
        self._runc = program("runc")

    def build(self) -> None:
        rootfs = os.environ.get("NUOVO_TEST_ROOTFS") or self._bootstrap()
        base = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", base, rootfs, "/")
        self.buildah("commit", "--quiet", base, BASE)
        volumes = [f"--volume={path}:{path}:ro" for path in FOR_PIP]
        file, context = str(DEPLOY / "Dockerfile"), str(DEPLOY.parent)
        self.buildah(
            *("build", "--quiet", "--format=docker", f"--build-arg=PYTHON_IMAGE={BASE}", *volumes),
            *(f"--tag={IMAGE}", f"--file={file}", context),
        )
        self.config = json.loads(self.buildah("inspect", "--type=image", IMAGE))["Docker"]["config"]
        self.root = Path(self.buildah("mount", self.buildah("from", IMAGE).strip()).strip())

    def buildah(self, *arguments: str) -> str:
        places = (f"--root={self._folder}/storage", f"--runroot={self._folder}/run")
        environment = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
        return run(self._buildah, *places, *arguments, environment=environment, timeout=900)

    def remove(self) -> None:
        if (self._folder / "storage").exists():
            self.buildah("rm", "--all")
            self.buildah("rmi", "--all", "--force")

    def bundle(self, name: str, arguments: list[str], environment: dict[str, str], state: Path) -> Path:
        """Write what runc is to run: the image's own command line, user and environment, and a read-only root."""
        bundle = self._folder / name
        bundle.mkdir()
        run(self._runc, "spec", folder=bundle)
        spec: dict[str, Any] = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
        uid, gid = map(int, self.config["User"].split(":"))
        spec["root"] = {"path": str(self.root), "readonly": True}
        spec["process"] |= {
            "terminal": False,
            "user": {"uid": uid, "gid": gid},
            "args": [*self.config["Entrypoint"], *arguments],
            "env": [*self.config["Env"], *(f"{key}={value}" for key, value in environment.items())],
            "cwd": self.config["WorkingDir"],
            "noNewPrivileges": True,
            "capabilities": {kind: [] for kind in spec["process"]["capabilities"]},
        }
        spec["mounts"] += [
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]},  # noqa: S108
            {"destination": "/var/lib/nuovo", "type": "bind", "source": str(state), "options": ["bind", "rw"]},
        ]
        # The tests' own network, to be reached by them.
        spec["linux"]["namespaces"] = [each for each in spec["linux"]["namespaces"] if each["type"] != "network"]
        spec["linux"]["cgroupsPath"] = f"/{name}"
        (bundle / "config.json").write_text(json.dumps(spec), encoding="utf-8")
        return bundle

    @contextmanager
    def container(
        self, name: str, arguments: list[str], environment: dict[str, str], state: Path
    ) -> Iterator[subprocess.Popen[str]]:
        """Run a container; nothing of it is left."""
        bundle = self.bundle(name, arguments, environment, state)
        process = subprocess.Popen(
            [self._runc, f"--root={self._folder}/runc", "run", "--bundle", str(bundle), name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def _bootstrap(self) -> str:
        rootfs = str(self._folder / "rootfs")
        run(program("debootstrap"), "--variant=minbase", "--include=python3-venv", "stable", rootfs, timeout=900)
        return rootfs


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    image = Image(tmp_path_factory.mktemp("image"))
    try:
        image.build()
        yield image
    finally:
        image.remove()


@pytest.fixture
def state(image: Image, tmp_path: Path) -> Path:
    """Return a folder for the database, as a volume that was made for the image's user."""
    state = tmp_path / "state"
    state.mkdir(mode=0o750)
    os.chown(state, *map(int, image.config["User"].split(":")))
    return state


ENVIRONMENT = {"NUOVO_SECRET_KEY": KEY, "NUOVO_SERVICE_CREDENTIALS": CREDENTIAL}


def said(image: Image, state: Path, name: str, *arguments: str) -> tuple[int, str]:
    """Run a command in a container to its end."""
    with image.container(name, list(arguments), ENVIRONMENT, state) as process:
        output, _ = process.communicate(timeout=120)
        return process.returncode, output


def test_it_serves_and_stops_as_a_container(image: Image, state: Path) -> None:
    """Read-only but for its database and /tmp, without a capability, as a user that is nobody."""
    assert said(image, state, "nuovo-migrate", "migrate") == (0, "Applied 0001_sessions.\n")
    assert said(image, state, "nuovo-users", "users", "add", "ada")[0] == 0
    port = free_port()
    command = ["serve", "--bind", f"127.0.0.1:{port}"]
    environment = {**ENVIRONMENT, "NUOVO_METRICS_CREDENTIALS": CREDENTIAL[::-1]}
    with image.container("nuovo-serve", command, environment, state) as process:

        def is_ready() -> bool:
            with Client(f"http://127.0.0.1:{port}") as client:
                return client.get("/health/ready").status == 200

        wait_for("readiness", is_ready)
        with Client(f"http://127.0.0.1:{port}") as client:
            first = client.sign_in(CREDENTIAL, "ada")
            assert client.refresh(first.refresh_token).status == 200
            metrics = client.get("/metrics", CREDENTIAL[::-1])
        assert b'nuovo_refreshes_total{cause="",outcome="rotated"} 1.0' in metrics.body
        probe = [*image.config["Healthcheck"]["Test"][2:], "--at", f"127.0.0.1:{port}"]
        assert image.config["Healthcheck"]["Test"][:2] == ["CMD", "nuovo"]
        assert said(image, state, "nuovo-health", *probe) == (0, f"127.0.0.1:{port} is live.\n")

        process.send_signal(getattr(signal, image.config["StopSignal"]))
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert '"event":"refresh_rotated"' in output
    owners = {path.stat().st_uid for path in state.iterdir()}
    assert owners == {int(image.config["User"].split(":")[0])}


def test_it_holds_no_secret_no_root_and_no_tool_to_install_more(image: Image) -> None:
    names = {setting.partition("=")[0] for setting in image.config["Env"]}
    assert names == {"PATH", "PYTHONDONTWRITEBYTECODE", "NUOVO_DATABASE_URL"}
    uid, gid = image.config["User"].split(":")
    assert int(uid) >= 10_000
    assert int(gid) >= 10_000
    assert not (image.root / "src").exists()
    assert not (image.root / "opt/nuovo/bin/pip").exists()
    foreign = [path for path in (image.root / "opt/nuovo").rglob("*") if path.lstat().st_uid != 0]
    assert foreign == [], "whom it runs as may change nothing of it"


def test_the_drivers_of_all_databases_are_there(image: Image) -> None:
    (site,) = (image.root / "opt/nuovo/lib").glob("python3.*/site-packages")
    for package in ("psycopg", "psycopg_binary", "redis", "prometheus_client"):
        assert (site / package).is_dir()


def test_nothing_of_it_can_be_changed_from_inside(image: Image, state: Path) -> None:
    bundle = image.bundle("nuovo-write", [], ENVIRONMENT, state)
    spec = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    spec["process"]["args"] = ["python3", "-c", "open('/opt/nuovo/x', 'w')"]
    (bundle / "config.json").write_text(json.dumps(spec), encoding="utf-8")
    command = [program("runc"), f"--root={bundle}/runc", "run", "--bundle", str(bundle), "nuovo-write"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert ended.returncode == 1
    assert "Read-only file system" in ended.stderr
