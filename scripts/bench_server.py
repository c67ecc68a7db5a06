"""A private PostgreSQL server to measure against: durable, with its defaults, gone afterwards."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import yaml
from bench import newest_programs
from psycopg2 import sql

ROOT = Path(__file__).resolve().parents[1]
ACCESS = ROOT / "roles" / "postgres_access"
SUPERUSER = "postgres"
OWNER = "bench_owner"  # of every database, and no superuser, as in the field
SURFACE = "surface"


@dataclass(frozen=True)
class Server:
    """A running server; whoever is on this machine may log in without a password."""

    programs: Path
    port: int

    def url(self, database: str, user: str = OWNER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """Connect as the superuser, in autocommit mode."""
        connection = psycopg2.connect(self.url(database, SUPERUSER))
        connection.autocommit = True
        return connection

    def setting(self, name: str) -> str:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_setting(%s)", (name,))
            return str(next(cursor)[0])

    @contextmanager
    def database(self, name: str, template: str = SURFACE) -> Iterator[str]:
        """Make a database with all that was written before on the disk; drop it afterwards."""
        names = [sql.Identifier(one) for one in (name, template, OWNER)]
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*names))
            # Settings of a database are not copied from its template.
            for setting in ('search_path = "$user", public, extensions', "timezone = 'UTC'"):
                cursor.execute(
                    sql.SQL("ALTER DATABASE {} SET {}").format(names[0], sql.SQL(setting))
                )
            cursor.execute("CHECKPOINT")
            os.sync()
            try:
                yield name
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


@contextmanager
def running_server(port: int) -> Iterator[Server]:
    """Start the newest server installed in a scratch folder; stop it and remove it afterwards.

    It has the roles that row level security speaks about, and the template database `surface` with
    what Supabase has in every database: what the migration expects, from the role's own files.
    """
    programs = newest_programs()
    with tempfile.TemporaryDirectory(prefix="dhafnck-bench-") as folder:
        become = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        data = f"{folder}/data"
        initdb = [f"{programs}/initdb", "-D", data, "--username", SUPERUSER, "--auth", "trust"]
        control = [*become, f"{programs}/pg_ctl", "-D", data, "--wait", "--log", f"{folder}/log"]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        _call([*become, *initdb, "--encoding", "UTF8", "--locale", "C.UTF-8"])
        try:
            _call([*control, "-o", options, "start"])
            server = Server(programs, port)
            _create_surface(server)
            yield server
        finally:
            # It checkpoints nothing: what it wrote is removed with the folder.
            subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True)


def _create_surface(server: Server) -> None:
    defaults = yaml.safe_load((ACCESS / "defaults" / "main.yml").read_text())
    roles = json.dumps(defaults["postgres_access_roles"])
    extensions = json.dumps(defaults["postgres_access_extensions"])
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(OWNER)))
        cursor.execute((ACCESS / "files" / "roles.sql").read_text(), {"roles": roles})
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(SURFACE)))
    with closing(server.connect(SURFACE)) as connection, connection.cursor() as cursor:
        script = (ACCESS / "files" / "surface.sql").read_text()
        cursor.execute(script, {"surface": "bench", "extensions": extensions})


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
