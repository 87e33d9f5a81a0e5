"""The one database setting of both Django peers: persistent connections, and WAL on SQLite."""

from typing import Any
from urllib.parse import urlsplit


def databases(url: str) -> dict[str, dict[str, Any]]:
    """Return Django's `DATABASES` for a database URL."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": parts.path.removeprefix("/"),
                "CONN_MAX_AGE": None,
                "OPTIONS": {
                    "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
                    "transaction_mode": "IMMEDIATE",
                },
            }
        }
    return {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path.removeprefix("/"),
            "USER": parts.username,
            "HOST": parts.hostname,
            "PORT": parts.port,
            "CONN_MAX_AGE": None,
            "OPTIONS": {"options": "-c synchronous_commit=off", "server_side_binding": True},
        }
    }
