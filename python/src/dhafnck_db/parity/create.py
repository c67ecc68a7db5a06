"""The statements that make a thing of a snapshot, or take it away.

It never runs one.
"""

from __future__ import annotations

from typing import Any

from dhafnck_db.parity.snapshot import Snapshot, Thing

OWNER = "(owner)"
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
# In this order a table's parts can be made.
PARTS = ("constraint", "index", "statistics", "policy", "trigger", "rule", "grant")
LISTS = ("search_path",)  # a setting that is a list of names, and not one text


def literal(value: object) -> str:
    """Return a value as SQL spells a text, or NULL."""
    if value is None:
        return "NULL"
    text = str(value).replace("'", "''")
    return f"E'{text.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{text}'"


def role(name: str, there: Snapshot) -> str:
    """Return a role's name as it is there: the owner's is another one in each environment."""
    return identifier(there.owner) if name == OWNER else name


def identifier(name: str) -> str:
    """Return a name as SQL spells it."""
    if name and set(name) <= PLAIN and not name[0].isdigit():
        return name
    return '"' + name.replace('"', '""') + '"'


def target(thing: Thing) -> str:
    """Return how COMMENT ON and ALTER call a thing."""
    if thing.kind == "function":
        return f"{thing.properties['kind']} {thing.name}"
    if thing.kind in ("policy", "trigger", "rule", "constraint"):
        return f"{thing.kind.upper()} {thing.name} ON {thing.of}"
    if thing.kind in ("enum", "range", "composite type"):
        return f"TYPE {thing.name}"
    return f"{thing.kind.upper()} {thing.title}"


def whole(thing: Thing, here: Snapshot, there: Snapshot, *, around: bool = True) -> str:
    """Return what makes a thing `there` as it is `here`, with all that belongs to it.

    `around=False` leaves out the grants on it.
    """
    made = _made(thing, here, there)
    owner, comment = thing.properties.get("owner"), thing.properties.get("comment")
    lines = [made]
    if owner not in (None, OWNER) and thing.kind not in ("index", "publication"):
        lines.append(f"ALTER {target(thing)} OWNER TO {owner};")
    if comment is not None:
        lines.append(f"COMMENT ON {target(thing)} IS {literal(comment)};")
    if around and thing.kind in ("function", "enum", "domain", "range", "schema", "view",
                                 "materialized view", "sequence"):  # fmt: skip
        grants = [grant for grant in here.of(thing.name) if grant.kind == "grant"]
        if thing.kind in ("function", "enum", "domain", "range") and grants:
            lines.append(f"REVOKE ALL ON {grants[0].name.rpartition(' TO ')[0]} FROM PUBLIC;")
        lines += [privileges(grant, None, there) for grant in grants if not _owners(grant)]
    return "\n".join(lines)


def gone(thing: Thing, there: Snapshot) -> str:
    """Return what takes a thing away; a column or a table goes with its rows."""
    name = thing.name
    if thing.kind == "column":
        return f"ALTER TABLE {thing.of} DROP COLUMN {name};  -- with its values"
    if thing.kind == "constraint":
        return f"ALTER TABLE {thing.of} DROP CONSTRAINT {name};"
    if thing.kind == "role":
        return f"DROP ROLE {role(name, there)};"
    if thing.kind == "membership":
        member, _, group = name.partition(" IN ")
        return f"REVOKE {group} FROM {role(member, there)};"
    if thing.kind == "role setting":
        setting_name, _, of = name.partition(" FOR ")
        return f"ALTER ROLE {role(of, there)} RESET {setting_name};"
    if thing.kind == "published table":
        return f"ALTER PUBLICATION {name} DROP TABLE {thing.of};"
    if thing.kind == "setting":
        return f"-- {name} is a setting of another version of the server"
    rows = "  -- with its rows" if thing.kind == "table" else ""
    return f"DROP {target(thing)};{rows}"


def privileges(one: Thing | None, other: Thing | None, there: Snapshot) -> str:
    """Return what gives a grantee the privileges of `one`, where it has those of `other`."""
    thing = one or other
    if thing is None:
        return ""
    wanted, had = ({*side.properties["privileges"]} if side else set() for side in (one, other))
    passed, passes = ({*side.properties["grantable"]} if side else set() for side in (one, other))
    lines = [
        _granting(verb, found, thing, there, option)
        for verb, found, option in (
            ("REVOKE", had - wanted, ""),
            ("REVOKE", (passes - passed) & wanted, "GRANT OPTION FOR "),
            ("GRANT", wanted - had - passed, ""),
            ("GRANT", passed - passes, " WITH GRANT OPTION"),
        )
        if found
    ]
    return "\n".join(lines)


