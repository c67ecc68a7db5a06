"""The statement that closes a difference: run on the right side, it makes that as the left is.

It never runs one. Where no statement can do it, a comment says what can.
"""

from __future__ import annotations

import re
from typing import Any

from dhafnck_db.parity import create
from dhafnck_db.parity.compare import ORDER, Difference
from dhafnck_db.parity.create import literal, role, target
from dhafnck_db.parity.snapshot import WITHHELD, Snapshot, Thing

REMADE = (  # dropped and made again when its definition changes
    "constraint",
    "domain",
    "index",
    "materialized view",
    "policy",
    "range",
    "rule",
    "statistics",
)
VALUED = ("comment", "owner")


def closing(difference: Difference, left: Snapshot, right: Snapshot) -> str:
    """Return what closes a difference: statements that end in `;`, or lines that begin with `--`.

    Args:
        difference: to be closed.
        left: how it should be.
        right: where the statement would run.
    """
    one, other = difference.left, difference.right
    if other is None and one is not None:
        said = create.whole(one, left, right)
    elif one is None and other is not None:
        said = create.gone(other, right)
    elif one is not None and other is not None:
        said = _changed(difference.trait or "", one, other, left, right)
    if WITHHELD in said:
        said = "-- its text holds a secret, which is not shown: carry it over by hand"
    return said


def _changed(name: str, one: Thing, other: Thing, left: Snapshot, right: Snapshot) -> str:
    value: Any = one.properties.get(name)
    kind = one.kind
    if name == "comment":
        return f"COMMENT ON {target(one)} IS {literal(value)};"
    if name == "owner" and kind != "publication":
        return f"ALTER {target(one)} OWNER TO {role(value, right)};"
    if kind in ("grant", "default privilege"):
        return create.privileges(one, other, right)
    if kind in REMADE and name not in ("valid", "enforced"):
        again = create.whole(one, left, right, around=False)
        return f"{create.gone(other, right)}\n{again}"
    found = CHANGES.get(kind)
    said = found(name, value, one, other, right) if found else None
    return said or f"-- make {name} of {kind} {one.title} {value!r} by hand; no statement does"


def _table(name: str, value: Any, one: Thing, other: Thing, _right: Snapshot) -> str | None:
    alter = f"ALTER TABLE {one.name}"
    was: Any = other.properties.get(name)
    if name == "row level security":
        return f"{alter} {'ENABLE' if value else 'DISABLE'} ROW LEVEL SECURITY;"
    if name == "forced row level security":
        return f"{alter} {'FORCE' if value else 'NO FORCE'} ROW LEVEL SECURITY;"
    if name == "persistence":
        return f"{alter} SET {str(value).upper()};"
    if name == "replica identity":
        return f"{alter} REPLICA IDENTITY {value};"
    if name == "options":
        return _options(alter, value, was)
    if name == "parents":
        parts = [f"{alter} NO INHERIT {parent};" for parent in was if parent not in value]
        parts += [f"{alter} INHERIT {parent};" for parent in value if parent not in was]
        return "\n".join(parts) or None
    if name == ORDER:
        return f"-- columns cannot be moved: make the table anew with {', '.join(value)}"
    return None


def _column(name: str, value: Any, one: Thing, other: Thing, _right: Snapshot) -> str | None:
    alter = f"ALTER TABLE {one.of} ALTER COLUMN {one.name}"
    properties = one.properties
    if name in ("type", "collation"):
        kind, collation = properties["type"], properties["collation"]
        collate = f" COLLATE {collation}" if collation else ""
        return f"{alter} TYPE {kind}{collate} USING {one.name}::{kind};"
    if name == "not null":
        return f"{alter} {'SET' if value else 'DROP'} NOT NULL;"
    if name == "default":
        return f"{alter} DROP DEFAULT;" if value is None else f"{alter} SET DEFAULT {value};"
    if name == "identity":
        if value is None:
            return f"{alter} DROP IDENTITY;"
        verb = "ADD" if other.properties["identity"] is None else "SET"
        return f"{alter} {verb} GENERATED {value}{' AS IDENTITY' if verb == 'ADD' else ''};"
    if name == "generated":
        if value is None:
            return f"{alter} DROP EXPRESSION;"
        table = f"ALTER TABLE {one.of}"
        return f"{table} DROP COLUMN {one.name};\n{table} ADD COLUMN {create.column(one)};"
    if name == "storage":
        return f"{alter} SET STORAGE {value};"
    if name == "statistics":
        return f"{alter} SET STATISTICS {-1 if value is None else value};"
    return _options(alter, value, other.properties.get(name)) if name == "options" else None


def _options(alter: str, value: list[str] | None, was: list[str] | None) -> str:
    kept = {option.split("=")[0] for option in value or []}
    reset = [option.split("=")[0] for option in was or [] if option.split("=")[0] not in kept]
    parts = [f"{alter} RESET ({', '.join(reset)});"] if reset else []
    parts += [f"{alter} SET ({', '.join(value)});"] if value else []
    return "\n".join(parts)


def _index(name: str, value: Any, one: Thing, _other: Thing, _right: Snapshot) -> str | None:
    return f"REINDEX INDEX {one.name};" if name == "valid" and value else None


def _constraint(name: str, value: Any, one: Thing, _other: Thing, _right: Snapshot) -> str | None:
    if name == "enforced":
        return f"ALTER TABLE {one.of} {'ENABLE' if value else 'DISABLE'} TRIGGER ALL;"
    return None


