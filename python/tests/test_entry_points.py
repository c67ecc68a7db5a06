"""Every way to write to production goes through the guard, and every way in is known.

A new command, Alembic command or playbook fails here until it is declared: as one that writes, and
then it must be refused without consent, or as one that reads, and then it must work where the
server lets nobody write.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from alembic.config import CommandLine
from conftest import ROOT
from fix_prod import REF, production
from fix_schema import HEAD, catalog, execute, version
from sqlalchemy import URL
from test_cli import commands

Configure = Callable[[dict[str, str]], None]
Ended = subprocess.CompletedProcess[str]

BIN = Path(sys.executable).parent

# What each is typed with here.
WRITES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("audit", "disable"): ("projects",),
    ("audit", "enable"): ("projects",),
    ("audit", "prune"): ("--older-than", "90d"),
    ("backup", "restore"): ("old.dump",),
    ("realtime", "publish"): ("projects",),
    ("psql",): ("--", "-c", "CREATE TABLE by_psql ()"),
    ("schema", "downgrade"): ("base",),
    ("schema", "upgrade"): (),
    ("sqlite", "import"): ("old.db", "--owner", "me"),
}
READS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("advise",): (),
    ("audit", "status"): (),
    ("backup", "create"): ("new.dump",),
    ("backup", "drill"): (),
    ("backup", "list"): (),
    ("backup", "prune"): (),
    ("backup", "verify"): (),
    ("doctor",): (),
    ("health",): (),
    ("parity",): ("--from", ".env.here", "--to", ".env.here"),
    ("schema", "check"): (),
    ("schema", "current"): (),
    ("schema", "drift"): (),
    ("schema", "history"): (),
    ("schema", "lint"): (),
    ("schema", "plan"): (),
    ("schema", "rehearse"): (),
    ("schema", "revision"): ("-m", "x", "--empty"),
    ("sqlite", "assess"): ("old.db",),
    ("sqlite", "sample"): ("new.db",),
    ("sqlite", "verify"): ("old.db",),
    ("snapshot",): (),
    ("stats",): (),
    ("target", "budget"): ("--processes", "1", "--server", "100"),
    ("target", "show"): (),
}
SERVES = {("serve",)}  # it does not end; test_service asks it where nobody writes
ALEMBIC_WRITES = {
    "downgrade": ("base",),
    "ensure_version": (),
    "stamp": ("head",),
    "upgrade": ("head",),
}
ALEMBIC_READS = {
    "branches": (),
    "check": (),
    "current": (),
    "edit": ("current",),
    "heads": (),
    "history": ("--indicate-current",),
    "list_templates": (),
    "revision": ("--autogenerate", "-m", "x"),
    "show": ("current",),
}
ALEMBIC_FILES = {"init", "merge"}  # they connect to nothing

# Where a playbook can run, and whether what it calls may write to a database there.
PLAYBOOKS = {
    "dev.yml": "development",
    "prod.yml": "asks",
    "playbooks/parity.yml": "reads",
    "playbooks/prod.yml": "asks",
    "playbooks/rehearse.yml": "asks",
    "playbooks/standin.yml": "stand-in",
    "playbooks/standin_stop.yml": "stand-in",
    "playbooks/backup.yml": "reads",
    "playbooks/dev.yml": "development",
    "playbooks/health.yml": "reads",
    "playbooks/image.yml": "development",
    "playbooks/migrate.yml": "writes",
    "playbooks/reset.yml": "development",
    "playbooks/restore.yml": "development",
    "playbooks/rollback.yml": "reads",
    "playbooks/server.yml": "development",
    "playbooks/status.yml": "reads",
    "playbooks/stop.yml": "development",
}


@pytest.fixture
def typed(configure: Configure, checkout: Path, prod: URL) -> Callable[..., Ended]:
    """Type a command at the root of a checkout that is configured for production."""
    configure(production(prod, DB_ALEMBIC_INI=str(checkout / "alembic.ini")))
    subprocess.run([BIN / "dhafnck-db", "sqlite", "sample", "old.db"], cwd=checkout, check=True)
    lines = [f"{name}='{value}'\n" for name, value in production(prod).items()]
    (checkout / ".env.here").write_text("".join(lines))
    (checkout / ".env.here").chmod(0o600)
    (checkout / "old.dump").write_bytes(b"PGDMP")
    record = {"kind": "full", "environment": "prod", "reference": REF, "schemas": ["public"]}
    moment = {"database": "d", "revision": HEAD, "lsn": None, "created_at": "2026-01-01T00:00:00Z"}
    (checkout / "old.dump.json").write_text(json.dumps({**record, **moment}))

    def typed(program: str, *arguments: str) -> Ended:
        return subprocess.run(
            [BIN / program, *arguments],
            cwd=checkout,
            env={**os.environ, "EDITOR": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    return typed


def leaves() -> set[tuple[str, ...]]:
    every = set(commands())
    return {one for one in every if not any(other[: len(one)] == one != other for other in every)}


def alembic_commands() -> set[str]:
    (choices,) = (
        action.choices for action in CommandLine().parser._actions if action.dest != "config" and
        isinstance(action.choices, dict)
    )  # fmt: skip
    return set(choices)


def test_every_command_is_declared() -> None:
    assert leaves() == {*WRITES, *READS, *SERVES}


def test_every_alembic_command_is_declared() -> None:
    assert alembic_commands() == {*ALEMBIC_WRITES, *ALEMBIC_READS, *ALEMBIC_FILES}


def test_every_playbook_is_declared() -> None:
    found = [*(ROOT / "playbooks").glob("*.yml"), *ROOT.glob("*.yml")]
    plays = {str(path.relative_to(ROOT)) for path in found if is_playbook(path)}
    assert plays == set(PLAYBOOKS)


@pytest.mark.parametrize("command", [*WRITES, *((name,) for name in ALEMBIC_WRITES)], ids=" ".join)
def test_what_writes_is_refused_without_consent(
    prod: URL, typed: Callable[..., Ended], command: tuple[str, ...]
) -> None:
    before = catalog(prod), execute(prod, "SELECT * FROM dhafnck.identity")
    if command in WRITES:
        ended = typed("dhafnck-db", *command, *WRITES[command])
        assert ended.returncode == 7, ended.stderr
        said = ended.stderr
    else:
        ended = typed("alembic", *command, *ALEMBIC_WRITES[command[0]])
        assert ended.returncode != 0
        said = ended.stdout + ended.stderr
    destroys = {"downgrade", "restore"}.intersection(command)
    refusal = "backup-missing" if destroys else "consent-missing"
    assert f"error[{refusal}]: " in said
    assert (catalog(prod), execute(prod, "SELECT * FROM dhafnck.identity")) == before
    assert version(prod) == HEAD


@pytest.mark.parametrize("command", [*READS, *((name,) for name in ALEMBIC_READS)], ids=" ".join)
def test_what_reads_works_where_nobody_writes(
    prod: URL, typed: Callable[..., Ended], command: tuple[str, ...]
) -> None:
    execute(prod, f'ALTER DATABASE "{prod.database}" SET default_transaction_read_only = on')
    before = catalog(prod)
    if command in READS:
        ended = typed("dhafnck-db", *command, *READS[command])
        # Health says that nobody can write, and the file was never imported; a dump may be refused,
        # and there is none to look at.
        allowed = {("health",): 6, ("sqlite", "verify"): 6, ("backup", "create"): 5}
        allowed |= {("backup", "drill"): 2, ("backup", "verify"): 2, ("schema", "rehearse"): 5}
        assert ended.returncode in (0, allowed.get(command, 0)), ended.stderr
    else:
        ended = typed("alembic", *command, *ALEMBIC_READS[command[0]])
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "in a read-only transaction" not in ended.stderr
    assert "to go on" not in ended.stderr
    assert catalog(prod) == before


def test_alembic_command_that_only_reads_makes_no_table(
    database: URL, typed: Callable[..., Ended], configure: Configure, checkout: Path
) -> None:
    configure(production(database))
    before = catalog(database)
    for command in ("check", "current", "history"):
        arguments = ("--indicate-current",) if command == "history" else ()
        typed("alembic", command, *arguments)
    assert catalog(database) == before


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_playbook_reaches_production_by_the_command_line_alone(name: str) -> None:
    plays = yaml.safe_load((ROOT / name).read_text())
    hosts = [play["hosts"] for play in plays if "hosts" in play]
    if PLAYBOOKS[name] == "development":
        assert set(hosts) <= {"dev"}
        return
    if PLAYBOOKS[name] == "stand-in":
        assert set(roles_of(plays)) == {"postgres_native", "supabase_standin"}
        return
    if PLAYBOOKS[name] == "asks":
        own = [play for play in plays if "hosts" in play]
        assert set(roles_of(own[:1])) == ({"supabase_consent"} if own else set())
        return
    calls, modules = set(), set()
    for role in set(roles_of(plays)):
        for path in (ROOT / "roles" / role / "tasks").glob("*.yml"):
            for part in parts(yaml.safe_load(path.read_text())):
                calls |= called(part)
                modules |= {key for key in part if "." in key} if isinstance(part, dict) else set()
    # A module that speaks to a database or a vendor by itself would go around the guard.
    assert {module for module in modules if not module.startswith("ansible.builtin.")} == set()
    allowed = {*READS, *WRITES} if PLAYBOOKS[name] == "writes" else set(READS)
    assert calls <= allowed
    assert bool(calls & set(WRITES)) == (PLAYBOOKS[name] == "writes")


def is_playbook(path: Path) -> bool:
    content = yaml.safe_load(path.read_text())
    return isinstance(content, list) and bool({"hosts", "ansible.builtin.import_playbook"} & {
        key for play in content for key in play
    })  # fmt: skip


def parts(value: Any) -> Iterator[Any]:
    """Every mapping and list in a YAML document, outermost first."""
    if isinstance(value, dict | list):
        yield value
        for child in value.values() if isinstance(value, dict) else value:
            yield from parts(child)


def roles_of(plays: list[Any]) -> Iterator[str]:
    """The roles that plays name, in any of the ways."""
    for part in parts(plays):
        if not isinstance(part, dict):
            continue
        for how in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
            if how in part:
                yield part[how]["name"]
        for role in part.get("roles", ()):
            yield role["role"] if isinstance(role, dict) else role


def called(part: Any) -> set[tuple[str, ...]]:
    """The commands of ours that a list of arguments names."""
    if not isinstance(part, list) or not all(isinstance(word, str) for word in part):
        return set()
    return {
        tuple(part[at : at + len(command)])
        for command in (*READS, *WRITES)
        for at in range(len(part))
        if tuple(part[at : at + len(command)]) == command
    }
