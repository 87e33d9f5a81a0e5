"""The tables as queries see them. Their columns' types are in `migrations/`."""

from typing import Any, TypeAlias

from peewee import Table

Expression: TypeAlias = Any
"""A part of a query. Peewee's overload every operator, which no type says."""

sessions: Expression = Table(
    "nuovo_sessions",
    (
        "id",
        "user_id",
        "device",
        "generation",
        "parent_generation",
        "started_at",
        "ends_at",
        "rotated_at",
        "expires_at",
        "kept_until",
        "newer_mark_generation",
        "newer_mark_at",
        "older_mark_generation",
        "older_mark_at",
        "lost_generations",
        "revoked_at",
        "revocation_reason",
    ),
)
cut_offs: Expression = Table("nuovo_cut_offs", ("user_id", "ended_at"))
purges: Expression = Table("nuovo_purges", ("id", "purged_until"))
"""One row, of `id` 1: everything that ended before `purged_until` may have been forgotten."""
users: Expression = Table("nuovo_users", ("id", "active"))
