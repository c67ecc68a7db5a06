"""Which backups stay: by days, weeks and months, and never without the newest that was verified.

It never looks at the clock, and it never removes what somebody is reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dhafnck_db import backup_folder, backup_record
from dhafnck_db.backup_folder import Entry
from dhafnck_db.errors import TargetError, VerificationError
from dhafnck_db.settings import Settings


@dataclass(frozen=True)
class Rule:
    """Of how many days, weeks and months the newest backup stays."""

    days: int
    weeks: int
    months: int


@dataclass(frozen=True)
class Pruned:
    """What stays of a folder, and what goes or went; newest first."""

    kept: list[Path]
    removed: list[Path]
    in_use: list[Path]  # would have gone, but somebody was reading it


def chosen(entries: Sequence[Entry], rule: Rule) -> list[Entry]:
    """Return what the rule keeps of the entries, which come newest first.

    The newest backup of each of the last days, weeks and months that have one. What time it is now
    does not matter, so a clock that jumps removes nothing that would else have stayed.
    """
    kept = set()
    for number, period in (
        (rule.days, "%Y-%m-%d"),
        (rule.weeks, "%G-%V"),
        (rule.months, "%Y-%m"),
    ):
        seen: set[str] = set()
        for entry in entries:
            span = datetime.fromisoformat(entry.record.created_at).strftime(period)
            if span not in seen and len(seen) < number:
                seen.add(span)
                kept.add(entry.path)
    return [entry for entry in entries if entry.path in kept]


def prune(settings: Settings, rule: Rule, *, dry_run: bool) -> Pruned:
    """Remove the backups of DB_BACKUP_DIR that the rule does not keep.

    Backups of another database in the same folder have a retention of their own. Restore points of
    migrations, and files without a record, stay. The newest backup that is whole, as checked here
    and now, stays whatever the rule says.

    Raises:
        TargetError: the last backup did not end well, or somebody else works in the folder.
        VerificationError: no backup is whole; nothing was removed.
    """
    with backup_folder.locked(settings) as folder:
        if backup_folder.unfinished(folder):
            raise TargetError(
                "dump-unfinished",
                f"the last backup in {folder} did not end well; nothing was removed",
                help="make one: dhafnck-db backup create",
            )
        every = backup_folder.entries(folder)
        stay = {
            entry.path for group in _databases(every) for entry in _staying(group, rule, settings)
        }
        pruned = Pruned([], [], [])
        for entry in every:
            if entry.path in stay:
                pruned.kept.append(entry.path)
            elif dry_run or backup_folder.remove(entry):
                pruned.removed.append(entry.path)
            else:
                pruned.in_use.append(entry.path)
    return pruned


def _databases(entries: Sequence[Entry]) -> list[list[Entry]]:
    groups: dict[tuple[str | None, str | None, str], list[Entry]] = {}
    for entry in entries:
        record = entry.record
        key = (record.environment, record.reference, record.database)
        groups.setdefault(key, []).append(entry)
    return list(groups.values())


def _staying(entries: list[Entry], rule: Rule, settings: Settings) -> list[Entry]:
    kept = chosen(entries, rule)
    if len(kept) == len(entries):
        return kept
    faults = []
    for entry in entries:
        fault = backup_record.damage(entry.path, entry.record, settings)
        if fault is None:
            return [*kept, entry]
        faults.append(f"{entry.path.name} {fault}")
    raise VerificationError(
        "no-whole-backup",
        f"no backup of {entries[0].record.database} in {settings.db_backup_dir} is whole; "
        "nothing was removed",
        cause="; ".join(faults[:3]),
        help="make one: dhafnck-db backup create",
    )
