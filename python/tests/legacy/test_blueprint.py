"""What another process tells of the target is what the models say, and costs this one no library."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from dhafnck_db import schema
from dhafnck_db.errors import ConfigurationError
from dhafnck_db.legacy.blueprint import read_blueprint
from dhafnck_db.models import Base
from dhafnck_db.settings import load_settings


def test_blueprint_is_what_models_and_migrations_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost/nothing")
    blueprint = read_blueprint()
    assert blueprint.head == schema.head(load_settings())
    dialect = postgresql.dialect()
    told, own = (
        [
            str(statement.compile(dialect=dialect))
            for table in models.sorted_tables
            for statement in (
                CreateTable(table),
                *map(CreateIndex, sorted(table.indexes, key=lambda index: index.name or "")),
            )
        ]
        for models in (blueprint.models, Base.metadata)
    )
    assert told == own


def test_blueprint_brings_neither_orm_nor_alembic() -> None:
    script = (
        "import sys\n"
        "from dhafnck_db.legacy.blueprint import read_blueprint\n"
        "assert len(read_blueprint().models.tables) == 19\n"
        "import dhafnck_db.legacy.run, dhafnck_db.revision, dhafnck_db.session\n"
        "print([name for name in ('sqlalchemy.orm', 'alembic') if name in sys.modules])"
    )
    url = {"DATABASE_URL": "postgresql://nobody@localhost/nothing"}
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=url
    )
    assert said.stdout == "[]\n"


def test_missing_migrations_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost/nothing")
    monkeypatch.setenv("DB_ALEMBIC_INI", str(tmp_path / "none.ini"))
    with pytest.raises(ConfigurationError, match="none.ini"):
        read_blueprint()
