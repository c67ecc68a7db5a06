"""The typed configuration of a run, read from the environment and one env file.

It never connects to anything, and no error of it ever holds a value.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dhafnck_db.env_file import read_env_file
from dhafnck_db.errors import ConfigurationError

DatabaseType = Literal["postgresql", "supabase"]

UNITS = {"min": "minutes", "h": "hours", "d": "days"}
ENV_FILES: dict[str, str] = {"postgresql": ".env.dev", "supabase": ".env.prod"}


class Settings(BaseSettings):
    """Every variable that steers the package; the README's table is held against these fields."""

    model_config = SettingsConfigDict(
        extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_type: DatabaseType = Field("postgresql", description="which kind of database")
    database_url: SecretStr | None = Field(
        None, description="the database; wins over the Supabase parts"
    )
    test_database_url: SecretStr | None = Field(None, description="the database for tests")
    db_pool_size: int | None = Field(None, ge=1, description="connections kept in the pool")
    db_max_overflow: int | None = Field(None, ge=0, description="connections above the pool size")
    db_pool_timeout: float = Field(30, gt=0, description="seconds to wait for a connection")
    db_echo: bool | None = Field(
        None, description="log every SQL statement; by default in development"
    )
    db_connect_timeout: int = Field(10, ge=1, description="seconds to wait for the server")
    db_sslmode: Literal["verify-full", "require", "disable"] | None = Field(
        None, description="how TLS is asked for; `verify-full` where DATABASE_TYPE is supabase"
    )
    db_sslrootcert: Path | None = Field(
        None, description="root certificates to verify the server by, if not the vendor's"
    )
    db_lock_wait: int = Field(60, ge=0, description="seconds to wait for another migration")
    db_lock_timeout: str = Field(
        "2s",
        pattern=r"^\d+(ms|s|min)?$",
        description="longest that a migration waits for table locks, and others behind it",
    )
    db_statement_timeout: str = Field(
        "15min", pattern=r"^\d+(ms|s|min|h)?$", description="longest statement of a migration"
    )
    db_lock_retries: int = Field(
        5, ge=0, description="times that a migration is run again after a lock timeout"
    )
    db_metadata: str = Field(
        "dhafnck_db.models:Base.metadata",
        pattern=r"^[\w.]+:[\w.]+$",
        description="the models, as module:attribute",
    )
    db_version_table: str = Field(
        "alembic_version",
        pattern=r"^[a-z_][a-z0-9_]*$",
        description="the table that says at which of its revisions the database is",
    )
    db_alembic_ini: Path | None = Field(None, description="alembic.ini, if not the checkout's own")
    db_client_bin: Path | None = Field(None, description="directory of psql and pg_dump")
    db_scratch_image: str | None = Field(
        None,
        pattern=r"^[\w][\w./:@-]*$",
        description="image of the container that a drill restores into, if not a native server",
    )
    db_backup_dir: Path = Field(Path(".local/backups"), description="folder of the dumps")
    db_backup_max_age: str = Field(
        "24h",
        pattern=r"^\d+(min|h|d)$",
        description="oldest backup that a destructive command on production takes",
    )
    db_backup_overdue: str = Field(
        "26h",
        pattern=r"^\d+(min|h|d)$",
        description="age of production's newest backup at which health says degraded",
    )
    db_backup_recipient: str | None = Field(
        None,
        pattern=r"^([0-9A-Fa-f]{40}|age1[0-9a-z]+)$",
        description="who can read the dumps: a GnuPG fingerprint or an age key; else unencrypted",
    )
    db_backup_identity: Path | None = Field(
        None, description="file with the age identity that reads the dumps"
    )
    db_backup_hook: Path | None = Field(
        None, description="program that is run with each finished dump and its record"
    )
    db_health_cache: float = Field(
        1, ge=0, description="seconds for which `serve` gives the same answer about health"
    )
    db_health_timeout: float = Field(
        5, ge=1, description="seconds after which `serve` answers, whatever the server does"
    )
    db_disk_limit: int | None = Field(
        None,
        ge=1,
        description="megabytes that the database may fill: its disk, or the plan's quota",
    )
    db_env_file: Path | None = Field(None, description="the env file, if not .env.dev or .env.prod")
    supabase_url: str | None = Field(None, description="`https://<ref>.supabase.co`")
    supabase_anon_key: SecretStr | None = Field(None, description="the project's public API key")
    supabase_db_password: SecretStr | None = Field(None, description="password of role postgres")
    supabase_region: str | None = Field(None, description="the project's region")
    supabase_db_host: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]+$",
        description="host of the project's database, if not `db.<ref>.supabase.co`",
    )
    supabase_pooler_host: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]+$",
        description="host of the project's pooler, as its settings show it",
    )
    supabase_access_token: SecretStr | None = Field(None, description="token of the Management API")
    supabase_api_url: str = Field(
        "https://api.supabase.com",
        pattern=r"^(https://|http://127\.0\.0\.1[:/]?)\S*[^/\s]$",
        description="address of the Management API; https, or this machine",
    )
    supabase_confirm: str | None = Field(
        None, description="consent to one run that writes to production: the project's ref"
    )


