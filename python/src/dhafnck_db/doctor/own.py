"""The server that `make dev` made for this checkout, if the target is on it.

It only looks; what it finds is judged by `server`.
"""

from __future__ import annotations

import json
from pathlib import Path

from dhafnck_db.doctor import docker, native
from dhafnck_db.target import Target

MEMORY = Path(".local/provider.json")  # which of the two was chosen

OwnServer = docker.Container | native.Cluster


def find(target: Target) -> OwnServer | None:
    """Return the server, or None where the target is on another one. Read-only."""
    if target.environment == "prod" or not target.admin.on_this_machine:
        return None
    try:
        provider = json.loads(MEMORY.read_text())["provider"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found: OwnServer | None = None
    if provider == "docker":
        found = docker.find()
    elif provider == "native":
        found = native.find()
    port = target.admin.url.port or 5432
    return found if found is not None and found.port in (port, None) else None
