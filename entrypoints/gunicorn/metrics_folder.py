"""The folder in which a service's workers count for `/metrics`: one for each service that runs."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "nuovo-metrics."


def make_metrics_folder() -> str:
    """Return a new folder for this process and its workers, and remove what killed services have left behind.

    It is in memory, because a disk would make the workers wait. While any of these processes lives, it is locked.
    """
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()  # noqa: S108  mkdtemp makes it safe
    for folder in Path(parent).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is in use, somebody else's, or gone
            lock = _lock(folder)
            try:
                remove_metrics_folder(str(folder))
            finally:
                os.close(lock)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        with suppress(BlockingIOError, FileNotFoundError):  # another service that starts took it for left behind
            _lock(folder)
            if folder.exists():
                return str(folder)


def remove_metrics_folder(folder: str) -> None:
    """Delete what the workers have counted."""
    shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: Path) -> int:
    """Return a lock that forked processes share, and that the kernel opens when the last of them ends, in whatever way.

    Raises `OSError` if a living process has it, or if this is no folder of this user's own.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        # APPSEC: anybody may make names in the folder of all. Root could lock and empty what is somebody else's.
        if os.fstat(lock).st_uid != os.geteuid():
            raise PermissionError(folder)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock
