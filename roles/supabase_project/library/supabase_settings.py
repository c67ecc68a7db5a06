#!/usr/bin/python
"""Ansible module: the settings of a Supabase project, made what the role's variables declare.

It reads what is declared, compares it, and writes what differs, through the Management API; what is
not declared it leaves alone. Check mode and diff are complete. Its options are those of the role's
argument spec, and the access token from SUPABASE_ACCESS_TOKEN of the environment; without a token
it asks nothing, and returns every setting as not managed.

Returns: changes (setting, before, after), managed, not_managed (name to reason), findings (what
cannot be changed here), project, direct, pooler, replicas, limits, backups. It never returns or
prints the token, nor any secret that the API tells.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.supabase_api import Client
from ansible.module_utils.supabase_declared import Change, Group, differences, groups_of
from ansible.module_utils.supabase_errors import ApiError
from ansible.module_utils.supabase_facts import (
    backup_findings,
    backups,
    limits,
    poolers,
    ready_project,
    where_permitted,
)

GROUPS = ("postgres", "pooler", "data_api", "ssl_enforcement", "network_restrictions")
DIRECT_PORT = 5432
EXTENSIONS = "they are made over SQL, with the schema"
NO_TOKEN = "there is no SUPABASE_ACCESS_TOKEN"  # noqa: S105 - no secret, but its absence

OPTIONS: dict[str, Any] = {
    "ref": {"type": "str", "required": True},
    "api_url": {"type": "str", "default": "https://api.supabase.com"},
    "api_ca_file": {"type": "path"},
    "wait": {"type": "int", "default": 300},
    "restart": {"type": "bool", "default": False},
    "settings": {
        "type": "dict",
        "default": {},
        "options": {
            "postgres": {"type": "dict"},
            "pooler": {
                "type": "dict",
                "options": {
                    "pool_mode": {"type": "str", "choices": ["transaction", "session"]},
                    "default_pool_size": {"type": "int"},
                },
            },
            "ssl_enforcement": {"type": "bool"},
            "network_restrictions": {
                "type": "dict",
                "options": {
                    "ipv4": {"type": "list", "elements": "str"},
                    "ipv6": {"type": "list", "elements": "str"},
                },
            },
            "data_api": {
                "type": "dict",
                "options": {
                    "schemas": {"type": "list", "elements": "str"},
                    "extra_search_path": {"type": "list", "elements": "str"},
                    "max_rows": {"type": "int"},
                },
            },
        },
    },
    "region": {"type": "str"},
    "backups": {
        "type": "dict",
        "default": {},
        "options": {
            "point_in_time_recovery": {"type": "bool"},
            "max_age_hours": {"type": "int"},
        },
    },
    # Never given by a task, where it would be seen: read from the environment alone.
    "token": {
        "type": "str",
        "no_log": True,
        "fallback": (env_fallback, ["SUPABASE_ACCESS_TOKEN"]),
    },
}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    params = module.params
    changes: list[Change] = []
    result: dict[str, Any] = {
        "managed": [],
        "not_managed": {"extensions": EXTENSIONS},
        "findings": [],
        "project": {"ref": params["ref"]},
        "direct": {"host": f"db.{params['ref']}.supabase.co", "port": DIRECT_PORT},
        "pooler": {},
        "replicas": [],
        "limits": {},
        "backups": {},
    }
    try:
        groups = groups_of(params["settings"], restart=params["restart"])
        if params["token"]:
            api = Client(
                params["api_url"], params["ref"], params["token"], ca_file=params["api_ca_file"]
            )
            project = ready_project(api, params["wait"])
            for group, differing in differing_groups(api, groups):
                if differing and not module.check_mode:
                    write(api, group, differing, changes, params)
                elif differing:
                    changes.extend(differing)
                result["findings"] += group.findings(change.key for change in differing)
            result["managed"] = [group.name for group in groups]
            report(api, params, result, project)
        else:
            result["not_managed"].update(dict.fromkeys([*GROUPS, "backups", "limits"], NO_TOKEN))
    except ApiError as error:
        written = [] if module.check_mode else [change.setting for change in changes]
        done = f"\n  written before: {', '.join(written)}" if written else ""
        module.fail_json(msg=f"{error}{done}", code=error.code, changed=bool(written))
    for finding in result["findings"]:
        module.warn(finding)
    module.exit_json(
        changed=bool(changes),
        changes=[
            {"setting": change.setting, "before": change.before, "after": change.after}
            for change in changes
        ],
        diff=diff_of(params["ref"], changes),
        **result,
    )


def differing_groups(api: Client, groups: list[Group]) -> list[tuple[Group, list[Change]]]:
    """Return each group with its settings that are not as declared.

    Read-only, and complete before anything is written: a setting that cannot be read leaves all as
    they were.
    """
    return [(group, differences(group, group.read(api))) for group in groups]


def write(
    api: Client,
    group: Group,
    differing: list[Change],
    changes: list[Change],
    params: dict[str, Any],
) -> None:
    """Make a group what is declared, and read it back; `changes` grows by what was written.

    Raises:
        ApiError: the API refuses, or a setting is still another one afterwards.
    """
    group.write(api)
    changes.extend(differing)
    if group.name == "postgres" and params["restart"]:
        ready_project(api, params["wait"])
    for still in differences(group, group.read(api)):
        raise ApiError(
            "management-api-not-applied",
            f"{still.setting} of project {api.ref} was accepted, but is still another",
            cause=f"declared {shown(still.after)}, read {shown(still.before)}",
            help="declare it as the Management API spells it",
        )


def report(
    api: Client, params: dict[str, Any], result: dict[str, Any], project: dict[str, Any]
) -> None:
    """Fill in what is only read: addresses, region, limits, backups, and what is not managed.

    Raises:
        ApiError: it cannot be read, for another reason than a missing permission.
    """
    managed, not_managed, findings = result["managed"], result["not_managed"], result["findings"]
    not_managed.update({name: "not declared" for name in GROUPS if name not in managed})
    result["project"] = {
        **{key: project[key] for key in ("ref", "name", "region", "status")},
        "server_version": project["database"]["version"],
    }
    result["direct"]["host"] = project["database"]["host"]
    result.update(where_permitted(poolers, api, "pooler_address", not_managed))
    result["limits"] = where_permitted(limits, api, "limits", not_managed)
    if any(params["backups"].values()):
        result["backups"] = backups(api)
        managed.append("backups")
        findings += backup_findings(result["backups"], params["backups"])
    else:
        result["backups"] = where_permitted(backups, api, "backups", not_managed)
    if params["region"] and params["region"] != project["region"]:
        findings.append(
            f"region: the project is in {project['region']}, declared is {params['region']}; "
            "a project cannot move"
        )


def diff_of(ref: str, changes: list[Change]) -> dict[str, str]:
    """Return the changes as two texts with a line for each setting."""
    return {
        "before_header": f"project {ref}",
        "after_header": f"project {ref}",
        "before": "".join(f"{change.setting}: {shown(change.before)}\n" for change in changes),
        "after": "".join(f"{change.setting}: {shown(change.after)}\n" for change in changes),
    }


def shown(value: Any) -> str:
    """Return a value as a person reads it."""
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "(none)"
    return str(value)


if __name__ == "__main__":
    main()
