"""Time what the audit trail costs a row: the same statements without and with its trigger.

On a private, durable server, in turn, so that a busy minute of the machine meets both. It judges
nothing.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg2
from bench import machine
from bench_server import Server, running_server

from dhafnck_db import schema
from dhafnck_db.session import open_session
from dhafnck_db.settings import Settings
from dhafnck_db.target import resolve

PORT = 25460
RUNS = 3
WAYS = {"without": "SELECT dhafnck.audit_off('tasks')", "with": "SELECT dhafnck.audit_on('tasks')"}
PARENTS = """
    INSERT INTO projects (id, name, user_id) VALUES (gen_random_uuid(), 'p', 'u');
    INSERT INTO project_git_branchs (id, project_id, name, user_id)
    SELECT gen_random_uuid(), id, 'b', 'u' FROM projects
"""
STATEMENTS = {
    "insert": """
        INSERT INTO tasks (id, title, description, git_branch_id, user_id)
        SELECT gen_random_uuid(), 'title ' || n, repeat('word ', 40), id, 'u'
        FROM project_git_branchs, generate_series(1, %s) AS n
    """,
    "update": "UPDATE tasks SET status = 'done', updated_at = clock_timestamp()",
    "delete": "DELETE FROM tasks",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    rows = parser.parse_args().rows
    with running_server(PORT) as server:
        print(f"{machine()}, PostgreSQL {server.setting('server_version')}, {rows:,} rows of tasks")
        print(f"median of {RUNS} runs; one statement each\n")
        seconds: dict[tuple[str, str], list[float]] = {}
        for _ in range(RUNS):
            for way, switch in WAYS.items():
                for name, spent in measured(server, switch, rows):
                    seconds.setdefault((name, way), []).append(spent)
    print(f"{'rows/s':8}{'without':>12}{'with':>12}{'a row costs':>16}")
    for name in STATEMENTS:
        without, with_ = (statistics.median(seconds[name, way]) for way in WAYS)
        cost = (with_ - without) / rows * 1e6
        print(f"{name:8}{rows / without:12,.0f}{rows / with_:12,.0f}{cost:13.1f} µs")


def measured(server: Server, switch: str, rows: int) -> Iterator[tuple[str, float]]:
    """Yield each statement's name and its seconds, COMMIT included, on a fresh database at head."""
    with server.database("audited") as database:
        migrate(server.url(database))
        with closing(psycopg2.connect(server.url(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(PARENTS)
                cursor.execute(switch)
                for name, statement in STATEMENTS.items():
                    started = time.perf_counter()
                    cursor.execute(statement, (rows,) if "%s" in statement else None)
                    yield name, time.perf_counter() - started


def migrate(url: str) -> None:
    """Bring a database to head."""
    target = resolve(Settings(database_type="postgresql", database_url=url))
    with open_session(target) as connection:
        schema.upgrade(connection, target)


if __name__ == "__main__":
    main()
