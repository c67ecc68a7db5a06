"""The settings of a project that can be declared: how each is checked, read, compared and written.

A group is what one path of the Management API reads and writes. Its `wanted` holds the declared
settings alone; what is not declared is neither compared nor changed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from ansible.module_utils.supabase_api import Client
from ansible.module_utils.supabase_errors import ApiError
from ansible.module_utils.supabase_postgres import Postgres

Values = dict[str, Any]
OPEN = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}


class Change(NamedTuple):
    """A setting that is not as declared."""

    group: str
    key: str  # empty where the group is one setting
    before: Any
    after: Any

    @property
    def setting(self) -> str:
        """Its name for people."""
        return f"{self.group}.{self.key}" if self.key else self.group


class Group(Protocol):
    """Settings that are read and written together."""

    name: str
    what: str  # in sentences
    wanted: Values

    def read(self, api: Client) -> Values:
        """Return the settings as they are. Read-only."""

    def write(self, api: Client) -> None:
        """Make the settings what is declared, by one request; after `read`."""

    def findings(self, changed: Iterable[str]) -> list[str]:
        """Return what is worth a sentence after `read`, given the settings that change."""


class Pooler:
    """The shared pooler's mode and size."""

    name = "pooler"
    what = "the pooler's settings"
    path = "/config/database/pooler"

    def __init__(self, declared: Values) -> None:
        self.wanted = _given(declared)

    def read(self, api: Client) -> Values:
        primary = primary_pooler(api.get(self.path, self.what), api.ref)
        return {key: primary.get(key) for key in self.wanted}

    def write(self, api: Client) -> None:
        api.request("PATCH", self.path, self.what, self.wanted)

    def findings(self, changed: Iterable[str]) -> list[str]:
        return []


class SslEnforcement:
    """Whether the server refuses connections without TLS."""

    name = "ssl_enforcement"
    what = "the TLS enforcement"
    path = "/ssl-enforcement"

    def __init__(self, declared: bool) -> None:
        self.wanted: Values = {"": declared}
        self._applied = True

    def read(self, api: Client) -> Values:
        found = api.get(self.path, self.what)
        self._applied = found.get("appliedSuccessfully", True)
        return {"": found["currentConfig"]["database"]}

    def write(self, api: Client) -> None:
        body = {"requestedConfig": {"database": self.wanted[""]}}
        api.request("PUT", self.path, self.what, body)

    def findings(self, changed: Iterable[str]) -> list[str]:
        return [] if self._applied else ["ssl_enforcement is stored, but not applied yet"]


class NetworkRestrictions:
    """Who may connect to the database and the pooler, by address."""

    name = "network_restrictions"
    what = "the network restrictions"
    path = "/network-restrictions"
    fields: Mapping[str, str] = {"ipv4": "dbAllowedCidrs", "ipv6": "dbAllowedCidrsV6"}

    def __init__(self, declared: Values) -> None:
        self.wanted = {
            family: _networks(family, addresses) for family, addresses in _given(declared).items()
        }
        self._found: Values = {}
        self._applied = True

    def read(self, api: Client) -> Values:
        found = api.get(self.path, self.what)
        lists = {
            family: sorted(map(str, found["config"].get(field) or []))
            for family, field in self.fields.items()
        }
        self._applied = found.get("status") == "applied"
        if not self._applied and not any(lists.values()):
            # Never set: the vendor lets everybody in, and says so by two empty lists.
            lists = {family: [address] for family, address in OPEN.items()}
            self._applied = True
        self._found = lists
        return {family: lists[family] for family in self.wanted}

    def write(self, api: Client) -> None:
        # The request replaces both lists, so the one that is not declared goes along as it is.
        lists = {**self._found, **self.wanted}
        body = {field: lists[family] for family, field in self.fields.items()}
        api.request("POST", f"{self.path}/apply", self.what, body)

    def findings(self, changed: Iterable[str]) -> list[str]:
        return [] if self._applied else ["network_restrictions are stored, but not applied yet"]


class DataApi:
    """What the HTTP API over the database shows."""

    name = "data_api"
    what = "the settings of the Data API"
    path = "/postgrest"
    lists: Mapping[str, str] = {"schemas": "db_schema", "extra_search_path": "db_extra_search_path"}

    def __init__(self, declared: Values) -> None:
        self.wanted = _given(declared)

    def read(self, api: Client) -> Values:
        # The reply may hold a secret of the project: nothing of it is kept but what is declared.
        found = api.get(self.path, self.what)
        return {
            key: [part.strip() for part in found[self.lists[key]].split(",") if part.strip()]
            if key in self.lists
            else found[key]
            for key in self.wanted
        }

    def write(self, api: Client) -> None:
        body = {
            self.lists.get(key, key): ",".join(value) if key in self.lists else value
            for key, value in self.wanted.items()
        }
        api.request("PATCH", self.path, self.what, body)

    def findings(self, changed: Iterable[str]) -> list[str]:
        return []


def groups_of(declared: Mapping[str, Any], *, restart: bool) -> list[Group]:
    """Return the groups of which something is declared, in the order in which they are written.

    `restart` is whether a parameter that PostgreSQL takes at its start restarts it.

    Access is narrowed last: what fails before leaves the project reachable as it was.

    Raises:
        ApiError: a declared value cannot be meant.
    """
    groups: list[Group] = []
    if declared["postgres"]:
        groups.append(Postgres(declared["postgres"], restart=restart))
    if _given(declared["pooler"] or {}):
        groups.append(Pooler(declared["pooler"]))
    if _given(declared["data_api"] or {}):
        groups.append(DataApi(declared["data_api"]))
    if declared["ssl_enforcement"] is not None:
        groups.append(SslEnforcement(declared["ssl_enforcement"]))
    if _given(declared["network_restrictions"] or {}):
        groups.append(NetworkRestrictions(declared["network_restrictions"]))
    return groups


def differences(group: Group, found: Values) -> list[Change]:
    """Return the settings of a group that are not as declared."""
    return [
        Change(group.name, key, found.get(key), value)
        for key, value in group.wanted.items()
        if found.get(key) != value
    ]


def primary_pooler(found: Any, ref: str) -> Values:
    """Return the primary's entry among the poolers of a project and its replicas.

    Raises:
        ApiError: there is none.
    """
    for entry in found:
        if entry.get("database_type") == "PRIMARY":
            return dict(entry)
    raise ApiError(
        "management-api-no-answer",
        f"the Management API names no pooler of project {ref}",
        help="see whether the project's page of database settings shows one",
    )


def _given(declared: Values) -> Values:
    return {key: value for key, value in declared.items() if value is not None}


def _networks(family: str, addresses: Iterable[str]) -> list[str]:
    version = 4 if family == "ipv4" else 6
    networks = []
    for address in addresses:
        cause = None
        try:
            network = ipaddress.ip_network(str(address))
        except ValueError as error:
            network, cause = None, str(error)
        if network is None or network.version != version:
            raise ApiError(
                "supabase-setting-invalid",
                f"network_restrictions.{family}: {address} is no IPv{version} network",
                cause=cause,
                help="write it as 203.0.113.0/24 or 2001:db8::/32, with no bit beyond the prefix",
            )
        networks.append(str(network))
    return sorted(set(networks))
