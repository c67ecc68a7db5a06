"""Time what a developer waits for, beside the bare minimum of the same work; prints a table.

It judges nothing, and works in a scratch state of its own (ports 25440 and up), so that a
development database is neither needed nor touched.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PORTS = {"native": 25440, "docker": 25441, "bare": 25442}
IMAGE = "dhafnck-postgres:local"
REPEATS = 5


def main() -> None:
    print(f"{machine()}\n")
    rows = [*provisioning("native"), bare_native()]
    if docker_answers():
        rows += [*provisioning("docker"), bare_docker()]
    else:
        print("NOT RUN: the Docker rows (no engine answers, or no image; see `make image`)")
    show(rows)


def provisioning(provider: str) -> list[tuple[str, float, str]]:
    """Time a first and a second run of dev.yml, from nothing to healthy, and commands after it."""
    with tempfile.TemporaryDirectory(prefix="dhafnck-bench-") as folder:
        variables = {
            "postgres_provider": provider,
            "dev_state": f"{folder}/state",
            "dev_port": PORTS[provider],
            "database_env_path": f"{folder}/.env.dev",
            "postgres_docker_container": "dhafnck-bench",
            "postgres_docker_volume": "dhafnck-bench",
            "postgres_docker_network": "dhafnck-bench",
            "sqlite_import_file": f"{folder}/none.db",  # what destroy.yml removes
        }
        play = ["ansible-playbook", "--extra-vars", json.dumps(variables)]
        run = [*play, "--extra-vars", '{"sqlite_import_file": ""}', "dev.yml"]
        try:
            first = timed(run)
            second = median(run)
            after = commands(f"{folder}/.env.dev") if provider == "native" else []
        finally:
            subprocess.run(
                [*play, "molecule/shared/destroy.yml"], cwd=ROOT, check=True, capture_output=True
            )
    return [
        (
            f"first `ansible-playbook dev.yml` ({provider})",
            first,
            f"{25 if provider == 'native' else 30}",
        ),
        (f"second run, nothing to change ({provider})", second, "10"),
        *after,
    ]


def bare_native() -> tuple[str, float, str]:
    """Time initdb and the start of a server, and nothing else."""
    programs = newest_programs()
    with tempfile.TemporaryDirectory(prefix="dhafnck-bench-") as folder:
        data = f"{folder}/data"
        become = []
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
            become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        options = f"-p {PORTS['bare']} -k {folder} -c listen_addresses=127.0.0.1"
        control = [*become, f"{programs}/pg_ctl", "-D", data, "--wait", "--log", f"{folder}/log"]
        try:
            spent = timed([*become, f"{programs}/initdb", "-D", data, "--auth=trust"])
            spent += timed([*control, "-o", options, "start"])
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)
    return ("bare minimum: initdb and start", spent, "")


def bare_docker() -> tuple[str, float, str]:
    """Time `docker run` until a query is answered over TCP, and nothing else."""
    name = "dhafnck-bench-bare"
    query = [
        "docker",
        "exec",
        "-e",
        "PGPASSWORD=bench",
        name,
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-c",
        "SELECT 1",
    ]
    started = time.perf_counter()
    try:
        call(
            ["docker", "run", "--detach", "--name", name, "--env", "POSTGRES_PASSWORD=bench", IMAGE]
        )
        while subprocess.run(query, capture_output=True).returncode:
            time.sleep(0.1)
        spent = time.perf_counter() - started
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True)
    return ("bare minimum: `docker run` to the first answer", spent, "")


def commands(env_file: str) -> list[tuple[str, float, str]]:
    """Time the commands as whole processes, against the database that the env file names."""
    environment = os.environ | {"DB_ENV_FILE": env_file}
    return [
        ("`dhafnck-db --help`", median(["dhafnck-db", "--help"]), "0.3"),
        ("`dhafnck-db health`", median(["dhafnck-db", "health"], environment), "1"),
        (
            "`dhafnck-db schema upgrade`, nothing to do",
            median(["dhafnck-db", "schema", "upgrade"], environment),
            "",
        ),
        (
            "bare minimum: `alembic upgrade head`, nothing to do",
            median(["alembic", "upgrade", "head"], environment),
            "",
        ),
    ]


def median(command: list[str], environment: dict[str, str] | None = None) -> float:
    return statistics.median(timed(command, environment) for _ in range(REPEATS))


def timed(command: list[str], environment: dict[str, str] | None = None) -> float:
    started = time.perf_counter()
    call(command, environment)
    return time.perf_counter() - started


def call(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command[:2])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def docker_answers() -> bool:
    looked = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True)
    return looked.returncode == 0


def newest_programs() -> Path:
    versions = [int(path.parent.name) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    return Path(f"/usr/lib/postgresql/{max(versions)}/bin")


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    release = platform.freedesktop_os_release()["PRETTY_NAME"]
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {release}, Python {platform.python_version()}"
    )


def show(rows: list[tuple[str, float, str]]) -> None:
    width = max(len(name) for name, _, _ in rows)
    print(f"{'what':{width}}  seconds  goal")
    for name, seconds, goal in rows:
        print(f"{name:{width}}  {seconds:7.2f}  {goal:>4}".rstrip())


if __name__ == "__main__":
    main()
