"""The check of what is kept for a bad day: is the newest backup of production young enough?

It asks the folder of backups and the Management API, not the database.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from dhafnck_db import backup_record
from dhafnck_db.health.findings import Finding
from dhafnck_db.settings import duration
from dhafnck_db.target import Target


def backups(connection: Connection, target: Target) -> Finding:
    """Whether the newest backup of production, an own or a managed one, is not overdue."""
    if target.environment != "prod":
        return Finding("ok", "only production must have one")
    own = backup_record.newest_full(target)
    moments = {"own": datetime.fromisoformat(own.created_at)} if own else {}
    not_known = ""
    if target.reference is not None:
        from dhafnck_db import managed_backups  # loads what speaks HTTP, for production alone

        managed = managed_backups.read(target.settings, target.reference)
        if managed.last is not None:
            moments["managed"] = datetime.fromisoformat(managed.last)
        if managed.unknown is not None:
            not_known = f"; managed ones are not known: {managed.unknown}"
    if not moments:
        return Finding("warning", f"there is none{not_known}", "there is none")
    kind = max(moments, key=lambda name: moments[name])
    said = f"the newest ({kind}) is of {moments[kind]:%Y-%m-%d %H:%M} UTC"
    limit = duration(target.settings.db_backup_overdue)
    if datetime.now(UTC) - moments[kind] > limit:
        return Finding("warning", f"{said}, overdue{not_known}", f"{said}, overdue")
    return Finding("ok", said)
