"""What a statement does to tables and columns, read from PostgreSQL's own parse tree of it.

It never executes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import postgast
from postgast import pg_query_pb2 as tree

DEFAULT_SCHEMA = "public"
PUBLIC = "public"  # as GRANT and REVOKE call everybody; no role can have that name


@dataclass(frozen=True)
class Change:
    """One thing that a statement does to a table or a column of it."""

    kind: str
    table: str  # with its schema
    column: str | None = None
    to: str | None = None  # of a rename
    roles: frozenset[str] = frozenset()  # of a revocation

    @property
    def object(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table


def parse(sql: str) -> list[tree.Node]:
    """Return the parse tree of each statement. Raises postgast.PgQueryError on none of SQL."""
    return [raw.stmt for raw in postgast.parse(sql).stmts]


def kind(node: tree.Node) -> str:
    """Return the parser's name of a statement's kind."""
    return str(node.WhichOneof("node"))


def named(relation: tree.RangeVar) -> str:
    """Return a relation's name with its schema."""
    return f"{relation.schemaname or DEFAULT_SCHEMA}.{relation.relname}"


def dotted(node: tree.Node) -> str:
    """Return the name, with its schema, of an object that DROP or COMMENT gives as a list."""
    parts = [item.string.sval for item in node.list.items]
    return ".".join(parts if len(parts) > 1 else [DEFAULT_SCHEMA, *parts])


def changes(sql: str) -> list[Change]:
    """Return what a statement does to tables, columns and rows; of other kinds nothing.

    Args:
        sql: one or several statements; what cannot be parsed changes nothing.
    """
    try:
        nodes = parse(sql)
    except postgast.PgQueryError:
        return []
    return [change for node in nodes for change in _changes(node)]


def _changes(node: tree.Node) -> Iterator[Change]:
    found = kind(node)
    if found == "create_stmt":
        made = node.create_stmt
        if made.relation.relpersistence != "t":
            yield Change("create table", named(made.relation))
            for element in made.table_elts:
                if element.WhichOneof("node") == "column_def":
                    yield Change("add column", named(made.relation), element.column_def.colname)
    elif found == "create_table_as_stmt":
        into = node.create_table_as_stmt.into.rel
        if node.create_table_as_stmt.objtype == tree.OBJECT_TABLE and into.relpersistence != "t":
            yield Change("create table", named(into))
    elif found == "select_stmt" and node.select_stmt.HasField("into_clause"):
        yield Change("create table", named(node.select_stmt.into_clause.rel))
    elif found == "alter_table_stmt":
        yield from _alterations(node.alter_table_stmt)
    elif found == "rename_stmt":
        yield from _renames(node.rename_stmt)
    elif found == "drop_stmt" and node.drop_stmt.remove_type == tree.OBJECT_TABLE:
        for item in node.drop_stmt.objects:
            yield Change("drop table", dotted(item))
    elif found == "truncate_stmt":
        for item in node.truncate_stmt.relations:
            yield Change("truncate", named(item.range_var))
    elif found == "delete_stmt":
        yield Change("delete", named(node.delete_stmt.relation))
    elif found == "grant_stmt":
        yield from _revocations(node.grant_stmt)


def _alterations(statement: tree.AlterTableStmt) -> Iterator[Change]:
    table = named(statement.relation)
    for item in statement.cmds:
        command = item.alter_table_cmd
        if command.subtype == tree.AT_AddColumn:
            yield Change("add column", table, getattr(command, "def").column_def.colname)
        elif command.subtype == tree.AT_DropColumn:
            yield Change("drop column", table, command.name)
        elif command.subtype == tree.AT_EnableRowSecurity:
            yield Change("enable row security", table)
        elif command.subtype == tree.AT_DisableRowSecurity:
            yield Change("disable row security", table)


def _renames(statement: tree.RenameStmt) -> Iterator[Change]:
    table = named(statement.relation)
    if statement.rename_type == tree.OBJECT_COLUMN:
        yield Change("rename column", table, statement.subname, statement.newname)
    elif statement.rename_type == tree.OBJECT_TABLE:
        schema = table.rpartition(".")[0]
        yield Change("rename table", table, to=f"{schema}.{statement.newname}")


def _revocations(statement: tree.GrantStmt) -> Iterator[Change]:
    on_tables = statement.objtype == tree.OBJECT_TABLE
    everything = not statement.privileges  # REVOKE ALL
    if statement.is_grant or not on_tables or not everything:
        return
    roles = frozenset(
        PUBLIC if item.role_spec.roletype == tree.ROLESPEC_PUBLIC else item.role_spec.rolename
        for item in statement.grantees
    )
    for item in statement.objects:
        if item.WhichOneof("node") == "range_var":
            yield Change("revoke all", named(item.range_var), roles=roles)
