"""What another process tells of the target is what the models say, and costs no library here."""

import subprocess
import sys

from sqlalchemy import MetaData, create_mock_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from dhafnck_db.legacy.blueprint import read_blueprint
from dhafnck_db.models import Base


def definitions(models: MetaData) -> dict[str, list[str]]:
    """The lines of the statements that make each table and its indexes."""
    dialect = create_mock_engine("postgresql+psycopg2://", print).dialect
    found = {}
    for table in models.tables.values():
        made = str(CreateTable(table).compile(dialect=dialect)).splitlines()
        made += [str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes]
        found[table.name] = sorted(line.strip(" \t,") for line in made)  # they are in no order
    return found


def test_blueprint_is_what_the_models_say() -> None:
    assert definitions(read_blueprint()) == definitions(Base.metadata)


def test_blueprint_brings_neither_orm_nor_alembic() -> None:
    script = (
        "import sys\n"
        "from dhafnck_db.legacy.blueprint import read_blueprint\n"
        "assert len(read_blueprint().tables) == 19\n"
        "import dhafnck_db.applied, dhafnck_db.legacy.run, dhafnck_db.session\n"
        "print([name for name in ('sqlalchemy.orm', 'alembic') if name in sys.modules])"
    )
    url = {"DATABASE_URL": "postgresql://nobody@localhost/nothing"}
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=url
    )
    assert said.stdout == "[]\n"
