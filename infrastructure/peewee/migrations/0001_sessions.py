"""Sessions, cut-offs, the purge mark, and the built-in users."""

from typing import Any

from peewee import BigIntegerField, BooleanField, CharField, CompositeKey, Model, SqliteDatabase, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the tables. No index stands on a column that a rotation changes.

    Lengths are checked before anything gets here: a database of encoding SQL_ASCII would count bytes.
    """
    # On SQLite a text key without a rowid is one tree instead of two; PostgreSQL knows no such thing.
    is_sqlite = isinstance(db, SqliteDatabase)

    class Sessions(Model):
        user_id = TextField()
        session_id = CharField(max_length=22)
        generation = BigIntegerField()
        started_at = BigIntegerField()
        ends_at = BigIntegerField()
        issued_at = BigIntegerField()
        expires_at = BigIntegerField()
        remember = BooleanField()
        key_thumbprint = CharField(null=True, max_length=43)
        parent_generation = BigIntegerField()
        kept_until = BigIntegerField()
        device = TextField()
        claims = TextField()
        revoked_at = BigIntegerField(null=True)
        revocation_reason = CharField(null=True, max_length=32)

        class Meta:
            database = db
            table_name = "nuovo_sessions"
            primary_key = CompositeKey("user_id", "session_id")
            without_rowid = is_sqlite
            # Room in each page for a rotated row beside its old version: no index has to change (HOT updates).
            table_settings = None if is_sqlite else "WITH (fillfactor = 70)"

    class CutOffs(Model):
        user_id = TextField(primary_key=True)
        ended_at = BigIntegerField()
        spared = CharField(null=True, max_length=22)

        class Meta:
            database = db
            table_name = "nuovo_cut_offs"
            without_rowid = is_sqlite

    class Purges(Model):
        id = BigIntegerField(primary_key=True)
        purged_until = BigIntegerField()

        class Meta:
            database = db
            table_name = "nuovo_purges"

    class Users(Model):
        id = TextField(primary_key=True)
        active = BooleanField(default=True)

        class Meta:
            database = db
            table_name = "nuovo_users"
            without_rowid = is_sqlite

    db.create_tables([Sessions, CutOffs, Purges, Users])


def down(migrator: Any, db: Any) -> None:
    """Drop the tables: every session and every revocation is forgotten."""
    for table in ("nuovo_users", "nuovo_purges", "nuovo_cut_offs", "nuovo_sessions"):
        db.execute_sql(f'DROP TABLE "{table}"')