def _trigger(name: str, value: Any, one: Thing, other: Thing, right: Snapshot) -> str | None:
    if name == "enabled":
        return f"ALTER TABLE {one.of} {value} TRIGGER {one.name};"
    return f"{create.gone(other, right)}\n{create.whole(one, right, right)}"


def _routine(name: str, value: Any, one: Thing, _other: Thing, _right: Snapshot) -> str | None:
    if name == "definition" and one.properties["kind"] != "AGGREGATE":
        return f"{value};"
    return None


def _view(name: str, value: Any, one: Thing, other: Thing, _right: Snapshot) -> str | None:
    if name == "options":
        return _options(f"ALTER VIEW {one.name}", value, other.properties.get(name))
    return f"CREATE OR REPLACE VIEW {one.name} AS\n{value}"


def _sequence(name: str, value: Any, one: Thing, _other: Thing, _right: Snapshot) -> str | None:
    words = {
        "type": f"AS {value}",
        "start": f"START WITH {value}",
        "increment": f"INCREMENT BY {value}",
        "minimum": f"MINVALUE {value}",
        "maximum": f"MAXVALUE {value}",
        "cycle": "CYCLE" if value else "NO CYCLE",
        "cache": f"CACHE {value}",
        "owned by": f"OWNED BY {value or 'NONE'}",
    }
    return f"ALTER SEQUENCE {one.name} {words[name]};"


def _enum(name: str, value: Any, one: Thing, other: Thing, _right: Snapshot) -> str | None:
    was = other.properties["labels"]
    if name != "labels" or [label for label in value if label in was] != was:
        return f"-- labels cannot be moved or removed: make {one.name} anew, and its columns of it"
    parts = []
    for place, label in enumerate(value):
        if label not in was:
            where = f"AFTER {literal(value[place - 1])}" if place else f"BEFORE {literal(was[0])}"
            parts.append(f"ALTER TYPE {one.name} ADD VALUE {literal(label)} {where};")
    return "\n".join(parts)


def _extension(name: str, value: Any, one: Thing, other: Thing, _right: Snapshot) -> str | None:
    if name == "schema":
        return f"ALTER EXTENSION {one.name} SET SCHEMA {value};"
    if _version(value) < _version(str(other.properties["version"])):
        return f"-- no extension goes back: drop {one.name}, and create it with VERSION {value}"
    return (
        f"ALTER EXTENSION {one.name} UPDATE TO {literal(value)};\n"
        "-- Supabase takes no version: there it comes with an upgrade of the project"
    )


def _version(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _role(name: str, value: Any, one: Thing, _other: Thing, right: Snapshot) -> str | None:
    alter = f"ALTER ROLE {role(one.name, right)}"
    if name == "connection limit":
        return f"{alter} CONNECTION LIMIT {value};"
    if name == "valid until":
        return f"{alter} VALID UNTIL {literal(value or 'infinity')};"
    return f"{alter} {'' if value else 'NO'}{name.upper()};"


def _membership(_name: str, value: Any, one: Thing, _other: Thing, right: Snapshot) -> str:
    member, _, group = one.name.partition(" IN ")
    if value:
        return f"GRANT {group} TO {role(member, right)} WITH ADMIN OPTION;"
    return f"REVOKE ADMIN OPTION FOR {group} FROM {role(member, right)};"


def _setting(_name: str, value: Any, one: Thing, _other: Thing, right: Snapshot) -> str:
    return create.setting(one, value, right)


def _role_setting(_name: str, _value: Any, one: Thing, _other: Thing, right: Snapshot) -> str:
    return create.whole(one, right, right)


def _publication(name: str, value: Any, one: Thing, _other: Thing, right: Snapshot) -> str | None:
    if name == "owner":
        return f"ALTER PUBLICATION {one.name} OWNER TO {role(value, right)};"
    if name == "via root":
        return f"ALTER PUBLICATION {one.name} SET (publish_via_partition_root = {value});"
    if name == "all tables":
        return f"-- make publication {one.name} anew{' FOR ALL TABLES' if value else ''}"
    kinds = ("insert", "update", "delete", "truncate")
    published = ", ".join(kind for kind in kinds if one.properties[kind])
    return f"ALTER PUBLICATION {one.name} SET (publish = {literal(published)});"


def _published(_name: str, _value: Any, one: Thing, other: Thing, right: Snapshot) -> str:
    return f"{create.gone(other, right)}\n{create.whole(one, right, right)}"


def _server(name: str, value: Any, _one: Thing, _other: Thing, right: Snapshot) -> str:
    if right.environment == "prod":
        return f"-- upgrade the project to {name} version {value}, in Supabase's settings"
    return f"-- take a server of {name} version {value}: another package or postgres_docker_image"


def _database(name: str, value: Any, one: Thing, _other: Thing, _right: Snapshot) -> str:
    return f"-- made with the database: dump, make it anew with {one.name} {name} {value}, restore"


def _revision(_name: str, value: Any, _one: Thing, _other: Thing, _right: Snapshot) -> str:
    return f"-- dhafnck-db schema upgrade (or downgrade), to {value or 'base'}"


CHANGES = {
    "column": _column,
    "constraint": _constraint,
    "database": _database,
    "enum": _enum,
    "extension": _extension,
    "function": _routine,
    "index": _index,
    "membership": _membership,
    "publication": _publication,
    "published table": _published,
    "revision": _revision,
    "role": _role,
    "role setting": _role_setting,
    "sequence": _sequence,
    "server": _server,
    "setting": _setting,
    "table": _table,
    "trigger": _trigger,
    "view": _view,
}
