"""The mapping file names only what exists in the models."""

from dhafnck_db.legacy.convert import conversion_to
from dhafnck_db.legacy.mapping import load_mapping
from dhafnck_db.models import Base

TABLES = Base.metadata.tables
MAPPING = load_mapping()


def test_every_target_table_exists() -> None:
    named = {
        *MAPPING.tables.values(), *MAPPING.columns, *MAPPING.ids, *MAPPING.owners, *MAPPING.folds,
        *MAPPING.references, *(path.parent for path in MAPPING.owners.values()),
        *(parent for columns in MAPPING.references.values() for parent in columns.values()),
    }  # fmt: skip
    assert named <= TABLES.keys()


def test_every_target_column_exists() -> None:
    for table, renames in MAPPING.columns.items():
        assert set(renames.values()) <= set(TABLES[table].columns.keys()), table
    for table, columns in MAPPING.ids.items():
        assert {"id", *columns} <= set(TABLES[table].columns.keys()), table
    for table, column in MAPPING.folds.items():
        assert column in TABLES[table].columns, table
    for table, references in MAPPING.references.items():
        assert references.keys() <= set(TABLES[table].columns.keys()), table


def test_source_tables_are_none_of_the_models() -> None:
    assert not MAPPING.tables.keys() & TABLES.keys()


def test_every_column_of_the_models_can_be_filled_exactly() -> None:
    for table in TABLES.values():
        for column in table.columns:
            assert conversion_to(column.type), f"{table.name}.{column.name}"


def test_owner_is_reached_before_the_row_that_needs_it() -> None:
    order = [table.name for table in Base.metadata.sorted_tables]
    for table, path in MAPPING.owners.items():
        assert order.index(path.parent) < order.index(table) or table == "agents"


def test_no_table_refers_to_itself_or_in_a_circle() -> None:
    # The assessment goes through the tables once, parents first.
    for table in TABLES.values():
        assert not any(key.column.table is table for key in table.foreign_keys)
