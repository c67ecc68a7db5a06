"""dev.yml run whole, on a private native server: no password leaks, and a changed one takes effect.

What a run makes is verified from outside by Molecule; here is what needs planted values.
"""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest
from conftest import Server, free_port

ROOT = Path(__file__).resolve().parents[2]
SUPERUSER_CANARY = "canary-superuser-7hQz"
OWNER_CANARY = "canary-owner-%@:/#?-9kLm"
NEW_CANARY = "canary-rotated-é-'3xWv"
NEW_SUPERUSER_CANARY = "canary-:rotated\\-superuser-8jKd"
CANARIES = [SUPERUSER_CANARY, OWNER_CANARY, NEW_CANARY, NEW_SUPERUSER_CANARY]


@dataclass
class Checkout:
    """The state of a scratch checkout, and what its runs showed."""

    state: Path
    port: int
    programs: Path
    output: str = ""
    arguments: set[bytes] = field(default_factory=set)  # of every process that ran meanwhile

    def run(self, *options: str, playbook: str = "dev.yml") -> int:
        """Run a playbook at -vvvv and return its exit code."""
        variables = {
            "postgres_provider": "native",
            "postgres_native_bin": str(self.programs),
            "dev_state": str(self.state),
            "dev_port": self.port,
            "database_env_path": str(self.state / ".env.dev"),
        }
        ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=[ended])
        watch.start()
        command = ["ansible-playbook", playbook, "-vvvv", "--extra-vars", json.dumps(variables)]
        try:
            done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
        finally:
            ended.set()
            watch.join()
        self.output += done.stdout + done.stderr
        return done.returncode

    def secret(self, name: str, value: str) -> None:
        path = self.state / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(value + "\n")

    def connect(self, password: str, user: str = "dhafnck_dev") -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=user,
            dbname="dhafnck_mcp_dev",
            password=password,
        )

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(0.02):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.arguments.add(process.read_bytes())
                except OSError:
                    continue  # it ended meanwhile


@pytest.fixture(scope="module")
def checkout(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A first run of dev.yml, with planted passwords, and the server that it started."""
    made = Checkout(tmp_path_factory.mktemp("checkout") / "state", free_port(), server.bin)
    made.secret("postgres", SUPERUSER_CANARY)
    made.secret("owner", OWNER_CANARY)
    try:
        assert made.run("--diff") == 0, made.output[-3000:]
        yield made
    finally:
        made.run(playbook="playbooks/stop.yml")
        shutil.rmtree((made.state / "postgres").resolve())  # root's may be outside


def test_a_first_run_ends_healthy(checkout: Checkout) -> None:
    assert "health       healthy" in checkout.output
    checkout.connect(OWNER_CANARY).close()


def test_refused_legacy_file_leaves_the_env_file(checkout: Checkout, tmp_path: Path) -> None:
    env_file = checkout.state / ".env.dev"
    written = env_file.read_text()
    env_file.write_text("DATABASE_TYPE=sqlite\n")
    (tmp_path / "old.db").write_text("no database")
    named = json.dumps({"sqlite_import_file": str(tmp_path / "old.db")})
    assert checkout.run("--extra-vars", named) == 2
    assert "error[source-not-sqlite]" in checkout.output
    assert env_file.read_text() == "DATABASE_TYPE=sqlite\n"
    assert checkout.run() == 0, checkout.output[-3000:]
    assert env_file.read_text() == written
    assert Path(f"{env_file}.previous").read_text() == "DATABASE_TYPE=sqlite\n"


def test_a_changed_password_takes_effect_on_an_existing_server(checkout: Checkout) -> None:
    checkout.secret("owner", NEW_CANARY)
    assert checkout.run("--diff") == 0, checkout.output[-3000:]
    checkout.connect(NEW_CANARY).close()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        checkout.connect(OWNER_CANARY).close()


def test_a_changed_password_of_the_superuser_takes_effect_too(checkout: Checkout) -> None:
    checkout.secret("postgres", NEW_SUPERUSER_CANARY)
    assert checkout.run() == 0, checkout.output[-3000:]
    checkout.connect(NEW_SUPERUSER_CANARY, user="postgres").close()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        checkout.connect(SUPERUSER_CANARY, user="postgres").close()


@pytest.mark.parametrize(
    ("drift", "mended"),
    [
        ("ALTER ROLE dhafnck_dev PASSWORD 'by hand'", "Ensure the owner exists"),
        ("ALTER ROLE dhafnck_dev CREATEDB", "Ensure the owner exists"),
        ("ALTER ROLE anon LOGIN", "Ensure the roles of row level security exist"),
        ("DROP EXTENSION pg_trgm", "Ensure the surface that Supabase has"),
        ("DROP PUBLICATION supabase_realtime", "Ensure the surface that Supabase has"),
    ],
)
def test_what_was_changed_by_hand_is_put_right(checkout: Checkout, drift: str, mended: str) -> None:
    with closing(checkout.connect(NEW_SUPERUSER_CANARY, user="postgres")) as superuser:
        superuser.autocommit = True
        superuser.cursor().execute(drift)
    seen = len(checkout.output)
    assert checkout.run() == 0, checkout.output[-3000:]
    tasks = checkout.output[seen:].split("\nTASK [")[1:]
    (task,) = [task.partition("]")[0] for task in tasks if "\nchanged: [" in task]
    assert mended in task
    checkout.connect(NEW_CANARY).close()


def test_a_wrong_superuser_password_fails_and_is_not_printed(checkout: Checkout) -> None:
    (checkout.state / "pgpass").unlink()  # it knows the right one
    checkout.secret("postgres", "canary-wrong-5tRe")
    assert checkout.run() == 2
    assert "password authentication failed" in checkout.output
    assert "canary-wrong-5tRe" not in checkout.output
    (checkout.state / "pgpass").unlink()
    checkout.secret("postgres", NEW_SUPERUSER_CANARY)
    assert checkout.run() == 0, checkout.output[-3000:]


@pytest.mark.parametrize("canary", CANARIES)
def test_no_password_is_printed_at_vvvv(checkout: Checkout, canary: str) -> None:
    assert canary not in checkout.output
    assert quote(canary, safe="") not in checkout.output


@pytest.mark.parametrize("canary", CANARIES)
def test_no_password_is_an_argument_of_a_process(checkout: Checkout, canary: str) -> None:
    assert any(b"pg_ctl" in arguments for arguments in checkout.arguments)  # it did watch
    assert not any(canary.encode() in arguments for arguments in checkout.arguments)


def test_no_file_with_a_password_is_open_to_others(checkout: Checkout) -> None:
    canaries = [canary.encode() for canary in (*CANARIES, quote(NEW_CANARY, safe=""))]
    found = [
        path
        for path in checkout.state.rglob("*")
        if path.is_file() and any(canary in path.read_bytes() for canary in canaries)
    ]
    assert {path.name for path in found} == {"postgres", "owner", "pgpass", ".env.dev"}
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
