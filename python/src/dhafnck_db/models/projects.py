"""Projects and their branches.

It never holds what a branch contains: tasks and contexts have their own modules.
"""

from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dhafnck_db.models.base import Base, EmptyText, Id, JsonObject, Now, Owner, Zero


class Project(Base):
    """A project of one user."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("id", "user_id", name="uq_project_user"),)

    id: Mapped[Id]
    name: Mapped[str]
    description: Mapped[EmptyText]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    user_id: Mapped[Owner]
    status: Mapped[str] = mapped_column(server_default="active")
    metadata_: Mapped[JsonObject] = mapped_column("metadata")


class ProjectGitBranch(Base):
    """A branch of a project, the place where tasks live."""

    __tablename__ = "project_git_branchs"
    __table_args__ = (UniqueConstraint("id", "project_id", name="uq_branch_project"),)

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[EmptyText]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    assigned_agent_id: Mapped[str | None]
    agent_id: Mapped[UUID | None]
    priority: Mapped[str] = mapped_column(server_default="medium")
    status: Mapped[str] = mapped_column(server_default="todo")
    metadata_: Mapped[JsonObject] = mapped_column("metadata")
    task_count: Mapped[Zero]
    completed_task_count: Mapped[Zero]
    user_id: Mapped[Owner]
