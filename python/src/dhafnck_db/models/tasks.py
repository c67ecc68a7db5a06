"""Tasks, subtasks and what hangs on them: assignees, dependencies and labels.

It never holds a task's context, which is part of the context hierarchy in contexts.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Enum, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dhafnck_db.models.base import (
    Base,
    EmptyText,
    Id,
    JsonList,
    JsonObject,
    LongText,
    Now,
    Owner,
    Zero,
)
from dhafnck_db.states import ProgressState

# Tied to the metadata, since two tables use the one type.
PROGRESS_STATE = Enum(ProgressState, name="progressstate", metadata=Base.metadata)


class AiFields:
    """The columns that tasks and subtasks share, after their own."""

    ai_system_prompt: Mapped[EmptyText] = mapped_column(sort_order=1)
    ai_request_prompt: Mapped[EmptyText] = mapped_column(sort_order=1)
    ai_work_context: Mapped[JsonObject] = mapped_column(sort_order=1)
    ai_completion_criteria: Mapped[EmptyText] = mapped_column(sort_order=1)
    ai_execution_history: Mapped[JsonList] = mapped_column(sort_order=1)
    ai_last_execution: Mapped[datetime | None] = mapped_column(sort_order=1)
    ai_model_preferences: Mapped[JsonObject] = mapped_column(sort_order=1)


class Task(AiFields, Base):
    """A piece of work on a branch."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("idx_task_branch", "git_branch_id"),
        Index("idx_task_created", "created_at"),
        Index("idx_task_priority", "priority"),
        Index("idx_task_status", "status"),
    )

    id: Mapped[Id]
    title: Mapped[str]
    description: Mapped[LongText]
    git_branch_id: Mapped[UUID] = mapped_column(
        ForeignKey("project_git_branchs.id", ondelete="CASCADE")
    )
    status: Mapped[str] = mapped_column(server_default="todo")
    priority: Mapped[str] = mapped_column(server_default="medium")
    progress_history: Mapped[JsonObject]
    progress_count: Mapped[Zero]
    estimated_effort: Mapped[str] = mapped_column(server_default="2 hours")
    due_date: Mapped[str | None]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    completed_at: Mapped[datetime | None]
    completion_summary: Mapped[EmptyText]
    testing_notes: Mapped[EmptyText]
    context_id: Mapped[UUID | None]
    progress_percentage: Mapped[Zero]
    progress_state: Mapped[ProgressState] = mapped_column(PROGRESS_STATE, server_default="INITIAL")
    user_id: Mapped[Owner]


class Subtask(AiFields, Base):
    """A step of a task."""

    __tablename__ = "subtasks"
    __table_args__ = (
        Index("idx_subtask_status", "status"),
        Index("idx_subtask_task", "task_id"),
    )

    id: Mapped[Id]
    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    title: Mapped[str]
    description: Mapped[EmptyText]
    status: Mapped[str] = mapped_column(server_default="todo")
    priority: Mapped[str] = mapped_column(server_default="medium")
    assignees: Mapped[JsonList]
    estimated_effort: Mapped[str | None]
    progress_percentage: Mapped[Zero]
    progress_state: Mapped[ProgressState] = mapped_column(PROGRESS_STATE, server_default="INITIAL")
    progress_notes: Mapped[EmptyText]
    blockers: Mapped[EmptyText]
    completion_summary: Mapped[EmptyText]
    impact_on_parent: Mapped[EmptyText]
    insights_found: Mapped[JsonList]
    user_id: Mapped[Owner]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    completed_at: Mapped[datetime | None]


class TaskAssignee(Base):
    """Who works on a task, and as what."""

    __tablename__ = "task_assignees"
    __table_args__ = (
        UniqueConstraint("task_id", "assignee_id", name="uq_task_assignee"),
        Index("idx_assignee_id", "assignee_id"),
        Index("idx_assignee_task", "task_id"),
    )

    id: Mapped[Id]
    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    assignee_id: Mapped[str]
    agent_id: Mapped[UUID | None]
    role: Mapped[str] = mapped_column(server_default="contributor")
    user_id: Mapped[Owner]
    assigned_at: Mapped[Now]


class TaskDependency(Base):
    """That one task waits for another."""

    __tablename__ = "task_dependencies"
    __table_args__ = (
        CheckConstraint("task_id != depends_on_task_id", name="chk_no_self_dependency"),
        UniqueConstraint("task_id", "depends_on_task_id", name="uq_task_dependency"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    depends_on_task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    dependency_type: Mapped[str] = mapped_column(server_default="blocks")
    user_id: Mapped[Owner]
    created_at: Mapped[Now]


class Label(Base):
    """A coloured word to mark tasks with."""

    __tablename__ = "labels"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    color: Mapped[str] = mapped_column(server_default="#0066cc")
    description: Mapped[EmptyText]
    user_id: Mapped[Owner]
    created_at: Mapped[Now]


class TaskLabel(Base):
    """That a task carries a label."""

    __tablename__ = "task_labels"
    __table_args__ = (
        Index("idx_task_label_label", "label_id"),
        Index("idx_task_label_task", "task_id"),
    )

    task_id: Mapped[UUID] = mapped_column(
        ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    label_id: Mapped[str] = mapped_column(
        ForeignKey("labels.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[Owner]
    applied_at: Mapped[Now]
