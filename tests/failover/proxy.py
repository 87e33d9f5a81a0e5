"""A wire between two servers that can be cut."""

import select
import socket
import threading
from contextlib import suppress


class Wire:
    """Passes bytes on from a port of its own to another, until it is cut; then it lets nothing through."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._cut = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Swallow everything from now on, as a network does that is down: nobody is told."""
        self._cut.set()

    def mend(self) -> None:
        """Let new connections through; those that were there are lost."""
        with self._lock:
            lost, self._pairs = self._pairs, []
        for pair in lost:
            for end in pair:
                with suppress(OSError):
                    end.close()
        self._cut.clear()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.mend()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        if self._cut.is_set():
            with self._lock:
                self._pairs.append((near, near))
            return
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        with self._lock:
            self._pairs.append((near, far))
        with suppress(OSError, ValueError):
            while True:
                for source in select.select([near, far], [], [], 1)[0]:
                    data = source.recv(65536)
                    if self._cut.is_set():
                        return
                    if not data:
                        near.close()
                        far.close()
                        return
                    (far if source is near else near).sendall(data)
