"""Row level security and privileges, as the statements that a revision executes.

It never executes them, and never relies on default privileges, which differ between servers.
"""

from collections.abc import Iterable

from sqlalchemy import DDL, MetaData, Table

# Older Supabase projects grant these everything on a new table in public, newer ones nothing.
ROLES = "PUBLIC, anon, authenticated, service_role"


def secure(
    *tables: str, schema: str | None = None, service: bool = False, sequences: Iterable[str] = ()
) -> list[DDL]:
    """Return the statements that close tables to everyone but their owner.

    Args:
        tables: names of existing tables.
        schema: where they live; None is where an unqualified CREATE TABLE puts them.
        service: let service_role read and write rows.
        sequences: names of sequences in the same schema, to treat alike.
    """
    on_table = [
        "ALTER TABLE %(fullname)s ENABLE ROW LEVEL SECURITY",
        f"REVOKE ALL ON TABLE %(fullname)s FROM {ROLES}",
    ]
    on_sequence = [f"REVOKE ALL ON SEQUENCE %(fullname)s FROM {ROLES}"]
    if service:
        on_table.append(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %(fullname)s TO service_role"
        )
        on_sequence.append("GRANT USAGE ON SEQUENCE %(fullname)s TO service_role")
    return [
        *(statement(rule, table, schema) for table in tables for rule in on_table),
        *(statement(rule, sequence, schema) for sequence in sequences for rule in on_sequence),
    ]


def secure_schema(name: str) -> DDL:
    """Return the statement that closes a schema to everyone but its owner."""
    return statement(f"REVOKE ALL ON SCHEMA %(fullname)s FROM {ROLES}", name)


def secure_function(signature: str) -> str:
    """Return the statement that keeps everyone but its owner from calling a function.

    Args:
        signature: its name, quoted where it has to be, and the types of its arguments.
    """
    return f"REVOKE ALL ON FUNCTION {signature} FROM {ROLES}"


def statement(rule: str, name: str, schema: str | None = None) -> DDL:
    """Return a statement about one object, whose quoted name stands for %(fullname)s in `rule`."""
    # The table is never made: through it SQLAlchemy quotes a name where it has to be.
    ddl = DDL(rule)  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this one untyped
    return ddl.against(Table(name, MetaData(), schema=schema))
