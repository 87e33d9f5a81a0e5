"""Any of the applications with SQLite's statements counted, `BEGIN` and `COMMIT` among them.

At the end the count is written to the file named by `BENCH_COUNT`.
"""

import atexit
import os
import sqlite3
import sqlite3.dbapi2
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

_statements = count()
_connect = sqlite3.connect


def _connect_counted(*args: Any, **options: Any) -> sqlite3.Connection:
    connection = _connect(*args, **options)
    connection.set_trace_callback(lambda _statement: next(_statements))
    return connection


sqlite3.connect = sqlite3.dbapi2.connect = _connect_counted
module, _, attribute = os.environ["BENCH_APP"].partition(":")
app = getattr(import_module(module), attribute)
atexit.register(lambda: Path(os.environ["BENCH_COUNT"]).write_text(str(next(_statements)), encoding="ascii"))
