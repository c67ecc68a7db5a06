"""The application's 19 tables, the bookkeeping, and who may use them.

Revision 0001, the first. It never drops a schema that still holds something.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSchema, DropSchema
from sqlalchemy.types import TypeEngine

from dhafnck_db.privileges import secure, secure_schema

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# In the order of creation: a table comes after those it refers to.
APPLICATION = (
    "projects",
    "project_git_branchs",
    "tasks",
    "subtasks",
    "task_assignees",
    "task_dependencies",
    "labels",
    "task_labels",
    "agents",
    "global_contexts",
    "project_contexts",
    "branch_contexts",
    "task_contexts",
    "context_delegations",
    "context_inheritance_cache",
    "templates",
    "users",
    "user_sessions",
    "api_tokens",
)
LEGACY = ("imports", "id_map", "rejects", "columns")

BIGINT = sa.BigInteger()
BOOLEAN = sa.Boolean()
DOUBLE: sa.Double[float] = sa.Double()
INTEGER = sa.Integer()
JSONB = postgresql.JSONB()
TEXT = sa.Text()
TIME = sa.DateTime(timezone=True)
UUID = sa.Uuid()
VARCHAR = sa.String()
PROGRESS_STATE = postgresql.ENUM(
    "INITIAL", "IN_PROGRESS", "COMPLETE", name="progressstate", create_type=False
)


def upgrade() -> None:
    for schema in ("dhafnck", "legacy"):
        op.execute(CreateSchema(schema))
        op.execute(secure_schema(schema))
    op.execute("CREATE TYPE progressstate AS ENUM ('INITIAL', 'IN_PROGRESS', 'COMPLETE')")
    _create_projects()
    _create_tasks()
    _create_agents()
    _create_contexts()
    _create_context_traffic()
    _create_templates()
    _create_auth()
    _create_bookkeeping()
    for statement in (
        *secure("alembic_version"),
        *secure(*APPLICATION, service=True, sequences=["task_dependencies_id_seq"]),
        *secure("identity", schema="dhafnck"),
        *secure(*LEGACY, schema="legacy", sequences=["imports_id_seq", "rejects_id_seq"]),
    ):
        op.execute(statement)


def downgrade() -> None:
    # Alembic keeps its version table, and the table stays closed.
    for table in reversed(LEGACY):
        op.drop_table(table, schema="legacy")
    op.drop_table("identity", schema="dhafnck")
    for table in reversed(APPLICATION):
        op.drop_table(table)
    op.execute("DROP TYPE progressstate")
    # Without CASCADE: an archive of legacy rows in there stops the downgrade.
    for schema in ("legacy", "dhafnck"):
        op.execute(DropSchema(schema))


def _column(
    name: str,
    kind: TypeEngine[Any],
    default: str | None = None,
    *,
    null: bool = False,
    comment: str | None = None,
) -> sa.Column[Any]:
    """Return a column that is NOT NULL unless said otherwise; the default is an SQL expression."""
    server_default = None if default is None else sa.text(default)
    return sa.Column(name, kind, server_default=server_default, nullable=null, comment=comment)


def _primary_key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _foreign_key(
    table: str, column: str, target: str, *, on_delete: str | None = None
) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}_{target.split('.')[-1]}"
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=on_delete)


def _ai_columns() -> list[sa.Column[Any]]:
    """Return the columns that tasks and subtasks end with."""
    return [
        _column("ai_system_prompt", TEXT, "''"),
        _column("ai_request_prompt", TEXT, "''"),
        _column("ai_work_context", JSONB, "'{}'"),
        _column("ai_completion_criteria", TEXT, "''"),
        _column("ai_execution_history", JSONB, "'[]'"),
        _column("ai_last_execution", TIME, null=True),
        _column("ai_model_preferences", JSONB, "'{}'"),
    ]


def _create_projects() -> None:
    op.create_table(
        "projects",
        _column("id", UUID),
        _column("name", VARCHAR),
        _column("description", TEXT, "''"),
        _column("created_at", TIME, "now()"),
        _column("updated_at", TIME, "now()"),
        _column("user_id", VARCHAR),
        _column("status", VARCHAR, "'active'"),
        _column("metadata", JSONB, "'{}'"),
        _primary_key("projects", "id"),
        sa.UniqueConstraint("id", "user_id", name="uq_project_user"),
    )
    op.create_table(
        "project_git_branchs",
        _column("id", UUID),
        _column("project_id", UUID),
        _column("name", VARCHAR),
        _column("description", TEXT, "''"),
        _column("created_at", TIME, "now()"),
        _column("updated_at", TIME, "now()"),
        _column("assigned_agent_id", VARCHAR, null=True),
        _column("agent_id", UUID, null=True),
        _column("priority", VARCHAR, "'medium'"),
        _column("status", VARCHAR, "'todo'"),
        _column("metadata", JSONB, "'{}'"),
        _column("task_count", INTEGER, "0"),
        _column("completed_task_count", INTEGER, "0"),
        _column("user_id", VARCHAR),
        _primary_key("project_git_branchs", "id"),
        _foreign_key("project_git_branchs", "project_id", "projects", on_delete="CASCADE"),
        sa.UniqueConstraint("id", "project_id", name="uq_branch_project"),
    )


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        _column("id", UUID),
        _column("title", VARCHAR),
        _column("description", TEXT),
        _column("git_branch_id", UUID),
        _column("status", VARCHAR, "'todo'"),
        _column("priority", VARCHAR, "'medium'"),
        _column("progress_history", JSONB, "'{}'"),
        _column("progress_count", INTEGER, "0"),
        _column("estimated_effort", VARCHAR, "'2 hours'"),
        _column("due_date", VARCHAR, null=True),
        _column("created_at", TIME, "now()"),
        _column("updated_at", TIME, "now()"),
        _column("completed_at", TIME, null=True),
        _column("completion_summary", TEXT, "''"),
        _column("testing_notes", TEXT, "''"),
        _column("context_id", UUID, null=True),
        _column("progress_percentage", INTEGER, "0"),
        _column("progress_state", PROGRESS_STATE, "'INITIAL'"),
        _column("user_id", VARCHAR),
        *_ai_columns(),
        _primary_key("tasks", "id"),
        _foreign_key("tasks", "git_branch_id", "project_git_branchs", on_delete="CASCADE"),
    )
    op.create_index("idx_task_branch", "tasks", ["git_branch_id"])
    op.create_index("idx_task_created", "tasks", ["created_at"])
    op.create_index("idx_task_priority", "tasks", ["priority"])
    op.create_index("idx_task_status", "tasks", ["status"])
    op.create_table(
        "subtasks",
        _column("id", UUID),
        _column("task_id", UUID),
        _column("title", VARCHAR),
        _column("description", TEXT, "''"),
        _column("status", VARCHAR, "'todo'"),
        _column("priority", VARCHAR, "'medium'"),
        _column("assignees", JSONB, "'[]'"),
        _column("estimated_effort", VARCHAR, null=True),
        _column("progress_percentage", INTEGER, "0"),
        _column("progress_state", PROGRESS_STATE, "'INITIAL'"),
        _column("progress_notes", TEXT, "''"),
        _column("blockers", TEXT, "''"),
        _column("completion_summary", TEXT, "''"),
        _column("impact_on_parent", TEXT, "''"),
        _column("insights_found", JSONB, "'[]'"),
        _column("user_id", VARCHAR),
        _column("created_at", TIME, "now()"),
        _column("updated_at", TIME, "now()"),
        _column("completed_at", TIME, null=True),
        *_ai_columns(),
        _primary_key("subtasks", "id"),
        _foreign_key("subtasks", "task_id", "tasks", on_delete="CASCADE"),
    )
    op.create_index("idx_subtask_status", "subtasks", ["status"])
    op.create_index("idx_subtask_task", "subtasks", ["task_id"])
    op.create_table(
        "task_assignees",
        _column("id", UUID),
        _column("task_id", UUID),
        _column("assignee_id", VARCHAR),
        _column("agent_id", UUID, null=True),
        _column("role", VARCHAR, "'contributor'"),
        _column("user_id", VARCHAR),
        _column("assigned_at", TIME, "now()"),
        _primary_key("task_assignees", "id"),
        _foreign_key("task_assignees", "task_id", "tasks", on_delete="CASCADE"),
        sa.UniqueConstraint("task_id", "assignee_id", name="uq_task_assignee"),
    )
    op.create_index("idx_assignee_id", "task_assignees", ["assignee_id"])
    op.create_index("idx_assignee_task", "task_assignees", ["task_id"])
    op.create_table(
        "task_dependencies",
        sa.Column("id", INTEGER, sa.Identity()),
        _column("task_id", UUID),
        _column("depends_on_task_id", UUID),
        _column("dependency_type", VARCHAR, "'blocks'"),
        _column("user_id", VARCHAR),
        _column("created_at", TIME, "now()"),
        _primary_key("task_dependencies", "id"),
        _foreign_key("task_dependencies", "task_id", "tasks", on_delete="CASCADE"),
        _foreign_key("task_dependencies", "depends_on_task_id", "tasks", on_delete="CASCADE"),
        sa.UniqueConstraint("task_id", "depends_on_task_id", name="uq_task_dependency"),
        sa.CheckConstraint("task_id != depends_on_task_id", name="chk_no_self_dependency"),
    )
    op.create_table(
        "labels",
        _column("id", VARCHAR),
        _column("name", VARCHAR),
        _column("color", VARCHAR, "'#0066cc'"),
        _column("description", TEXT, "''"),
        _column("user_id", VARCHAR),
        _column("created_at", TIME, "now()"),
        _primary_key("labels", "id"),
        sa.UniqueConstraint("name", name="uq_labels_name"),
    )
    op.create_table(
        "task_labels",
        _column("task_id", UUID),
        _column("label_id", VARCHAR),
        _column("user_id", VARCHAR),
        _column("applied_at", TIME, "now()"),
        _primary_key("task_labels", "task_id", "label_id"),
        _foreign_key("task_labels", "task_id", "tasks", on_delete="CASCADE"),
        _foreign_key("task_labels", "label_id", "labels", on_delete="CASCADE"),
    )
    op.create_index("idx_task_label_label", "task_labels", ["label_id"])
    op.create_index("idx_task_label_task", "task_labels", ["task_id"])


def _create_agents() -> None:
    op.create_table(
        "agents",
        _column("id", UUID),
        _column("name", VARCHAR),
        _column("description", TEXT, "''"),
        _column("role", VARCHAR, "'assistant'"),
        _column("capabilities", JSONB, "'[]'"),
        _column("status", VARCHAR, "'available'"),
        _column("availability_score", DOUBLE, "1.0"),
        _column("last_active_at", TIME, null=True),
        _column("created_at", TIME, "now()"),
        _column("updated_at", TIME, "now()"),
        _column("metadata", JSONB, "'{}'"),
        _column("user_id", VARCHAR),
        _primary_key("agents", "id"),
    )
    op.create_index("idx_agent_availability", "agents", ["availability_score"])
    op.create_index("idx_agent_status", "agents", ["status"])


def _create_contexts() -> None:
    op.create_table(
        "global_contexts",
        _column("id", UUID, "gen_random_uuid()"),
        _column("organization_id", UUID, null=True),
        _column("organization_standards", JSONB, "'{}'"),
        _column("security_policies", JSONB, "'{}'"),
        _column("compliance_requirements", JSONB, "'{}'"),
        _column("shared_resources", JSONB, "'{}'"),
        _column("reusable_patterns", JSONB, "'{}'"),
        _column("global_preferences", JSONB, "'{}'"),
        _column("delegation_rules", JSONB, "'{}'"),
        _column("nested_structure", JSONB, "'{}'"),
        _column("unified_context_data", JSONB, "'{}'", null=True),
        _column("user_id", VARCHAR),
        _column("created_at", TIME, "now()"),
        _column("updated_at", TIME, "now()"),
        _column("version", INTEGER, "1"),
        _primary_key("global_contexts", "id"),
    )
    op.create_table(
        "project_contexts",
        _column("id", UUID, "gen_random_uuid()"),
        _column("project_id", UUID, null=True),
        _column("parent_global_id", UUID, null=True),
        _column("data", JSONB, "'{}'", null=True),
        _column("project_info", JSONB, "'{}'", null=True),
        _column("team_preferences", JSONB, "'{}'", null=True),
        _column("technology_stack", JSONB, "'{}'", null=True),
        _column("project_workflow", JSONB, "'{}'", null=True),
        _column("local_standards", JSONB, "'{}'", null=True),
        _column("project_settings", JSONB, "'{}'", null=True),
        _column("technical_specifications", JSONB, "'{}'", null=True),
        _column("global_overrides", JSONB, "'{}'", null=True),
        _column("delegation_rules", JSONB, "'{}'", null=True),
        _column("user_id", VARCHAR),
        _column("created_at", TIME, "now()", null=True),
        _column("updated_at", TIME, "now()", null=True),
        _column("version", INTEGER, "1", null=True),
        _column("inheritance_disabled", BOOLEAN, "false", null=True),
        _primary_key("project_contexts", "id"),
        _foreign_key("project_contexts", "parent_global_id", "global_contexts"),
    )
    op.create_table(
        "branch_contexts",
        _column("id", UUID, "gen_random_uuid()"),
        _column("branch_id", UUID, null=True),
        _column("parent_project_id", UUID, null=True),
        _column("data", JSONB, "'{}'", null=True),
        _column("branch_info", JSONB, "'{}'", null=True),
        _column("branch_workflow", JSONB, "'{}'", null=True),
        _column("feature_flags", JSONB, "'{}'", null=True),
        _column("discovered_patterns", JSONB, "'{}'", null=True),
        _column("branch_decisions", JSONB, "'{}'", null=True),
        _column("active_patterns", JSONB, "'{}'", null=True),
        _column("local_overrides", JSONB, "'{}'", null=True),
        _column("delegation_rules", JSONB, "'{}'", null=True),
        _column("inheritance_disabled", BOOLEAN, "false", null=True),
        _column("user_id", VARCHAR),
        _column("created_at", TIME, "now()", null=True),
        _column("updated_at", TIME, "now()", null=True),
        _column("version", INTEGER, "1", null=True),
        _primary_key("branch_contexts", "id"),
        _foreign_key("branch_contexts", "branch_id", "project_git_branchs"),
        _foreign_key("branch_contexts", "parent_project_id", "project_contexts"),
    )
    op.create_table(
        "task_contexts",
        _column("id", UUID, "gen_random_uuid()"),
        _column("task_id", UUID, null=True),
        _column("parent_branch_id", UUID, null=True),
        _column("parent_branch_context_id", UUID, null=True),
        _column("data", JSONB, "'{}'", null=True),
        _column("task_data", JSONB, "'{}'", null=True),
        _column("execution_context", JSONB, "'{}'", null=True),
        _column("discovered_patterns", JSONB, "'{}'", null=True),
        _column("implementation_notes", JSONB, "'{}'", null=True),
        _column("test_results", JSONB, "'{}'", null=True),
        _column("blockers", JSONB, "'{}'", null=True),
        _column("local_decisions", JSONB, "'{}'", null=True),
        _column("delegation_queue", JSONB, "'{}'", null=True),
        _column("local_overrides", JSONB, "'{}'", null=True),
        _column("delegation_triggers", JSONB, "'{}'", null=True),
        _column("inheritance_disabled", BOOLEAN, "false", null=True),
        _column("force_local_only", BOOLEAN, "false", null=True),
        _column("user_id", VARCHAR),
        _column("created_at", TIME, "now()", null=True),
        _column("updated_at", TIME, "now()", null=True),
        _column("version", INTEGER, "1", null=True),
        _primary_key("task_contexts", "id"),
        _foreign_key("task_contexts", "task_id", "tasks", on_delete="CASCADE"),
        _foreign_key("task_contexts", "parent_branch_id", "project_git_branchs"),
        _foreign_key("task_contexts", "parent_branch_context_id", "branch_contexts"),
    )


def _create_context_traffic() -> None:
    op.create_table(
        "context_delegations",
        _column("id", UUID),
        _column("source_level", VARCHAR),
        _column("source_id", UUID),
        _column("source_type", VARCHAR, "'context'"),
        _column("target_level", VARCHAR),
        _column("target_id", UUID),
        _column("target_type", VARCHAR, "'context'"),
        _column("delegated_data", JSONB),
        _column("delegation_data", JSONB, "'{}'"),
        _column("delegation_reason", VARCHAR),
        _column("trigger_type", VARCHAR),
        _column("auto_delegated", BOOLEAN, "false"),
        _column("confidence_score", DOUBLE, null=True),
        _column("processed", BOOLEAN, "false"),
        _column("status", VARCHAR, "'pending'"),
        _column("approved", BOOLEAN, null=True),
        _column("processed_by", VARCHAR, null=True),
        _column("rejected_reason", VARCHAR, null=True),
        _column("error_message", VARCHAR, null=True),
        _column("user_id", VARCHAR),
        _column("created_at", TIME, "now()"),
        _column("processed_at", TIME, null=True),
        _primary_key("context_delegations", "id"),
        sa.CheckConstraint(
            "source_level IN ('task', 'branch', 'project', 'global')", name="chk_source_level"
        ),
        sa.CheckConstraint(
            "target_level IN ('task', 'branch', 'project', 'global')", name="chk_target_level"
        ),
        sa.CheckConstraint(
            "trigger_type IN ('manual', 'auto_pattern', 'auto_threshold')",
            name="chk_trigger_type",
        ),
    )
    op.create_index("idx_delegation_processed", "context_delegations", ["processed"])
    op.create_index("idx_delegation_source", "context_delegations", ["source_level", "source_id"])
    op.create_index("idx_delegation_target", "context_delegations", ["target_level", "target_id"])
    op.create_table(
        "context_inheritance_cache",
        _column("id", UUID, "gen_random_uuid()"),
        _column("context_id", UUID),
        _column("context_level", VARCHAR),
        _column("context_type", VARCHAR, "'hierarchical'"),
        _column("resolved_context", JSONB),
        _column("resolved_data", JSONB, "'{}'"),
        _column("dependencies_hash", VARCHAR),
        _column("resolution_path", VARCHAR),
        _column("parent_chain", JSONB, "'[]'"),
        _column("created_at", TIME, "now()"),
        _column("expires_at", TIME),
        _column("hit_count", INTEGER, "0"),
        _column("last_hit", TIME, "now()"),
        _column("cache_size_bytes", INTEGER),
        _column("invalidated", BOOLEAN, "false"),
        _column("invalidation_reason", VARCHAR, null=True),
        _column("user_id", VARCHAR),
        _primary_key("context_inheritance_cache", "id"),
        sa.UniqueConstraint("context_id", "context_level", name="uq_cache_context"),
        sa.CheckConstraint(
            "context_level IN ('task', 'branch', 'project', 'global')",
            name="chk_cache_context_level",
        ),
    )
    op.create_index("idx_cache_expires", "context_inheritance_cache", ["expires_at"])
    op.create_index("idx_cache_invalidated", "context_inheritance_cache", ["invalidated"])
    op.create_index("idx_cache_level", "context_inheritance_cache", ["context_level"])


def _create_templates() -> None:
    op.create_table(
        "templates",
        _column("id", UUID),
        _column("name", VARCHAR),
        _column("template_name", VARCHAR, "''"),
        _column("template_content", TEXT, "''"),
        _column("template_type", VARCHAR, "'general'"),
        _column("type", VARCHAR),
        _column("content", JSONB),
        _column("category", VARCHAR, "'general'"),
        _column("tags", JSONB, "'[]'"),
        _column("usage_count", INTEGER, "0"),
        _column("user_id", VARCHAR, null=True),
        _column("created_at", TIME, "now()"),
        _column("updated_at", TIME, "now()"),
        _column("created_by", VARCHAR),
        _column("metadata", JSONB, "'{}'"),
        _primary_key("templates", "id"),
    )
    op.create_index("idx_template_category", "templates", ["category"])
    op.create_index("idx_template_type", "templates", ["type"])


def _create_auth() -> None:
    op.create_table(
        "users",
        _column("id", UUID),
        _column("email", sa.String(254)),
        _column("username", sa.String(150)),
        _column("password_hash", sa.String(255)),
        _column("full_name", sa.String(255), null=True),
        _column("status", sa.String(50), "'PENDING_VERIFICATION'"),
        _column("roles", JSONB, "'[]'"),
        _column("email_verified", BOOLEAN, "false"),
        _column("email_verified_at", TIME, null=True),
        _column("last_login_at", TIME, null=True),
        _column("failed_login_attempts", INTEGER, "0"),
        _column("locked_until", TIME, null=True),
        _column("password_changed_at", TIME, null=True),
        _column("password_reset_token", sa.String(255), null=True),
        _column("password_reset_expires", TIME, null=True),
        _column("refresh_token_family", sa.String(255), null=True),
        _column("refresh_token_version", INTEGER, "0"),
        _column("created_at", TIME, "now()"),
        _column("updated_at", TIME, "now()"),
        _column("created_by", sa.String(255), null=True),
        _column("project_ids", JSONB, "'[]'"),
        _column("default_project_id", UUID, null=True),
        _column("metadata", JSONB, "'{}'"),
        _primary_key("users", "id"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.UniqueConstraint("username", name="uq_users_username"),
        sa.UniqueConstraint("password_reset_token", name="uq_users_password_reset_token"),
        sa.CheckConstraint("length(email) > 0", name="check_email_not_empty"),
        sa.CheckConstraint("length(username) > 0", name="check_username_not_empty"),
    )
    op.create_index("ix_users_email", "users", ["email"])
    op.create_index("ix_users_password_reset_token", "users", ["password_reset_token"])
    op.create_index("ix_users_refresh_token_family", "users", ["refresh_token_family"])
    op.create_index("ix_users_status", "users", ["status"])
    op.create_index("ix_users_username", "users", ["username"])
    op.create_table(
        "user_sessions",
        _column("id", UUID),
        _column("user_id", UUID),
        _column("session_token", sa.String(255)),
        _column("refresh_token", sa.String(255), null=True),
        _column("ip_address", sa.String(45), null=True),
        _column("user_agent", TEXT, null=True),
        _column("device_info", JSONB, "'{}'"),
        _column("created_at", TIME, "now()"),
        _column("last_activity", TIME, "now()"),
        _column("expires_at", TIME),
        _column("revoked_at", TIME, null=True),
        _column("is_active", BOOLEAN, "true"),
        _primary_key("user_sessions", "id"),
        _foreign_key("user_sessions", "user_id", "users", on_delete="CASCADE"),
        sa.UniqueConstraint("session_token", name="uq_user_sessions_session_token"),
        sa.UniqueConstraint("refresh_token", name="uq_user_sessions_refresh_token"),
    )
    op.create_index("ix_user_sessions_is_active", "user_sessions", ["is_active"])
    op.create_index("ix_user_sessions_refresh_token", "user_sessions", ["refresh_token"])
    op.create_index("ix_user_sessions_session_token", "user_sessions", ["session_token"])
    op.create_index("ix_user_sessions_user_id", "user_sessions", ["user_id"])
    op.create_table(
        "api_tokens",
        _column("id", VARCHAR),
        _column("user_id", VARCHAR),
        _column("name", VARCHAR),
        _column("token_hash", VARCHAR),
        _column("scopes", JSONB, "'[]'"),
        _column("created_at", TIME, "now()"),
        _column("expires_at", TIME),
        _column("last_used_at", TIME, null=True),
        _column("usage_count", INTEGER, "0"),
        _column("rate_limit", INTEGER, "1000"),
        _column("is_active", BOOLEAN, "true"),
        _column("token_metadata", JSONB, "'{}'"),
        _primary_key("api_tokens", "id"),
    )


def _create_bookkeeping() -> None:
    op.create_table(
        "identity",
        _column("singleton", BOOLEAN, "true"),
        _column("environment", TEXT),
        _column(
            "reference",
            TEXT,
            comment="Supabase project ref, or the system identifier of the server",
        ),
        _column("created_at", TIME, "now()"),
        _primary_key("identity", "singleton"),
        sa.CheckConstraint("singleton", name="ck_identity_singleton"),
        sa.CheckConstraint(
            "environment IN ('dev', 'test', 'prod')", name="ck_identity_environment"
        ),
        schema="dhafnck",
        comment="Which database this is; one row, held against the environment before every write",
    )
    op.create_table(
        "imports",
        sa.Column("id", BIGINT, sa.Identity()),
        _column("source_sha256", TEXT),
        _column("source_name", TEXT),
        _column("source_bytes", BIGINT),
        _column("generation", TEXT),
        _column("owner", TEXT, null=True),
        _column("tool_version", TEXT),
        _column("totals", JSONB),
        _column("plan", JSONB),
        _column("imported_at", TIME, "now()"),
        _primary_key("imports", "id"),
        sa.UniqueConstraint("source_sha256", name="uq_imports_source_sha256"),
        schema="legacy",
        comment="The legacy files that were imported, by content, with the plan each run followed",
    )
    op.create_table(
        "id_map",
        _column("table", TEXT),
        _column("legacy_id", TEXT),
        _column("id", UUID),
        _primary_key("id_map", "table", "legacy_id"),
        schema="legacy",
        comment="The id a legacy row had, where it was no UUID, and the UUID it has now",
    )
    op.create_table(
        "rejects",
        sa.Column("id", BIGINT, sa.Identity()),
        _column("import_id", BIGINT),
        _column("table", TEXT),
        _column("key", TEXT),
        _column("column", TEXT, null=True, comment="null where the whole row is at fault"),
        _column("code", TEXT),
        _column("reason", TEXT),
        _column("row", JSONB),
        _primary_key("rejects", "id"),
        _foreign_key("rejects", "import_id", "legacy.imports"),
        schema="legacy",
        comment="The rows that could not be carried over and were quarantined, whole",
    )
    op.create_table(
        "columns",
        _column("archive", TEXT, comment="the archive table, with its schema"),
        _column("position", INTEGER),
        _column("name", TEXT, comment="the column of the archive table"),
        _column("source_table", TEXT),
        _column("source_column", TEXT, null=True, comment="null where the archive adds the column"),
        _column("declared_type", TEXT, null=True, comment="as written in the legacy file"),
        _column("representation", TEXT),
        _primary_key("columns", "archive", "name"),
        schema="legacy",
        comment="How each column of each archive table represents its column of the legacy file",
    )
