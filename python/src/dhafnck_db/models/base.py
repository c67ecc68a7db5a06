"""The declarative base, the naming convention and the column types that the models share.

It never holds a table, and importing it opens no connection.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Double, MetaData, Text, false, func, text, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeEngine

from dhafnck_db.naming import NAMING_CONVENTION

# None is SQL NULL, never the JSON value null, which would slip through NOT NULL.
Json = JSONB(none_as_null=True)


class Base(DeclarativeBase):
    """Base of the application's models; its metadata is what Alembic compares the database with."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, TypeEngine[Any]]] = {
        datetime: DateTime(timezone=True),
        float: Double(),
    }


# Every default is the server's, so that raw SQL and COPY get it as the ORM does.
Id = Annotated[UUID, mapped_column(primary_key=True)]
GeneratedId = Annotated[
    UUID, mapped_column(primary_key=True, server_default=func.gen_random_uuid())
]
Now = Annotated[datetime, mapped_column(server_default=func.now())]
# The subject of the user's token; indexed, since row level security filters by it.
Owner = Annotated[str, mapped_column(index=True)]
# What lets somebody in, or is the hash of it: never shown to a user, never kept in the audit trail.
SECRET: Any = {"secret": True}
LongText = Annotated[str, mapped_column(Text)]
EmptyText = Annotated[str, mapped_column(Text, server_default="")]
Zero = Annotated[int, mapped_column(server_default=text("0"))]
One = Annotated[int, mapped_column(server_default=text("1"))]
No = Annotated[bool, mapped_column(server_default=false())]
Yes = Annotated[bool, mapped_column(server_default=true())]
JsonValue = Annotated[Any, mapped_column(Json)]
JsonObject = Annotated[dict[str, Any], mapped_column(Json, server_default=text("'{}'::jsonb"))]
JsonList = Annotated[list[Any], mapped_column(Json, server_default=text("'[]'::jsonb"))]
