"""What an import will do with a file, as values that go to JSON and come back.

It never reads the file or the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dhafnck_db.errors import SourceError


@dataclass(frozen=True)
class Source:
    """The legacy file as it was read."""

    path: str
    sha256: str
    bytes: int
    generation: str
    encoding: str = "UTF-8"
    user_version: int = 0
    application_id: int = 0


@dataclass(frozen=True)
class Place:
    """A column of the target."""

    schema: str
    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}.{self.column}"


@dataclass(frozen=True)
class ColumnPlan:
    """Where a column of the file goes and how.

    `convert` names the target's type for a mapped column, the representation for an archived one.
    """

    name: str
    declared: str
    to: Place | None  # None only where the table is empty
    convert: str | None
    types: Mapping[str, int]
    fold: Place | None = None


@dataclass(frozen=True)
class Derived:
    """A column of the target that the file lacks and whose value follows from other columns.

    A column of kind id follows from the columns in `sources`; one of kind owner from the row of
    `parent` that the column in `sources` refers to, where there is one, else from `owner`.
    """

    column: str
    kind: str  # id, owner
    sources: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True)
class Archive:
    """The table of schema legacy that keeps what has no place in the models.

    `rowid` is the column that holds the number of the row; `keys` are columns of the source that
    are kept here too, so that a row is recognised: archive column by source column.
    """

    table: str
    rowid: str
    keys: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # source: (name, represent.)


@dataclass(frozen=True)
class TablePlan:
    """Where a table of the file goes and how."""

    name: str
    rows: int
    to: str
    columns: tuple[ColumnPlan, ...]
    derived: tuple[Derived, ...] = ()
    archive: Archive | None = None
    autoincrement: int | None = None
    rejected: tuple[int, ...] = ()  # numbers of rows, ascending

    @property
    def mapped(self) -> bool:
        """Whether the rows go into the models."""
        return self.to.startswith("public.")

    @property
    def target(self) -> str:
        """The name of the target's table without its schema."""
        return self.to.partition(".")[2]


@dataclass(frozen=True)
class Reject:
    """A value, or a row where `column` is None, that cannot be carried exactly."""

    table: str
    key: str
    column: str | None
    value: str | None  # as a SQLite literal, shortened
    code: str
    reason: str
    number: int  # of the row, as `source.read_rows` gives it


@dataclass(frozen=True)
class Warning:
    """Something that is carried over and still worth a look."""

    table: str
    key: str | None
    column: str | None
    value: str | None
    rows: int
    code: str
    reason: str


OWNERLESS = "owner-required"


@dataclass(frozen=True)
class Unplaced:
    """An object of the file that holds no rows and has no place in the target."""

    type: str
    name: str
    reason: str
    sql: str | None = None


@dataclass(frozen=True)
class Plan:
    """What an import will do; frozen, complete, and the same for the same file and owner."""

    source: Source
    owner: str | None
    tables: tuple[TablePlan, ...]
    rejects: tuple[Reject, ...]
    warnings: tuple[Warning, ...]
    unplaced: tuple[Unplaced, ...]

    @property
    def totals(self) -> dict[str, int]:
        """Rows of the file by what becomes of them; mapped + archived + rejected = rows."""
        rejected = sum(len(table.rejected) for table in self.tables)
        mapped = sum(t.rows - len(t.rejected) for t in self.tables if t.mapped)
        return {
            "rows": sum(table.rows for table in self.tables),
            "mapped": mapped,
            "archived": sum(table.rows for table in self.tables if not table.mapped),
            "rejected": rejected,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values."""
        return {
            "source": asdict(self.source),
            "owner": self.owner,
            "tables": [_table_to_dict(table) for table in self.tables],
            "rejects": [asdict(reject) for reject in self.rejects],
            "warnings": [asdict(warning) for warning in self.warnings],
            "unplaced": [asdict(entry) for entry in self.unplaced],
            "totals": self.totals,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_dict` gave."""
        rejects = tuple(Reject(**entry) for entry in data["rejects"])
        numbers: dict[str, set[int]] = {}
        for reject in rejects:
            numbers.setdefault(reject.table, set()).add(reject.number)
        return cls(
            source=Source(**data["source"]),
            owner=data["owner"],
            tables=tuple(
                _table_from_dict(table, numbers.get(table["name"], set()))
                for table in data["tables"]
            ),
            rejects=rejects,
            warnings=tuple(Warning(**entry) for entry in data["warnings"]),
            unplaced=tuple(Unplaced(**entry) for entry in data["unplaced"]),
        )


def _table_to_dict(table: TablePlan) -> dict[str, Any]:
    return {
        "name": table.name,
        "rows": table.rows,
        "to": table.to,
        "columns": [
            {
                "name": column.name,
                "declared": column.declared,
                "to": column.to and str(column.to),
                "convert": column.convert,
                "types": dict(column.types),
                **({"fold": str(column.fold)} if column.fold else {}),
            }
            for column in table.columns
        ],
        "rejects": len(table.rejected),
        "derived": [{**asdict(d), "sources": list(d.sources)} for d in table.derived],
        "archive": table.archive and _archive_to_dict(table.archive),
        "autoincrement": table.autoincrement,
    }


def _archive_to_dict(archive: Archive) -> dict[str, Any]:
    keys = {source: list(kept) for source, kept in archive.keys.items()}
    return {"table": archive.table, "rowid": archive.rowid, "keys": keys}


def _table_from_dict(data: Mapping[str, Any], rejected: set[int]) -> TablePlan:
    archive = data["archive"] and Archive(
        data["archive"]["table"],
        data["archive"]["rowid"],
        {source: tuple(kept) for source, kept in data["archive"]["keys"].items()},
    )
    # A table of the target has no dot in its name, the archive's may: the archive says its own.
    names = {"legacy": archive and archive.table, "public": data["to"].partition(".")[2]}

    def place(dotted: str | None) -> Place | None:
        if dotted is None:
            return None
        schema = dotted.partition(".")[0]
        table = names[schema] or ""
        return Place(schema, table, dotted[len(schema) + len(table) + 2 :])

    return TablePlan(
        name=data["name"],
        rows=data["rows"],
        to=data["to"],
        columns=tuple(
            ColumnPlan(
                column["name"],
                column["declared"],
                place(column["to"]),
                column["convert"],
                column["types"],
                place(column.get("fold")),
            )
            for column in data["columns"]
        ),
        derived=tuple(Derived(**{**d, "sources": tuple(d["sources"])}) for d in data["derived"]),
        archive=archive,
        autoincrement=data["autoincrement"],
        rejected=tuple(sorted(rejected)),
    )


class RejectsFoundError(SourceError):
    """The file holds values that cannot be carried exactly; `plan` has the list."""

    def __init__(self, plan: Plan) -> None:
        first: Sequence[str] = [
            f"{r.table}[{r.key}]{'.' + r.column if r.column else ''}: {r.reason} ({r.code})"
            for r in plan.rejects[:5]
        ]
        more = len(plan.rejects) - len(first)
        super().__init__(
            "rejects-found",
            f"{plan.totals['rejected']} rows of {plan.source.path} cannot be carried exactly; "
            "nothing was written",
            cause="; ".join(first) + (f"; and {more} more" if more > 0 else ""),
            help="`sqlite assess` lists all; correct the file, or import with --quarantine",
        )
        self.plan = plan
