"""A server at a distance: `python distance.py PORT SECONDS` passes bytes on to a port, in both directions, late.

It prints its own port. SECONDS is what a round trip takes longer.
"""

import select
import socket
import sys
import time
from collections import deque
from contextlib import suppress


def main() -> None:
    """Pass on for ever."""
    target, delay = int(sys.argv[1]), float(sys.argv[2]) / 2
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)  # noqa: T201  whoever started this reads it
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    ways: dict[int, tuple[socket.socket, socket.socket]] = {}
    due: deque[tuple[float, socket.socket, bytes]] = deque()
    while True:
        # Unlike epoll's own, this timeout is finer than a millisecond.
        select.select([poll], [], [], max(0.0, due[0][0] - time.perf_counter()) if due else None)
        for number, _ in poll.poll(0):
            if number == listener.fileno():
                near, far = listener.accept()[0], socket.create_connection(("127.0.0.1", target))
                for here, there in ((near, far), (far, near)):
                    here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    ways[here.fileno()] = here, there
                    poll.register(here, select.EPOLLIN)
                continue
            here, there = ways[number]
            data = here.recv(65536)
            if not data:
                poll.unregister(here)
            due.append((time.perf_counter() + delay, there, data))
        while due and due[0][0] <= time.perf_counter():
            _, there, data = due.popleft()
            with suppress(OSError):  # gone in the meantime
                there.sendall(data) if data else there.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
