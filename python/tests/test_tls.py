"""Production speaks TLS to a server that was verified, or not at all; each fault has its sentence.

The host is one of the vendor's names, dialled on loopback (libpq's hostaddr).
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import PASSWORD, Ended, Server, configuration
from sqlalchemy import URL
from tls_servers import HOST, Pair, make_leaf, make_root, reload, speak_tls, turning_tls_down

from dhafnck_db import clients
from dhafnck_db.target import current_target

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]

VALID = ("20200101000000Z", "20991231000000Z")
OVER = ("20200101000000Z", "20200201000000Z")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """A root, and certificates for the host: one that is right and one with each fault."""
    folder = tmp_path_factory.mktemp("certificates")
    root, other = make_root(folder, "root"), make_root(folder, "other-root")
    return {
        "root": root,
        "right": make_leaf(folder, "right", root, HOST, VALID),
        "self-signed": make_root(folder, HOST),
        "expired": make_leaf(folder, "expired", root, HOST, OVER),
        "wrong host": make_leaf(folder, "wrong", root, f"x{HOST}", VALID),
        "unknown root": make_leaf(folder, "unknown", other, HOST, VALID),
    }


@pytest.fixture
def speaking(server: Server, certificates: dict[str, Pair]) -> Iterator[Callable[[str], None]]:
    """A function that makes the test server speak TLS with one of the certificates."""
    yield lambda name: speak_tls(server, certificates[name])
    reload(server, "ALTER SYSTEM RESET ssl")


def at(url: URL, host: str = HOST, port: int | None = None) -> URL:
    """The database under a host's name, on loopback."""
    dialled = url.set(host=host, port=port or url.port)
    return dialled.update_query_dict({"hostaddr": "127.0.0.1"})


def production(url: URL, **more: str) -> dict[str, str]:
    variables = configuration(url, DATABASE_TYPE="supabase", DB_CONNECT_TIMEOUT="2", **more)
    if "DB_SSLMODE" not in more:
        del variables["DB_SSLMODE"]
    return variables


def tls_check(ended: Ended) -> tuple[str, str]:
    (found,) = [check for check in json.loads(ended.out)["checks"] if check["name"] == "tls"]
    return found["status"], found["finding"]


def test_verified_server_is_taken_by_every_client(
    configure: Configure,
    run: Run,
    shared: URL,
    speaking: Callable[[str], None],
    certificates: dict[str, Pair],
) -> None:
    speaking("right")
    env = production(at(shared), DB_SSLROOTCERT=str(certificates["root"].certificate))
    assert run("schema", "current", env=env).code == 0
    status, finding = tls_check(run("health", "--format", "json", env=env))
    assert (status, finding[:4]) == ("ok", "TLSv")
    assert finding.endswith(", verify-full")
    configure(env)
    target = current_target()
    command = [
        str(clients.program("psql", target.settings)), "-AtXc",
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    ]  # fmt: skip
    environment = clients.environment(target.backup)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "t\n")


FAULTS = {
    "self-signed": ("tls-self-signed", "signed by itself"),
    "expired": ("tls-expired", "has expired"),
    "wrong host": ("tls-wrong-host", "another host's"),
    "unknown root": ("tls-unknown-authority", "not signed by a root that is known"),
    "no TLS": ("tls-missing", "speaks no TLS"),
    "downgrade": ("tls-stripped", "something on the way"),
}

