"""Dumps in pg_dump's custom format: how they are written to a file, listed and read back.

It never keeps a plain copy of an encrypted dump, and a part of a pipe that fails fails the whole.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO

from dhafnck_db import cipher, clients
from dhafnck_db.errors import ToolkitError
from dhafnck_db.settings import Settings

Command = Sequence[str | Path]

_SERVERS_OWN = re.compile(r'unrecognized parameter "pg_\w+"')


class Failed(Exception):
    """A program of a pipe ended badly; the text is the first line that it said."""

    @property
    def way_out(self) -> str | None:
        """What to do where the dump itself is to blame and not the file; None otherwise.

        A server keeps notes of its own among the options of columns (15.20: pg_attver). A pg_dump
        of an older minor version takes them for the user's, and no older server takes them back.
        """
        if not _SERVERS_OWN.search(str(self)):
            return None
        return (
            "pg_dump was older than its server: update PostgreSQL's programs here to the server's "
            "minor version, and make a new backup"
        )


def run(
    commands: Sequence[Command],
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run programs as a pipe and return what the last one printed, unless `stdout` takes it.

    Whatever ends the wait, no program is left running.

    Raises:
        Failed: one of them ended badly; the first in the pipe that said why.
    """
    with ExitStack() as stack:
        running: list[subprocess.Popen[bytes]] = []
        # Files, since a pipe that nobody reads yet would hold up who writes to it.
        said = [stack.enter_context(TemporaryFile()) for _ in commands]
        source: IO[bytes] | int | None = stdin or subprocess.DEVNULL
        for command, errors in zip(commands, said, strict=True):
            sink = stdout if command is commands[-1] and stdout else subprocess.PIPE
            process = stack.enter_context(_started(command, source, sink, errors, env))
            if running and running[-1].stdout:
                running[-1].stdout.close()  # else a program that ends early is not noticed
            running.append(process)
            source = process.stdout
        printed, _ = running[-1].communicate()
        codes = [process.wait() for process in running]
        if any(codes):
            raise Failed(_reason(codes, said))
    return (printed or b"").decode(errors="replace")


@contextmanager
def _started(
    command: Command,
    source: IO[bytes] | int | None,
    sink: IO[bytes] | int,
    errors: IO[bytes],
    env: Mapping[str, str] | None,
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603  # our own choice of program; nothing of a user's
        command, stdin=source, stdout=sink, stderr=errors, env=env
    )
    try:
        yield process
    except BaseException:
        process.kill()
        process.wait()
        raise


def _reason(codes: Sequence[int], said: Sequence[IO[bytes]]) -> str:
    """Return the first line of the first program that ended badly and said why."""
    for code, file in zip(codes, said, strict=True):
        file.seek(0)
        lines = file.read().decode(errors="replace").strip().splitlines()
        if code and lines:
            return lines[0]
    return f"ended with {next(code for code in codes if code)}"


def restore(
    dump: Path,
    encrypted: bool,
    options: Command,
    settings: Settings,
    *,
    program: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run pg_restore on a dump and return what it printed.

    Args:
        dump: the file.
        encrypted: whether it is; then it is decrypted on the way.
        options: of pg_restore.
        settings: where the programs and keys are.
        program: pg_restore, if not the configured one.
        env: the variables of the programs, such as the endpoint; without it they reach no server.

    Raises:
        Failed: a program ended badly.
        TargetError: a program or a key is missing.
        OSError: the file cannot be opened.
    """
    reading: Command = [program or clients.program("pg_restore", settings), *options]
    commands: list[Command] = [cipher.decrypting(dump, settings)] if encrypted else []
    commands.append(reading)
    with dump.open("rb") as file:
        return run(commands, stdin=file, env=env or clients.nowhere())


def restore_into(
    dump: Path,
    encrypted: bool,
    settings: Settings,
    *,
    program: Path,
    env: Mapping[str, str],
    role: str | None = None,
    keep_owners: bool = True,
) -> None:
    """Restore a dump into the empty database that `env` names, whole or not at all.

    The schema that every database has is not made again.

    Args:
        dump: the file.
        encrypted: whether it is.
        settings: where programs and keys are.
        program: pg_restore.
        env: the endpoint, as libpq's variables.
        role: who restores, if not a superuser; other roles' default grants are left out then, which
            nobody but they may set.
        keep_owners: give everything to whoever owned it; else all is of who restores.

    Raises:
        Failed: a program ended badly; the database is empty still.
        TargetError: a program or a key is missing.
    """
    listed = restore(dump, encrypted, ["--list"], settings, program=program)
    wanted = [line for line in listed.splitlines() if not _left_out(line, role)]
    with NamedTemporaryFile("w", prefix="dhafnck-list-") as file:
        file.write("\n".join(wanted) + "\n")
        file.flush()
        options = ["--single-transaction", "--exit-on-error", f"--use-list={file.name}"]
        options += [f"--dbname={env['PGDATABASE']}", "--no-password"]
        options += [] if keep_owners else ["--no-owner"]
        restore(dump, encrypted, options, settings, program=program, env=env)


def _left_out(line: str, role: str | None) -> bool:
    """Whether a line of pg_restore's list is of what is not restored."""
    words = line.split()[3:]  # after the numbers of entry, catalog and object
    if words[:3] == ["SCHEMA", "-", "public"] or words[:4] == ["COMMENT", "-", "SCHEMA", "public"]:
        return True
    return role is not None and words[:2] == ["DEFAULT", "ACL"] and words[-1] != role


def unreadable(dump: Path, encrypted: bool, settings: Settings) -> str | None:
    """Return why pg_restore cannot list a dump, None where it can. Read-only."""
    try:
        restore(dump, encrypted, ["--list"], settings)
    except Failed as failure:
        return "cannot be read by pg_restore" if not encrypted else f"cannot be read: {failure}"
    except (ToolkitError, OSError) as failure:
        return f"cannot be read: {failure if isinstance(failure, OSError) else failure.message}"
    return None
