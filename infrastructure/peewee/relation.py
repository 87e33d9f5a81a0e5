"""What a database tells of a table, a view or the like: its columns, their types, and who may read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from infrastructure.peewee.engine import Engine


class Family(StrEnum):
    """What a column's values are."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMERIC = "numeric"
    TEXT = "text"
    UUID = "uuid"
    ENUM = "enum"
    JSON = "json"
    ARRAY = "array"
    """Of values that a claim can hold."""
    UNDECLARED = "undeclared"
    """SQLite alone: of an expression in a view it tells nothing."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One column. `type` is for people; a unique one has an index that covers every row and no other column."""

    name: str
    type: str
    family: Family
    is_unique: bool
    is_readable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Anything that can be selected from. `kind` is for people; of a plain `table` all indexes are known."""

    kind: str
    hides_rows: bool
    """Whether policies of PostgreSQL decide which rows the role sees."""
    columns: Mapping[str, Attribute]


def find_relation(engine: Engine, schema: str | None, name: str) -> Relation | None:
    """Return what a name means to statements of `engine`, or `None`. Raises `StoreUnavailableError`."""
    is_sqlite = engine.peewee.param == "?"
    rows: list[Any] = engine.attempt(
        lambda: engine.peewee.execute_sql(*(_sqlite if is_sqlite else _postgres)(schema, name)).fetchall()
    )
    columns = {
        column: Attribute(
            name=column,
            type=type_ or "no declared type",
            family=_family_of_affinity(type_.lower()) if is_sqlite else _family_of_name(base),
            is_unique=bool(is_unique),
            is_readable=bool(is_readable),
        )
        for _, _, column, type_, base, is_unique, is_readable in rows
    }
    return Relation(kind=rows[0][0], hides_rows=bool(rows[0][1]), columns=columns) if rows else None


def _sqlite(schema: str | None, name: str) -> tuple[str, tuple[str, str]]:
    """Return the query for generated columns, too, which `table_info` leaves out."""
    return (
        """
        SELECT CASE WHEN r.type IN ('view', 'virtual') THEN r.type ELSE 'table' END, 0, c.name, c.type, NULL,
            c.pk = 1 AND (SELECT MAX(pk) FROM pragma_table_xinfo(r.name, r.schema)) = 1
            OR EXISTS (
                SELECT 1 FROM pragma_index_list(r.name, r.schema) AS i
                WHERE i."unique" AND NOT i.partial
                    AND (SELECT COUNT(*) FROM pragma_index_info(i.name, r.schema)) = 1
                    AND (SELECT name FROM pragma_index_info(i.name, r.schema)) = c.name
            ),
            1
        FROM pragma_table_list AS r, pragma_table_xinfo(r.name, r.schema) AS c
        WHERE r.schema = ? AND r.name = ? COLLATE NOCASE AND c.hidden <> 1
        """,
        (schema or "main", name),
    )


def _postgres(schema: str | None, name: str) -> tuple[str, tuple[str, str | None, str | None]]:
    """Return the query on the catalogue itself: `information_schema` hides what the role has no privilege for.

    A domain is what it is made of, however many domains lie between.
    """
    return (
        """
        WITH RECURSIVE typed AS (
            SELECT a.attrelid, a.attnum, a.atttypid AS type
            FROM pg_catalog.pg_attribute AS a WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = (
                SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                WHERE c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                    AND CASE WHEN %s::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = %s END
            )
            UNION ALL
            SELECT typed.attrelid, typed.attnum, d.typbasetype
            FROM typed JOIN pg_catalog.pg_type AS d ON d.oid = typed.type WHERE d.typtype = 'd'
        )
        SELECT CASE WHEN c.relkind = 'v' THEN 'view' WHEN c.relkind = 'm' THEN 'materialised view'
                WHEN c.relkind = 'f' THEN 'foreign table' WHEN h.is_parent THEN 'table with children' ELSE 'table' END,
            pg_catalog.row_security_active(c.oid), a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
            CASE WHEN t.typtype = 'e' THEN 'enum' WHEN e.typtype = 'e' THEN 'enum[]'
                WHEN e.oid IS NOT NULL THEN e.typname || '[]' ELSE t.typname::text END,
            NOT h.is_parent AND EXISTS (
                SELECT 1 FROM pg_catalog.pg_index AS i
                WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                    AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
            ),
            pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
                AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE')
        FROM typed
        JOIN pg_catalog.pg_class AS c ON c.oid = typed.attrelid
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = typed.attrelid AND a.attnum = typed.attnum
        JOIN pg_catalog.pg_type AS t ON t.oid = typed.type AND t.typtype <> 'd'
        CROSS JOIN LATERAL (
            SELECT c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits WHERE inhparent = c.oid)
                ) AS h (is_parent)
        LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
        ORDER BY a.attnum
        """,
        (name, schema, schema),
    )


_NAMES = {
    "bool": Family.BOOLEAN,
    "int2": Family.INTEGER,
    "int4": Family.INTEGER,
    "int8": Family.INTEGER,
    "numeric": Family.NUMERIC,
    "text": Family.TEXT,
    "varchar": Family.TEXT,
    "bpchar": Family.TEXT,
    "citext": Family.TEXT,
    "uuid": Family.UUID,
    "enum": Family.ENUM,
    "json": Family.JSON,
    "jsonb": Family.JSON,
}


def _family_of_name(base: str) -> Family:
    """Return what PostgreSQL's type of this name holds."""
    element = _NAMES.get(base.removesuffix("[]"), Family.OTHER)
    if base.endswith("[]"):
        return Family.OTHER if element in (Family.OTHER, Family.NUMERIC) else Family.ARRAY
    return element


def _family_of_affinity(declared: str) -> Family:
    """Return what SQLite's column of this declared type is meant to hold. Each of its rows may hold something else."""
    if not declared:
        return Family.UNDECLARED
    if declared.startswith("bool"):
        return Family.BOOLEAN
    if "int" in declared:
        return Family.INTEGER
    if any(part in declared for part in ("char", "clob", "text")):
        return Family.TEXT
    return {"uuid": Family.UUID, "json": Family.JSON, "jsonb": Family.JSON}.get(
        declared, Family.NUMERIC if declared.startswith(("numeric", "decimal")) else Family.OTHER
    )
