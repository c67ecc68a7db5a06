"""What the models ask of the rows of a table: keys, references, ids.

It never looks at a row.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Table, UniqueConstraint, Uuid

from dhafnck_db.legacy.mapping import LegacyMapping

Names = tuple[str, ...]


def references(target: Table) -> list[tuple[str, str, str]]:
    """Return column, table referred to and column there of each foreign key."""
    return sorted(
        (key.parent.name, key.column.table.name, key.column.name) for key in target.foreign_keys
    )


def unique_keys(target: Table) -> list[Names]:
    """Return the columns of each key, the primary one first; supersets of it add nothing."""
    primary = tuple(column.name for column in target.primary_key)
    others = {
        tuple(column.name for column in constraint.columns)
        for constraint in target.constraints
        if isinstance(constraint, UniqueConstraint)
    } | {tuple(column.name for column in index.columns) for index in target.indexes if index.unique}
    return [primary, *sorted(names for names in others if not set(primary) <= set(names))]


def known_by(target: Table, given: Collection[str]) -> Names | None:
    """Return the first key, the primary one before others, whose columns are given and never NULL.

    It tells every two rows apart. None where there is no such key.
    """
    for names in unique_keys(target):
        if set(names) <= set(given) and not any(target.c[name].nullable for name in names):
            return names
    return None


def counted_column(target: Table, mapping: LegacyMapping) -> str | None:
    """Return the primary key that the target itself counts and that no known reference leads to."""
    (column, *others) = target.primary_key
    if others or column.identity is None:
        return None
    referred_to = {
        key.column for table in target.metadata.tables.values() for key in table.foreign_keys
    }
    parents = {path.parent for path in mapping.owners.values()}.union(
        *(columns.values() for columns in mapping.references.values())
    )
    return None if column in referred_to or target.name in parents else column.name


def id_columns(target: Table, mapping: LegacyMapping) -> dict[str, str]:
    """Return each column of ids with the table whose ids they are, or its own name for others."""
    found = {}
    for column in target.columns:
        if isinstance(column.type, Uuid):
            referred = [key.column.table.name for key in column.foreign_keys]
            referred += [mapping.references.get(target.name, {}).get(column.name, "")]
            own = target.name if column.primary_key else f"{target.name}.{column.name}"
            found[column.name] = referred[0] or own
    return found
