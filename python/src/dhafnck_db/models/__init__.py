"""The application's 19 tables as SQLAlchemy models, the source of truth for the schema.

Importing them opens no connection; tables are made by Alembic, never by create_all.
"""

from dhafnck_db.models.agents import Agent
from dhafnck_db.models.auth import ApiToken, User, UserSession
from dhafnck_db.models.base import Base
from dhafnck_db.models.contexts import (
    BranchContext,
    ContextDelegation,
    ContextInheritanceCache,
    GlobalContext,
    ProjectContext,
    TaskContext,
)
from dhafnck_db.models.projects import Project, ProjectGitBranch
from dhafnck_db.models.tasks import (
    Label,
    Subtask,
    Task,
    TaskAssignee,
    TaskDependency,
    TaskLabel,
)
from dhafnck_db.models.templates import Template
from dhafnck_db.states import ProgressState

__all__ = [
    "Agent",
    "ApiToken",
    "Base",
    "BranchContext",
    "ContextDelegation",
    "ContextInheritanceCache",
    "GlobalContext",
    "Label",
    "ProgressState",
    "Project",
    "ProjectContext",
    "ProjectGitBranch",
    "Subtask",
    "Task",
    "TaskAssignee",
    "TaskContext",
    "TaskDependency",
    "TaskLabel",
    "Template",
    "User",
    "UserSession",
]