def load_settings(
    *, connecting: bool = True, database_type: DatabaseType | None = None
) -> Settings:
    """Read the environment and the env file that belongs to DATABASE_TYPE; the environment wins.

    Read-only. The file is DB_ENV_FILE, else `.env.dev` (postgresql) or `.env.prod` (supabase) in
    the working directory, if it exists.

    Args:
        connecting: refuse settings that name no database.
        database_type: instead of DATABASE_TYPE.

    Raises:
        ConfigurationError: a value is not allowed, missing, given twice, or contradicts another.
    """
    asked = database_type or os.environ.get("DATABASE_TYPE") or None
    path = _env_file(asked)
    in_file = read_env_file(path) if path else {}
    if asked and (in_file.get("DATABASE_TYPE") or asked) != asked:
        raise ConfigurationError(
            "environment-contradicts-file",
            f"DATABASE_TYPE in the environment is not the one in {path}",
            help="unset DATABASE_TYPE, or name the right file in DB_ENV_FILE",
        )
    settings = _made(Settings, in_file, path, os.environ, database_type)
    if connecting:
        _require_parts(settings, path)
    return settings


class _SettingsOfFile(Settings):
    """Settings that nothing but what they are given has a say in."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def settings_of(path: Path) -> Settings:
    """Read one env file alone; the environment of this process has no say.

    For a command that needs two environments at once: both would have the variables of one.
    Read-only; raises what `load_settings` raises.
    """
    settings = _made(_SettingsOfFile, read_env_file(path), path, {})
    _require_parts(settings, path)
    return settings


def duration(setting: str) -> timedelta:
    """Return a setting such as `30min`, `24h` or `7d` as a length of time."""
    unit = setting.lstrip("0123456789")
    return timedelta(**{UNITS[unit]: int(setting.removesuffix(unit))})


def alembic_ini(settings: Settings) -> Path:
    """Return Alembic's configuration file: DB_ALEMBIC_INI, else that of the source checkout.

    Raises:
        ConfigurationError: no such file.
    """
    path = settings.db_alembic_ini or Path(__file__).resolve().parents[3] / "alembic.ini"
    if not path.is_file():
        raise ConfigurationError(
            "alembic-ini-missing", f"no such file: {path}", help="name it in DB_ALEMBIC_INI"
        )
    return path


def _env_file(database_type: str | None) -> Path | None:
    named = os.environ.get("DB_ENV_FILE")
    if named:
        return Path(named)
    # An unknown type finds no file; pydantic then names the allowed values.
    usual = Path(ENV_FILES.get(database_type or "postgresql", ""))
    return usual if usual.is_file() else None


def _made(
    kind: type[Settings],
    in_file: Mapping[str, str],
    path: Path | None,
    wins: Mapping[str, str],
    database_type: DatabaseType | None = None,
) -> Settings:
    """Return the settings of an env file, where the variables of `wins` do not say otherwise."""
    if in_file.get("SUPABASE_CONFIRM"):
        raise ConfigurationError(
            "consent-in-file",
            f"SUPABASE_CONFIRM stands in {path}, where it would consent to every run",
            help="remove the line; set the variable for the one run that it is for",
        )
    # Given as arguments, which win: pydantic's own reading of a file would expand ${…} in values.
    given: dict[str, Any] = {
        key.lower(): value
        for key, value in in_file.items()
        if key.lower() in Settings.model_fields and value and not wins.get(key)
    }
    if database_type is not None:
        given["database_type"] = database_type
    try:
        return kind(**given)
    except ValidationError as invalid:
        raise _explained(invalid) from None


def _explained(invalid: ValidationError) -> ConfigurationError:
    """Turn pydantic's report into one sentence that names the variable and never its value."""
    first = invalid.errors(include_url=False, include_input=False, include_context=False)[0]
    variable = str(first["loc"][0]).upper()
    if variable == "DATABASE_TYPE":
        return ConfigurationError(
            "unknown-database-type",
            "DATABASE_TYPE must be postgresql or supabase",
            help="postgresql is the development database, supabase the production one",
        )
    return ConfigurationError(
        "invalid-setting",
        f"{variable} is not usable",
        cause=str(first["msg"]),
        help="the README has a table of the variables",
    )


def _require_parts(settings: Settings, path: Path | None) -> None:
    if settings.database_url is not None:
        return
    if settings.database_type == "postgresql":
        raise ConfigurationError(
            "setting-missing",
            "DATABASE_URL is not set" + (f" in {path} or the environment" if path else ""),
            help="run `make dev`, which writes .env.dev, or set DATABASE_URL",
        )
    parts = ["supabase_url"]
    if not os.environ.get("PGPASSFILE"):  # libpq takes the password from there
        parts.append("supabase_db_password")
    missing = [name.upper() for name in parts if getattr(settings, name) is None]
    if missing:
        raise ConfigurationError(
            "setting-missing",
            f"{' and '.join(missing)} not set for DATABASE_TYPE=supabase",
            help="set them, or DATABASE_URL, in the environment or in .env.prod",
        )
