"""Templates for tasks and documents.

It never renders one.
"""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from dhafnck_db.models.base import (
    Base,
    EmptyText,
    Id,
    JsonList,
    JsonObject,
    JsonValue,
    Now,
    Owner,
    Zero,
)


class Template(Base):
    """A reusable text with its kind, tags and use count."""

    __tablename__ = "templates"
    __table_args__ = (
        Index("idx_template_category", "category"),
        Index("idx_template_type", "type"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    template_name: Mapped[str] = mapped_column(server_default="")
    template_content: Mapped[EmptyText]
    template_type: Mapped[str] = mapped_column(server_default="general")
    type: Mapped[str]
    content: Mapped[JsonValue]
    category: Mapped[str] = mapped_column(server_default="general")
    tags: Mapped[JsonList]
    usage_count: Mapped[Zero]
    user_id: Mapped[Owner | None]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    created_by: Mapped[str]
    metadata_: Mapped[JsonObject] = mapped_column("metadata")
