"""Agents, the workers that tasks are given to.

It never says who works on what: that is task_assignees and project_git_branchs.
"""

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from dhafnck_db.models.base import Base, EmptyText, Id, JsonList, JsonObject, Now, Owner


class Agent(Base):
    """A worker with a role, capabilities and an availability."""

    __tablename__ = "agents"
    __table_args__ = (
        Index("idx_agent_availability", "availability_score"),
        Index("idx_agent_status", "status"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    description: Mapped[EmptyText]
    role: Mapped[str] = mapped_column(server_default="assistant")
    capabilities: Mapped[JsonList]
    status: Mapped[str] = mapped_column(server_default="available")
    availability_score: Mapped[float] = mapped_column(server_default=text("1.0"))
    last_active_at: Mapped[datetime | None]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    metadata_: Mapped[JsonObject] = mapped_column("metadata")
    user_id: Mapped[Owner]
