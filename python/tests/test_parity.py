"""Each difference of two databases is found, rightly classed, and closed by its statement."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from conftest import PASSWORD, Server
from fix_schema import target_of
from parity_seeds import SEEDS, Seed
from sqlalchemy import URL, text

from dhafnck_db.parity import classify
from dhafnck_db.parity.examine import Finding, examine
from dhafnck_db.parity.observe import observe
from dhafnck_db.parity.sides import look_at
from dhafnck_db.parity.snapshot import Snapshot
from dhafnck_db.target import connect_admin

EXPECTED = classify.load(None)


def do(server: Server, url: URL, statements: str, *, mighty: bool) -> None:
    """Execute statements as they are, as the owner or as the superuser."""
    database = str(url.database)
    user = "postgres" if mighty else str(url.username)
    with closing(
        psycopg2.connect(
            host="127.0.0.1", port=server.port, user=user, password=PASSWORD, dbname=database
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statements.replace("DATABASE {}", f"DATABASE {database}"))


@pytest.fixture
def seeded(request: pytest.FixtureRequest, server: Server, at_head: URL) -> Iterator[Seed]:
    seed: Seed = request.param
    if seed.given:
        do(server, at_head, seed.given, mighty=False)
    yield seed
    if seed.undo:
        do(server, at_head, seed.undo, mighty=True)


def found(findings: list[Finding], seed: Seed) -> Finding:
    """The finding that a seed is for."""
    one, *_ = [
        finding
        for finding in findings
        if (finding.kind, finding.name, finding.property) == (seed.kind, seed.name, seed.trait)
    ] or pytest.fail(str(findings))
    return one


def close(server: Server, url: URL, findings: list[Finding], seed: Seed) -> None:
    statements = "\n".join(finding.close or "" for finding in findings)
    do(server, url, statements, mighty=seed.mighty)


@pytest.mark.parametrize("seeded", SEEDS.values(), ids=SEEDS, indirect=True)
def test_change_by_hand_is_found_on_either_side_and_closed(
    server: Server, at_head: URL, seeded: Seed
) -> None:
    target = target_of(at_head)
    before = look_at(target)
    do(server, at_head, seeded.change, mighty=seeded.mighty)
    after = look_at(target)

    strays, gaps = examine(before, after, EXPECTED), examine(after, before, EXPECTED)
    for findings in (strays, gaps):
        assert found(findings, seeded).verdict == seeded.verdict
        assert len(findings) == 1, findings
    if seeded.by_hand:
        assert (found(strays, seeded).close or "").startswith("-- ")
    else:
        close(server, at_head, strays, seeded)
        assert examine(before, look_at(target), EXPECTED) == []
    if seeded.redo_by_hand:
        assert (found(gaps, seeded).close or "").startswith("-- ")
    elif not seeded.by_hand:
        close(server, at_head, gaps, seeded)
        assert examine(after, look_at(target), EXPECTED) == []


def test_there_are_enough_of_each_class() -> None:
    assert len(SEEDS) >= 40
    assert {seed.verdict for seed in SEEDS.values()} == {"breaks", "drift"}


def test_clean_pair_has_no_difference(server: Server, at_head: URL, shared: URL) -> None:
    assert examine(look_at(target_of(at_head)), look_at(target_of(shared)), []) == []


def test_constraints_that_a_restore_made_anew_are_no_difference(at_head: URL) -> None:
    target = target_of(at_head)
    before = look_at(target)
    with connect_admin(target) as connection:
        checks = connection.execute(
            text(
                "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s',"
                " conrelid::regclass, conname, pg_get_constraintdef(oid))"
                " FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
            )
        ).scalars()
        for check in checks.all():
            connection.exec_driver_sql(check)
        connection.commit()
    after = look_at(target)
    assert before.things != after.things  # the server spells some of them otherwise now
    assert examine(before, after, []) == []


def test_encoding_and_collation_are_found(server: Server, shared: URL) -> None:
    made = "latin"
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"CREATE DATABASE {made} TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'"
            f" OWNER {shared.username}"
        )
    try:
        target = target_of(shared.set(database=made))
        with connect_admin(target) as connection_there:
            latin = observe(connection_there, target.settings, "dev")
    finally:
        with closing(server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {made}")
    findings = [
        (finding.verdict, finding.name, finding.property, finding.left, finding.right)
        for finding in examine(look_at(target_of(shared)), latin, EXPECTED)
        if finding.kind == "database"
    ]
    assert findings == [
        ("breaks", "collation", "characters", "C.UTF-8", "C"),
        ("breaks", "collation", "order", "C.UTF-8", "C"),
        ("breaks", "encoding", "value", "UTF8", "LATIN1"),
    ]


def at_version(snapshot: Snapshot, major: int, minor: int) -> Snapshot:
    """The same as of a server of another version."""
    key = ("server", "", "version")
    thing = replace(snapshot.things[key], properties={"major": major, "minor": minor})
    return replace(snapshot, major=major, things={**snapshot.things, key: thing})


@pytest.mark.parametrize(
    ("version", "trait", "verdict"), [((15, 99), "minor", "drift"), ((99, 2), "major", "breaks")]
)
def test_version_of_the_server_is_compared(
    shared: URL, version: tuple[int, int], trait: str, verdict: str
) -> None:
    seen = at_version(look_at(target_of(shared)), 15, 1)
    (only,) = examine(seen, at_version(seen, *version), EXPECTED)
    assert (only.kind, only.property, only.verdict) == ("server", trait, verdict)
