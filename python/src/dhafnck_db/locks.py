"""Which locks a statement takes on tables, and what it has to do with their rows.

Reviewed tables from PostgreSQL's documentation: "Explicit Locking" (13.3.1), and of each form of
"ALTER TABLE" its reference page. A test holds them against what a server really locks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import postgast
from postgast import pg_query_pb2 as tree

from dhafnck_db import ddl

ACCESS_SHARE = "ACCESS SHARE"
ROW_EXCLUSIVE = "ROW EXCLUSIVE"
SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
SHARE = "SHARE"
SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
EXCLUSIVE = "EXCLUSIVE"
ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

# From the weakest to the strongest, with what others cannot do meanwhile.
BLOCKS = {
    ACCESS_SHARE: "nothing",
    ROW_EXCLUSIVE: "nothing",
    SHARE_UPDATE_EXCLUSIVE: "schema changes",
    SHARE: "writes",
    SHARE_ROW_EXCLUSIVE: "writes",
    EXCLUSIVE: "writes",
    ACCESS_EXCLUSIVE: "reads and writes",
}
STRENGTH = list(BLOCKS)

# Forms of ALTER TABLE that do not take ACCESS EXCLUSIVE.
ALTER = {
    tree.AT_SetStatistics: SHARE_UPDATE_EXCLUSIVE,
    tree.AT_SetOptions: SHARE_UPDATE_EXCLUSIVE,
    tree.AT_ResetOptions: SHARE_UPDATE_EXCLUSIVE,
    tree.AT_SetRelOptions: SHARE_UPDATE_EXCLUSIVE,
    tree.AT_ResetRelOptions: SHARE_UPDATE_EXCLUSIVE,
    tree.AT_ValidateConstraint: SHARE_UPDATE_EXCLUSIVE,
    tree.AT_ClusterOn: SHARE_UPDATE_EXCLUSIVE,
    tree.AT_DropCluster: SHARE_UPDATE_EXCLUSIVE,
    tree.AT_AttachPartition: SHARE_UPDATE_EXCLUSIVE,
    tree.AT_EnableTrig: SHARE_ROW_EXCLUSIVE,
    tree.AT_EnableAlwaysTrig: SHARE_ROW_EXCLUSIVE,
    tree.AT_EnableReplicaTrig: SHARE_ROW_EXCLUSIVE,
    tree.AT_DisableTrig: SHARE_ROW_EXCLUSIVE,
    tree.AT_EnableTrigAll: SHARE_ROW_EXCLUSIVE,
    tree.AT_DisableTrigAll: SHARE_ROW_EXCLUSIVE,
    tree.AT_EnableTrigUser: SHARE_ROW_EXCLUSIVE,
    tree.AT_DisableTrigUser: SHARE_ROW_EXCLUSIVE,
}
# Statements about one relation, by the parser's name of the kind and of its field.
RELATION = {
    ("create_trig_stmt", "relation"): SHARE_ROW_EXCLUSIVE,
    ("create_policy_stmt", "table"): ACCESS_EXCLUSIVE,
    ("alter_policy_stmt", "table"): ACCESS_EXCLUSIVE,
    ("rule_stmt", "relation"): ACCESS_EXCLUSIVE,
    ("alter_object_schema_stmt", "relation"): ACCESS_EXCLUSIVE,
    ("insert_stmt", "relation"): ROW_EXCLUSIVE,
    ("update_stmt", "relation"): ROW_EXCLUSIVE,
    ("delete_stmt", "relation"): ROW_EXCLUSIVE,
    ("merge_stmt", "relation"): ROW_EXCLUSIVE,
    ("copy_stmt", "relation"): ROW_EXCLUSIVE,
}
# Of those whose work cannot be read from the statement.
OPAQUE = ("do_stmt", "call_stmt", "execute_stmt", "select_stmt")

Work = Literal["catalog", "scan", "build", "rewrite", "rows", "unknown"]
HARDER: tuple[Work, ...] = ("catalog", "scan", "build", "rewrite", "rows", "unknown")


ALL = "*"


@dataclass(frozen=True)
class Lock:
    """A lock on a table, or on the table of an index."""

    relation: str  # with its schema
    mode: str
    of_index: bool = False  # the relation is an index, and its table is what is locked
    unties: str | None = None  # the foreign key, or ALL, whose other table is locked alike


def taken(sql: str) -> list[Lock]:
    """Return the locks that a statement takes on tables that are there; the strongest of each.

    Of a SELECT and of code (DO, CALL) it knows nothing; see `work`.
    """
    return strongest(lock for node in _nodes(sql) for lock in _locks(node))


def strongest(found: Iterable[Lock]) -> list[Lock]:
    """Return of several locks the strongest on each relation."""
    kept: dict[tuple[str, bool, str | None], Lock] = {}
    for lock in sorted(found, key=lambda one: STRENGTH.index(one.mode)):
        kept[lock.relation, lock.of_index, lock.unties] = lock
    return list(kept.values())


def work(sql: str, volatile: Collection[str]) -> Work:
    """Return what a statement has to do with the rows of its table.

    "catalog" is nothing, "scan" reads all, "build" makes an index, "rewrite" writes all anew,
    "rows" depends on how many it concerns, and "unknown" is code that cannot be read.

    Args:
        sql: the statement.
        volatile: names of the functions of which each call gives another value.
    """
    kinds = [_work(node, volatile) for node in _nodes(sql)]
    return max(kinds, key=HARDER.index, default="unknown")


def _nodes(sql: str) -> list[tree.Node]:
    try:
        return ddl.parse(sql)
    except postgast.PgQueryError:
        return []


def _locks(node: tree.Node) -> Iterator[Lock]:
    found = ddl.kind(node)
    statement = getattr(node, found)
    for (name, place), mode in RELATION.items():
        if found == name:
            yield Lock(ddl.named(getattr(statement, place)), mode)
    if found == "alter_table_stmt":
        yield from _of_alter(statement)
    elif found == "create_stmt":
        yield from _of_create(statement)
    elif found == "index_stmt":
        mode = SHARE_UPDATE_EXCLUSIVE if statement.concurrent else SHARE
        yield Lock(ddl.named(statement.relation), mode)
    elif found == "rename_stmt" and statement.HasField("relation"):
        on_index = statement.rename_type == tree.OBJECT_INDEX
        mode = SHARE_UPDATE_EXCLUSIVE if on_index else ACCESS_EXCLUSIVE
        if not on_index:
            yield Lock(ddl.named(statement.relation), mode)
    elif found == "drop_stmt":
        yield from _of_drop(statement)
    elif found == "truncate_stmt":
        for item in statement.relations:
            yield Lock(ddl.named(item.range_var), ACCESS_EXCLUSIVE)
    elif found == "comment_stmt" and statement.objtype == tree.OBJECT_TABLE:
        yield Lock(ddl.dotted(statement.object), SHARE_UPDATE_EXCLUSIVE)
    elif found == "comment_stmt" and statement.objtype == tree.OBJECT_COLUMN:
        yield Lock(_without_last(statement.object), SHARE_UPDATE_EXCLUSIVE)
    elif found == "create_stats_stmt":
        for item in statement.relations:
            yield Lock(ddl.named(item.range_var), SHARE_UPDATE_EXCLUSIVE)
    elif found == "vacuum_stmt":
        for item in statement.rels:
            yield Lock(ddl.named(item.vacuum_relation.relation), SHARE_UPDATE_EXCLUSIVE)


def _of_alter(statement: tree.AlterTableStmt) -> Iterator[Lock]:
    if statement.objtype != tree.OBJECT_TABLE:
        return
    table = ddl.named(statement.relation)
    for item in statement.cmds:
        command = item.alter_table_cmd
        constraint = getattr(command, "def").constraint
        if command.subtype == tree.AT_AddConstraint and constraint.contype == tree.CONSTR_FOREIGN:
            yield Lock(table, SHARE_ROW_EXCLUSIVE)
            yield Lock(ddl.named(constraint.pktable), SHARE_ROW_EXCLUSIVE)
            continue
        unties = command.name if command.subtype == tree.AT_DropConstraint else None
        yield Lock(table, ALTER.get(command.subtype, ACCESS_EXCLUSIVE), unties=unties)
        if command.subtype == tree.AT_AddColumn:
            yield from _references(getattr(command, "def").column_def.constraints)
        elif command.subtype == tree.AT_AttachPartition:
            partition = getattr(command, "def").partition_cmd.name
            yield Lock(ddl.named(partition), ACCESS_EXCLUSIVE)


def _of_create(statement: tree.CreateStmt) -> Iterator[Lock]:
    parents = ACCESS_EXCLUSIVE if statement.HasField("partbound") else SHARE_UPDATE_EXCLUSIVE
    for item in statement.inh_relations:
        yield Lock(ddl.named(item.range_var), parents)
    yield from _references(statement.table_elts)
    for element in statement.table_elts:
        yield from _references(element.column_def.constraints)


def _references(items: Collection[tree.Node]) -> Iterator[Lock]:
    for item in items:
        if item.constraint.contype == tree.CONSTR_FOREIGN:
            yield Lock(ddl.named(item.constraint.pktable), SHARE_ROW_EXCLUSIVE)


def _of_drop(statement: tree.DropStmt) -> Iterator[Lock]:
    for item in statement.objects:
        if statement.remove_type == tree.OBJECT_TABLE:
            yield Lock(ddl.dotted(item), ACCESS_EXCLUSIVE, unties=ALL)
        elif statement.remove_type == tree.OBJECT_INDEX:
            mode = SHARE_UPDATE_EXCLUSIVE if statement.concurrent else ACCESS_EXCLUSIVE
            yield Lock(ddl.dotted(item), mode, of_index=True)
        elif statement.remove_type in (tree.OBJECT_TRIGGER, tree.OBJECT_POLICY, tree.OBJECT_RULE):
            yield Lock(_without_last(item), ACCESS_EXCLUSIVE)


def _without_last(node: tree.Node) -> str:
    """Return the table in the name of one of its columns, triggers or policies."""
    parts = [item.string.sval for item in node.list.items][:-1]
    return ".".join(parts if len(parts) > 1 else [ddl.DEFAULT_SCHEMA, *parts])


def _work(node: tree.Node, volatile: Collection[str]) -> Work:
    found = ddl.kind(node)
    if found in OPAQUE:
        return "unknown"
    if found in ("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "copy_stmt"):
        return "rows"
    if found == "index_stmt":
        return "build"
    if found == "vacuum_stmt":
        return "scan"
    if found == "alter_table_stmt" and node.alter_table_stmt.objtype == tree.OBJECT_TABLE:
        kinds = [_of_command(item.alter_table_cmd, volatile) for item in node.alter_table_stmt.cmds]
        return max(kinds, key=HARDER.index, default="catalog")
    return "catalog"


def _of_command(command: tree.AlterTableCmd, volatile: Collection[str]) -> Work:
    given = getattr(command, "def")
    if command.subtype == tree.AT_AddColumn:
        return _of_column(given.column_def, volatile)
    if command.subtype in (tree.AT_AlterColumnType, tree.AT_SetAccessMethod, tree.AT_SetLogged):
        return "rewrite"  # at worst: a longer varchar, or varchar to text, is none
    if command.subtype in (tree.AT_SetNotNull, tree.AT_ValidateConstraint, tree.AT_AttachPartition):
        return "scan"
    if command.subtype == tree.AT_AddConstraint:
        constraint = given.constraint
        if constraint.contype in (tree.CONSTR_PRIMARY, tree.CONSTR_UNIQUE, tree.CONSTR_EXCLUSION):
            return "catalog" if constraint.indexname else "build"
        return "catalog" if constraint.skip_validation else "scan"
    return "catalog"


def _of_column(column: tree.ColumnDef, volatile: Collection[str]) -> Work:
    kinds: list[Work] = ["catalog"]
    for item in column.constraints:
        kind = item.constraint.contype
        anew = kind == tree.CONSTR_DEFAULT and bool(_calls(item.constraint) & set(volatile))
        if anew or kind in (tree.CONSTR_IDENTITY, tree.CONSTR_GENERATED):
            kinds.append("rewrite")
        elif kind in (tree.CONSTR_PRIMARY, tree.CONSTR_UNIQUE):
            kinds.append("build")
        elif kind == tree.CONSTR_CHECK:
            kinds.append("scan")
    names = {item.string.sval for item in column.type_name.names}
    if names & {"serial", "bigserial", "smallserial"}:
        kinds.append("rewrite")
    return max(kinds, key=HARDER.index)


def _calls(constraint: tree.Constraint) -> set[str]:
    """Return the names of the functions that a default calls."""
    return {
        node.funcname[-1].string.sval
        for _, node in postgast.walk(constraint.raw_expr)
        if isinstance(node, tree.FuncCall)
    }
