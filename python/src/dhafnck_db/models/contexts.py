"""The context hierarchy: global, project, branch and task, what is delegated and what is cached.

It never resolves inheritance; it only stores what the application resolved.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dhafnck_db.models.base import (
    Base,
    GeneratedId,
    Id,
    JsonList,
    JsonObject,
    JsonValue,
    No,
    Now,
    One,
    Owner,
    Zero,
)


class GlobalContext(Base):
    """What holds for everything of one user."""

    __tablename__ = "global_contexts"

    id: Mapped[GeneratedId]
    organization_id: Mapped[UUID | None]
    organization_standards: Mapped[JsonObject]
    security_policies: Mapped[JsonObject]
    compliance_requirements: Mapped[JsonObject]
    shared_resources: Mapped[JsonObject]
    reusable_patterns: Mapped[JsonObject]
    global_preferences: Mapped[JsonObject]
    delegation_rules: Mapped[JsonObject]
    nested_structure: Mapped[JsonObject]
    unified_context_data: Mapped[JsonObject | None]
    user_id: Mapped[Owner]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    version: Mapped[One]


class ProjectContext(Base):
    """What holds for one project."""

    __tablename__ = "project_contexts"

    id: Mapped[GeneratedId]
    project_id: Mapped[UUID | None]
    parent_global_id: Mapped[UUID | None] = mapped_column(ForeignKey("global_contexts.id"))
    data: Mapped[JsonObject | None]
    project_info: Mapped[JsonObject | None]
    team_preferences: Mapped[JsonObject | None]
    technology_stack: Mapped[JsonObject | None]
    project_workflow: Mapped[JsonObject | None]
    local_standards: Mapped[JsonObject | None]
    project_settings: Mapped[JsonObject | None]
    technical_specifications: Mapped[JsonObject | None]
    global_overrides: Mapped[JsonObject | None]
    delegation_rules: Mapped[JsonObject | None]
    user_id: Mapped[Owner]
    created_at: Mapped[Now | None]
    updated_at: Mapped[Now | None]
    version: Mapped[One | None]
    inheritance_disabled: Mapped[No | None]


class BranchContext(Base):
    """What holds for one branch."""

    __tablename__ = "branch_contexts"

    id: Mapped[GeneratedId]
    branch_id: Mapped[UUID | None] = mapped_column(ForeignKey("project_git_branchs.id"))
    parent_project_id: Mapped[UUID | None] = mapped_column(ForeignKey("project_contexts.id"))
    data: Mapped[JsonObject | None]
    branch_info: Mapped[JsonObject | None]
    branch_workflow: Mapped[JsonObject | None]
    feature_flags: Mapped[JsonObject | None]
    discovered_patterns: Mapped[JsonObject | None]
    branch_decisions: Mapped[JsonObject | None]
    active_patterns: Mapped[JsonObject | None]
    local_overrides: Mapped[JsonObject | None]
    delegation_rules: Mapped[JsonObject | None]
    inheritance_disabled: Mapped[No | None]
    user_id: Mapped[Owner]
    created_at: Mapped[Now | None]
    updated_at: Mapped[Now | None]
    version: Mapped[One | None]


class TaskContext(Base):
    """What holds for one task."""

    __tablename__ = "task_contexts"

    id: Mapped[GeneratedId]
    task_id: Mapped[UUID | None] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    parent_branch_id: Mapped[UUID | None] = mapped_column(ForeignKey("project_git_branchs.id"))
    parent_branch_context_id: Mapped[UUID | None] = mapped_column(ForeignKey("branch_contexts.id"))
    data: Mapped[JsonObject | None]
    task_data: Mapped[JsonObject | None]
    execution_context: Mapped[JsonObject | None]
    discovered_patterns: Mapped[JsonObject | None]
    implementation_notes: Mapped[JsonObject | None]
    test_results: Mapped[JsonObject | None]
    blockers: Mapped[JsonObject | None]
    local_decisions: Mapped[JsonObject | None]
    delegation_queue: Mapped[JsonObject | None]
    local_overrides: Mapped[JsonObject | None]
    delegation_triggers: Mapped[JsonObject | None]
    inheritance_disabled: Mapped[No | None]
    force_local_only: Mapped[No | None]
    user_id: Mapped[Owner]
    created_at: Mapped[Now | None]
    updated_at: Mapped[Now | None]
    version: Mapped[One | None]


class ContextDelegation(Base):
    """Data handed from one level of the hierarchy to another, and what became of it."""

    __tablename__ = "context_delegations"
    __table_args__ = (
        CheckConstraint(
            "source_level IN ('task', 'branch', 'project', 'global')", name="chk_source_level"
        ),
        CheckConstraint(
            "target_level IN ('task', 'branch', 'project', 'global')", name="chk_target_level"
        ),
        CheckConstraint(
            "trigger_type IN ('manual', 'auto_pattern', 'auto_threshold')",
            name="chk_trigger_type",
        ),
        Index("idx_delegation_processed", "processed"),
        Index("idx_delegation_source", "source_level", "source_id"),
        Index("idx_delegation_target", "target_level", "target_id"),
    )

    id: Mapped[Id]
    source_level: Mapped[str]
    source_id: Mapped[UUID]
    source_type: Mapped[str] = mapped_column(server_default="context")
    target_level: Mapped[str]
    target_id: Mapped[UUID]
    target_type: Mapped[str] = mapped_column(server_default="context")
    delegated_data: Mapped[JsonValue]
    delegation_data: Mapped[JsonObject]
    delegation_reason: Mapped[str]
    trigger_type: Mapped[str]
    auto_delegated: Mapped[No]
    confidence_score: Mapped[float | None]
    processed: Mapped[No]
    status: Mapped[str] = mapped_column(server_default="pending")
    approved: Mapped[bool | None]
    processed_by: Mapped[str | None]
    rejected_reason: Mapped[str | None]
    error_message: Mapped[str | None]
    user_id: Mapped[Owner]
    created_at: Mapped[Now]
    processed_at: Mapped[datetime | None]


class ContextInheritanceCache(Base):
    """A context as resolved through its parents, until it expires."""

    __tablename__ = "context_inheritance_cache"
    __table_args__ = (
        CheckConstraint(
            "context_level IN ('task', 'branch', 'project', 'global')",
            name="chk_cache_context_level",
        ),
        UniqueConstraint("context_id", "context_level", name="uq_cache_context"),
        Index("idx_cache_expires", "expires_at"),
        Index("idx_cache_invalidated", "invalidated"),
        Index("idx_cache_level", "context_level"),
    )

    id: Mapped[GeneratedId]
    context_id: Mapped[UUID]
    context_level: Mapped[str]
    context_type: Mapped[str] = mapped_column(server_default="hierarchical")
    resolved_context: Mapped[JsonValue]
    resolved_data: Mapped[JsonObject]
    dependencies_hash: Mapped[str]
    resolution_path: Mapped[str]
    parent_chain: Mapped[JsonList]
    created_at: Mapped[Now]
    expires_at: Mapped[datetime]
    hit_count: Mapped[Zero]
    last_hit: Mapped[Now]
    cache_size_bytes: Mapped[int]
    invalidated: Mapped[No]
    invalidation_reason: Mapped[str | None]
    user_id: Mapped[Owner]