def column(thing: Thing) -> str:
    """Return a column as CREATE TABLE and ADD COLUMN spell it."""
    p = thing.properties
    words = [thing.name, p["type"]]
    words += [f"COLLATE {p['collation']}"] if p["collation"] else []
    words += [f"GENERATED ALWAYS AS {p['generated']}"] if p["generated"] else []
    words += [f"GENERATED {p['identity']} AS IDENTITY"] if p["identity"] else []
    words += [f"DEFAULT {p['default']}"] if p["default"] is not None else []
    words += ["NOT NULL"] if p["not null"] else []
    return " ".join(words)


def setting(thing: Thing, value: Any, there: Snapshot) -> str:
    """Return what sets a setting: for the database where that can be, else for the server."""
    spelled = value if thing.name in LISTS else literal(value)
    if thing.properties.get("_context") in ("user", "superuser"):
        return f"ALTER DATABASE {identifier(there.database)} SET {thing.name} = {spelled};"
    if there.environment == "prod":
        return f"-- supabase_project_settings: postgres: {thing.name}: {value}"
    return f"ALTER SYSTEM SET {thing.name} = {spelled};  -- and restart the server"


def _made(thing: Thing, here: Snapshot, there: Snapshot) -> str:
    p, name = thing.properties, thing.name
    if thing.kind == "table":
        return _table(thing, here, there)
    if thing.kind == "grant":
        return privileges(thing, None, there)
    if thing.kind in ("view", "materialized view"):
        options = f" WITH ({', '.join(p['options'])})" if p["options"] else ""
        return f"CREATE {thing.kind.upper()} {name}{options} AS\n{p['definition']}"
    if thing.kind in ("index", "trigger", "statistics", "rule"):
        made = f"{p['definition'].rstrip(';')};"
        off = thing.kind == "trigger" and p["enabled"] != "ENABLE"
        return f"{made}\nALTER TABLE {thing.of} {p['enabled']} TRIGGER {name};" if off else made
    if thing.kind == "function" and p["kind"] != "AGGREGATE":
        return f"{p['definition'].rstrip()};"
    statements = {
        "schema": lambda: f"CREATE SCHEMA {name};",
        "column": lambda: f"ALTER TABLE {thing.of} ADD COLUMN {column(thing)};",
        "constraint": lambda: f"ALTER TABLE {thing.of} ADD CONSTRAINT {name} {p['definition']};",
        "policy": lambda: _policy(thing, there),
        "sequence": lambda: _sequence(thing),
        "enum": lambda: f"CREATE TYPE {name} AS ENUM ({', '.join(map(literal, p['labels']))});",
        "domain": lambda: _domain(thing),
        "range": lambda: f"CREATE TYPE {name} AS RANGE (subtype = {p['subtype']});",
        "composite type": lambda: f"CREATE TYPE {name} AS ({', '.join(p['attributes'])});",
        "extension": lambda: f"CREATE EXTENSION {name} SCHEMA {p['schema']};",
        "role": lambda: f"CREATE ROLE {name} {_attributes(p)};",
        "membership": lambda: _membership(thing, there),
        "role setting": lambda: _role_setting(thing, there),
        "published table": lambda: _published(thing),
        "publication": lambda: f"CREATE PUBLICATION {name}{' FOR ALL TABLES' * p['all tables']};",
    }
    made_by = statements.get(thing.kind)
    return made_by() if made_by else f"-- make {thing.kind} {thing.title} by hand"


def _table(thing: Thing, here: Snapshot, there: Snapshot) -> str:
    if thing.properties["kind"] != "plain" or thing.properties["parents"]:
        return f"-- {thing.name} is partitioned, foreign or inherits: make it by hand"
    parts = {part.name: part for part in here.of(thing.name) if part.kind == "column"}
    order = [parts[name] for name in thing.properties["column order"]]
    unlogged = "UNLOGGED " if thing.properties["persistence"] == "unlogged" else ""
    lines = [f"CREATE {unlogged}TABLE {thing.name} (\n    "
             + ",\n    ".join(map(column, order)) + "\n);"]  # fmt: skip
    lines += [f"COMMENT ON COLUMN {one.title} IS {literal(one.properties['comment'])};"
              for one in order if one.properties["comment"] is not None]  # fmt: skip
    of = sorted(here.of(thing.name), key=lambda part: (_last(part), part.key))
    lines += [whole(part, here, there) for kind in PARTS for part in of
              if part.kind == kind and not _owners(part)]  # fmt: skip
    if thing.properties["row level security"]:
        lines.append(f"ALTER TABLE {thing.name} ENABLE ROW LEVEL SECURITY;")
    if thing.properties["forced row level security"]:
        lines.append(f"ALTER TABLE {thing.name} FORCE ROW LEVEL SECURITY;")
    return "\n".join(lines)


