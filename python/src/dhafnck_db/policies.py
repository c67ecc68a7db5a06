"""Row level security for the users of an API, as the statements that a revision executes.

It never executes them. service_role needs no policy: it bypasses row level security, and the grants
say what it may do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import DDL

from dhafnck_db.privileges import statement

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
# Whose token it is. In brackets, so that it is found once for a statement, not once for a row.
SUBJECT = "(SELECT auth.jwt() ->> 'sub')"  # text: the owner of a legacy row is no UUID
SUBJECT_AS_UUID = "(SELECT auth.uid())"


@dataclass(frozen=True)
class OwnRows:
    """What role authenticated may do with a table: with rows of its own, and with nothing else.

    A row without an owner is nobody's.
    """

    table: str
    parents: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The columns that refer to another table's id; what they refer to has to be one's own too,
    so that nobody hangs a row on another user's, where it takes a key or goes with a cascade."""
    verbs: tuple[str, ...] = VERBS
    columns: tuple[str, ...] = ()
    """The only columns that may be read; all when empty."""
    owner: str = "user_id"
    subject: str = SUBJECT


def permit(rule: OwnRows) -> list[DDL]:
    """Return the statements that let role authenticated do what a rule says."""
    mine = f"{rule.owner} = {rule.subject}"
    written = " AND ".join([mine, *(_own_parent(rule, *parent) for parent in rule.parents.items())])
    made = []
    for verb in rule.verbs:
        columns = f" ({', '.join(rule.columns)})" if verb == "SELECT" and rule.columns else ""
        using = "" if verb == "INSERT" else f" USING ({mine})"
        check = f" WITH CHECK ({written})" if verb in ("INSERT", "UPDATE") else ""
        made += [
            f"GRANT {verb}{columns} ON TABLE %(fullname)s TO authenticated",
            f"CREATE POLICY {_name(verb)} ON %(fullname)s "
            f"FOR {verb} TO authenticated{using}{check}",
        ]
    return [statement(rule_, rule.table) for rule_ in made]


def forbid(rule: OwnRows) -> list[DDL]:
    """Return the statements that undo `permit`."""
    revoked = ["REVOKE ALL ON TABLE %(fullname)s FROM authenticated"]  # those of columns go with it
    revoked += [f"DROP POLICY {_name(verb)} ON %(fullname)s" for verb in rule.verbs]
    return [statement(rule_, rule.table) for rule_ in revoked]


def _name(verb: str) -> str:
    return f"own_rows_{verb.lower()}"


def _own_parent(rule: OwnRows, column: str, parent: str) -> str:
    return (
        f"({column} IS NULL OR EXISTS (SELECT FROM {parent} AS parent"
        f" WHERE parent.id = {rule.table}.{column} AND parent.user_id = {SUBJECT}))"
    )
