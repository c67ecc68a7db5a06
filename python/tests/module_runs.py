"""The module of the role supabase_project run against the stand-in, with Ansible and without."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import ROOT
from standin import REF, TOKEN, Standin

ROLE = ROOT / "roles" / "supabase_project"
PROGRAMS = Path(sys.executable).parent

# Every setting that there is, and the requests that write them.
DECLARED: dict[str, Any] = {
    "postgres": {"work_mem": "16MB", "max_connections": 80, "hot_standby_feedback": None},
    "pooler": {"pool_mode": "session", "default_pool_size": 20},
    "ssl_enforcement": True,
    "network_restrictions": {"ipv4": ["203.0.113.0/24"], "ipv6": ["2001:db8::/32"]},
    "data_api": {"schemas": ["public"], "extra_search_path": ["extensions"], "max_rows": 500},
}
PUT_POSTGRES = "PUT /config/database/postgres"
PATCH_POOLER = "PATCH /config/database/pooler"
APPLY_NETWORK = "POST /network-restrictions/apply"


@dataclass
class Done:
    """What a run of the module returned and printed."""

    result: dict[str, Any]
    output: str

    @property
    def settings(self) -> list[str]:
        return [change["setting"] for change in self.result["changes"]]


def clean_environment(token: str) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if "SUPABASE" not in name}
    return found | ({"SUPABASE_ACCESS_TOKEN": token} if token else {})


def arguments_for(standin: Standin | str, settings: dict[str, Any], **more: Any) -> str:
    url = standin if isinstance(standin, str) else standin.url
    return json.dumps({"ref": REF, "api_url": url, "settings": settings, "wait": 5, **more})


def run(standin: Standin, settings: dict[str, Any], *options: str, token: str = TOKEN) -> Done:
    """Run the module through Ansible, and return what it returned and all that was printed."""
    done = subprocess.run(
        [
            PROGRAMS / "ansible", "localhost", "-m", "supabase_settings",
            "-a", arguments_for(standin, settings),
            "-e", f"ansible_python_interpreter={sys.executable}", *options,
        ],
        cwd=ROOT,
        env={
            **clean_environment(token),
            "ANSIBLE_LIBRARY": str(ROLE / "library"),
            "ANSIBLE_MODULE_UTILS": str(ROLE / "module_utils"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    output = done.stdout + done.stderr
    found = re.search(r"^localhost \| \w+!? => (\{.*)", done.stdout, flags=re.MULTILINE | re.DOTALL)
    assert found, output
    result, _ = json.JSONDecoder().raw_decode(found[1])
    return Done({**result, "failed": done.returncode != 0}, output)


# What Ansible does with a module, without the second and a half that Ansible needs to begin.
CALL = """
import json, runpy, sys
import ansible.module_utils
from ansible.module_utils.testing import patch_module_args
ansible.module_utils.__path__.append(sys.argv[1])
with patch_module_args(json.load(sys.stdin)):
    runpy.run_path(sys.argv[2], run_name="__main__")
"""


def call(
    standin: Standin | str, settings: dict[str, Any], *, token: str = TOKEN, **more: Any
) -> Done:
    """Run the module as a program of its own, and return what it returned."""
    module = ROLE / "library" / "supabase_settings.py"
    done = subprocess.run(
        [sys.executable, "-c", CALL, ROLE / "module_utils", module],
        env=clean_environment(token),
        input=arguments_for(standin, settings, **more),
        capture_output=True,
        text=True,
    )
    assert done.stdout, done.stderr
    return Done({"failed": False, **json.loads(done.stdout)}, done.stdout + done.stderr)


def refused(standin: Standin | str, settings: dict[str, Any], code: str, **arguments: Any) -> str:
    """Run the module, see it end with that error, and return its text."""
    done = call(standin, settings, **arguments)
    assert done.result["failed"], done.output
    assert done.result["code"] == code, done.output
    text: str = done.result["msg"]
    assert text.startswith(f"error[{code}]: ")
    assert "\n  help: " in text
    return text
