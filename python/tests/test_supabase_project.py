"""The role supabase_project as a playbook calls it: what it publishes, with a token and without."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from module_runs import DECLARED, ROLE, clean_environment
from standin import REF, TOKEN, running

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  roles:
    - supabase_project
  post_tasks:
    - ansible.builtin.copy:
        dest: "{{ playbook_dir }}/published.json"
        content: "{{ dict(names | zip(names | map('extract', vars))) | to_json }}"
        mode: "0600"
      check_mode: false
      vars:
        names: [supabase_project_connection, supabase_project_limits, supabase_project_report]
"""


def play(
    folder: Path, *options: str, environment: dict[str, str], **variables: Any
) -> tuple[str, dict[str, Any]]:
    """Run the role, and return what it printed and what it published."""
    (folder / "play.yml").write_text(PLAY)
    published = folder / "published.json"
    published.unlink(missing_ok=True)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,",
            folder / "play.yml", "-e", json.dumps(variables), *options,
        ],
        cwd=ROOT,
        env={
            **clean_environment(token=""), **environment, "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert (done.returncode == 0) == published.exists(), output
    return output, json.loads(published.read_text()) if published.exists() else {}


def test_with_a_token_it_manages_and_publishes(tmp_path: Path) -> None:
    environment = {"SUPABASE_URL": f"https://{REF}.supabase.co", "SUPABASE_ACCESS_TOKEN": TOKEN}
    with running(tmp_path, "--pooler-host", "pooler.test", "--pooler-port", "6000") as standin:
        given: dict[str, Any] = {
            "supabase_project_api_url": standin.url,
            "supabase_project_settings": DECLARED,
            "supabase_project_backups": {"max_age_hours": 26},
            "supabase_project_restart": True,
        }
        told, _ = play(tmp_path, "--check", "--diff", environment=environment, **given)
        assert "+ssl_enforcement: true" in told
        assert standin.writes == []
        output, published = play(tmp_path, "-vvvv", environment=environment, **given)
        assert len(standin.writes) == 5
        _, again = play(tmp_path, environment=environment, **given)
        assert len(standin.writes) == 5
        secret = standin.state["postgrest"]["jwt_secret"]
    assert TOKEN not in output
    assert secret not in output
    assert published["supabase_project_connection"] == {
        "ref": REF,
        "region": "eu-west-1",
        "server_version": "17.6.1.111",
        "direct_host": f"db.{REF}.supabase.co",
        "direct_port": 5432,
        "pooler_host": "pooler.test",
        "pooler_port": 6000,
        "pooler_session_port": 5432,
        "pooler_user": f"postgres.{REF}",
    }
    assert published["supabase_project_limits"] == {
        "compute": "ci_micro",
        "connections_direct": 60,
        "connections_pooler": 200,
        "memory_gb": 1,
        "cpu_cores": 2,
        "default_pool_size": 20,
        "max_client_conn": None,
    }
    report = again["supabase_project_report"]
    assert report["managed"] == [*DECLARED_GROUPS, "backups"]
    assert list(report["not_managed"]) == ["extensions"]
    assert report["changes"] == []


DECLARED_GROUPS = ["postgres", "pooler", "data_api", "ssl_enforcement", "network_restrictions"]


def test_without_a_token_it_tells_what_the_environment_does(tmp_path: Path) -> None:
    environment = {
        "SUPABASE_URL": f"https://{REF}.supabase.co",
        "SUPABASE_REGION": "eu-west-1",
        "SUPABASE_POOLER_HOST": "pooler.test",
    }
    output, published = play(tmp_path, environment=environment, supabase_project_settings=DECLARED)
    assert "managed: nothing" in output
    for group in DECLARED_GROUPS:
        assert f"not managed: {group} (there is no SUPABASE_ACCESS_TOKEN)" in output
    connection = published["supabase_project_connection"]
    assert connection["direct_host"] == f"db.{REF}.supabase.co"
    assert connection["pooler_host"] == "pooler.test"
    assert connection["region"] == "eu-west-1"
    assert connection["server_version"] == ""
    assert published["supabase_project_limits"] == {
        "default_pool_size": None,
        "max_client_conn": None,
    }
    assert published["supabase_project_report"]["managed"] == []


@pytest.mark.parametrize(
    "url",
    [None, "abc", "http://abcdefghijklmnopqrst.supabase.co", "https://short.supabase.co",
     "https://abcdefghijklmnopqrst.supabase.co.evil.test", "https://evil.test"],
)  # fmt: skip
def test_an_address_that_is_no_projects_is_refused(tmp_path: Path, url: str | None) -> None:
    output, _ = play(tmp_path, environment={} if url is None else {"SUPABASE_URL": url})
    assert "error[supabase-url]" in output


def test_a_misspelled_setting_is_refused(tmp_path: Path) -> None:
    environment = {"SUPABASE_URL": f"https://{REF}.supabase.co"}
    settings = {"ssl_enforcemnt": True}
    output, _ = play(tmp_path, environment=environment, supabase_project_settings=settings)
    assert "ssl_enforcemnt" in output


def test_the_readme_lists_every_error() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \|", (ROLE / "README.md").read_text(), flags=re.MULTILINE)
    code = "".join(path.read_text() for path in ROLE.rglob("*.py"))
    tasks = (ROLE / "tasks" / "main.yml").read_text()
    used = re.findall(r'(?:ApiError|Meaning)\(\s*"([a-z-]+)"', code)
    assert set(listed) == {*used, *re.findall(r"error\[([a-z-]+)\]", tasks)}