# The doctor's check of each.
NAMED = {
    "self-signed": "tls self-signed",
    "expired": "tls expired",
    "wrong host": "tls host",
    "unknown root": "tls authority",
    "no TLS": "tls missing",
    "downgrade": "tls stripped",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_refused_with_its_own_sentence(
    configure: Configure,
    run: Run,
    shared: URL,
    speaking: Callable[[str], None],
    certificates: dict[str, Pair],
    fault: str,
) -> None:
    code, words = FAULTS[fault]
    with ExitStack() as stack:
        if fault == "no TLS":
            url = at(shared, "db.example.com")
        elif fault == "downgrade":
            url = at(shared, port=stack.enter_context(turning_tls_down()))
        else:
            speaking(fault)
            url = at(shared)
        env = production(url, DB_SSLROOTCERT=str(certificates["root"].certificate))
        for command in (("schema", "current"), ("schema", "upgrade"), ("backup", "create", "x")):
            ended = run(*command, env=env)
            assert (ended.code, ended.out) == (5, "")
            assert ended.err.startswith(f"error[{code}]: cannot connect to ")
            assert words in ended.err.splitlines()[0]
            assert "  help: " in ended.err
            assert PASSWORD not in ended.err
        unhealthy = run("health", "--format", "json", env=env)
        assert unhealthy.code == 6
        assert words in unhealthy.out
        examined = run("doctor", "--format", "json", env=env)
        assert examined.code == 6
        assert [found["name"] for found in json.loads(examined.out)["findings"]] == [NAMED[fault]]
        configure(env)
        target = current_target()
        psql = clients.program("psql", target.settings)
        by_hand = subprocess.run(
            [psql, "--no-password", "-Xc", "SELECT 1"],
            env=clients.environment(target.admin),
            capture_output=True,
            text=True,
        )
        assert (by_hand.returncode, by_hand.stdout) == (2, "")


def test_faults_have_six_codes() -> None:
    assert len({code for code, _ in FAULTS.values()}) == 6


def test_unverified_server_is_taken_only_by_an_explicit_variable_and_is_degraded(
    run: Run, shared: URL, speaking: Callable[[str], None]
) -> None:
    speaking("unknown root")
    env = production(at(shared), DB_SSLMODE="require", HOME="/nonexistent")
    assert run("schema", "current", env=env).code == 0
    status, finding = tls_check(run("health", "--format", "json", env=env))
    assert status == "warning"
    assert "require: the server was not verified" in finding
    examined = run("doctor", "--format", "json", env=env)
    names = [found["name"] for found in json.loads(examined.out)["findings"]]
    assert names == ["tls verified", "identity"]  # the database is one of development


def test_fault_that_cannot_be_looked_at_is_not_given_a_reason(
    run: Run,
    shared: URL,
    speaking: Callable[[str], None],
    certificates: dict[str, Pair],
) -> None:
    speaking("expired")
    env = production(at(shared), PGSSLROOTCERT=str(certificates["root"].certificate))
    ended = run("schema", "current", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[tls-unverified]")


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_url_of_production_cannot_ask_for_less(run: Run, shared: URL, mode: str) -> None:
    url = at(shared).update_query_dict({"sslmode": mode})
    ended = run("schema", "current", env=production(url))
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error[tls-weakened]: DATABASE_URL ")


def test_production_on_another_machine_is_not_had_without_tls(run: Run, shared: URL) -> None:
    ended = run("schema", "current", env=production(at(shared), DB_SSLMODE="disable"))
    assert (ended.code, ended.err.split(":")[0]) == (3, "error[tls-weakened]")
    elsewhere = shared.set(host="localhost").update_query_dict({"hostaddr": "192.0.2.1"})
    ended = run("schema", "current", env=production(elsewhere, DB_SSLMODE="disable"))
    assert (ended.code, ended.err.split(":")[0]) == (3, "error[tls-weakened]")
    local = production(shared, DB_SSLMODE="disable")
    assert run("schema", "current", env=local).code == 0
    status, _ = tls_check(run("health", "--format", "json", env=local))
    assert status == "warning"


def test_development_on_this_machine_needs_none(run: Run, shared: URL) -> None:
    ended = run("health", "--format", "json", env=configuration(shared))
    assert tls_check(ended) == ("ok", "not needed: nothing leaves this machine")


def test_development_elsewhere_without_tls_is_a_warning(run: Run, shared: URL) -> None:
    url = at(shared, "db.example.com")
    status, finding = tls_check(run("health", "--format", "json", env=configuration(url)))
    assert (status, finding) == ("warning", "none: data and logins can be read on the way")


def test_missing_root_certificate_is_explained(
    run: Run, shared: URL, speaking: Callable[[str], None], tmp_path: Path
) -> None:
    speaking("right")
    env = production(at(shared), HOME=str(tmp_path), PGSSLROOTCERT=str(tmp_path / "none"))
    ended = run("schema", "current", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[root-certificate-missing]")