def _last(part: Thing) -> bool:
    """Whether it leans on another part: a foreign key on a unique one."""
    return str(part.properties.get("definition", "")).startswith("FOREIGN KEY")


def _owners(part: Thing) -> bool:
    return part.kind == "grant" and part.name.endswith(f" TO {OWNER}")


def _granting(verb: str, found: set[str], thing: Thing, there: Snapshot, option: str) -> str:
    what, _, grantee = thing.name.rpartition(" TO ")
    grantee = role(grantee, there)
    direction = "TO" if verb == "GRANT" else "FROM"
    before, after = (option, "") if verb == "REVOKE" else ("", option)
    if thing.kind == "default privilege":
        objects, _, creator = what.rpartition(" FOR ")
        objects, _, schema = objects.partition(" IN SCHEMA ")
        inside = f" IN SCHEMA {schema}" if schema else ""
        listed = ", ".join(sorted(found))
        return (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {role(creator, there)}{inside} "
            f"{verb} {before}{listed} ON {objects} {direction} {grantee}{after};"
        )
    if what.startswith("COLUMN "):
        name = what.removeprefix(f"COLUMN {thing.of}.")
        listed = ", ".join(f"{privilege} ({name})" for privilege in sorted(found))
        what = f"TABLE {thing.of}"
    else:
        listed = ", ".join(sorted(found))
    return f"{verb} {before}{listed} ON {what} {direction} {grantee}{after};"


def _policy(thing: Thing, there: Snapshot) -> str:
    p = thing.properties
    lines = [f"CREATE POLICY {thing.name} ON {thing.of}"]
    lines += [] if p["permissive"] else ["AS RESTRICTIVE"]
    lines += [f"FOR {p['command']}", f"TO {', '.join(role(one, there) for one in p['roles'])}"]
    lines += [f"USING ({p['using']})"] if p["using"] else []
    lines += [f"WITH CHECK ({p['check']})"] if p["check"] else []
    return " ".join(lines) + ";"


def _sequence(thing: Thing) -> str:
    p = thing.properties
    return (
        f"CREATE SEQUENCE {thing.name} AS {p['type']} INCREMENT BY {p['increment']} "
        f"MINVALUE {p['minimum']} MAXVALUE {p['maximum']} START WITH {p['start']} "
        f"CACHE {p['cache']} {'CYCLE' if p['cycle'] else 'NO CYCLE'} "
        f"OWNED BY {p['owned by'] or 'NONE'};"
    )


def _domain(thing: Thing) -> str:
    p = thing.properties
    default = f" DEFAULT {p['default']}" if p.get("default") else ""
    rules = " NOT NULL" * p["not null"]
    for name, rule in p["constraints"].items():
        rules += f" CONSTRAINT {identifier(name)} {rule}"
    return f"CREATE DOMAIN {thing.name} AS {p['base']}{default}{rules};"


def _attributes(p: dict[str, Any]) -> str:
    names = ("login", "inherit", "superuser", "createdb", "createrole", "replication", "bypassrls")
    words = [f"{'' if p[name] else 'NO'}{name.upper()}" for name in names]
    return " ".join([*words, f"CONNECTION LIMIT {p['connection limit']}"])


def _membership(thing: Thing, there: Snapshot) -> str:
    member, _, group = thing.name.partition(" IN ")
    admin = " WITH ADMIN OPTION" if thing.properties["admin"] else ""
    return f"GRANT {group} TO {role(member, there)}{admin};"


def _role_setting(thing: Thing, there: Snapshot) -> str:
    name, _, of = thing.name.partition(" FOR ")
    value = thing.properties["value"]
    spelled = value if name in LISTS else literal(value)
    return f"ALTER ROLE {role(of, there)} SET {name} = {spelled};"


def _published(thing: Thing) -> str:
    p = thing.properties
    columns = f" ({', '.join(p['columns'])})" if p["columns"] else ""
    where = f" WHERE ({p['where']})" if p["where"] else ""
    return f"ALTER PUBLICATION {thing.name} ADD TABLE {thing.of}{columns}{where};"
