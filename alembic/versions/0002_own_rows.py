"""Users of an API reach their own rows, and nothing else.

Revision 0002, after 0001. It never opens a table to anon, nor one of the project's own to anybody.
"""

from collections.abc import Sequence

from alembic import op

from dhafnck_db.policies import SUBJECT_AS_UUID, OwnRows, forbid, permit

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None
waivers = {
    "require-concurrent-index-creation": "It is released together with 0001, which makes the "
    "tables: in production they hold nothing when the indexes are built.",
}

# The roles of a user, the scopes of a token and the life of a session are the application's to
# give, and passwords and tokens nobody's to read: there a user only looks, and logs out.
RULES = (
    OwnRows("projects"),
    OwnRows("project_git_branchs", {"project_id": "projects"}),
    OwnRows("tasks", {"git_branch_id": "project_git_branchs"}),
    OwnRows("subtasks", {"task_id": "tasks"}),
    OwnRows("task_assignees", {"task_id": "tasks"}),
    OwnRows("task_dependencies", {"task_id": "tasks", "depends_on_task_id": "tasks"}),
    OwnRows("labels"),
    OwnRows("task_labels", {"task_id": "tasks", "label_id": "labels"}),
    OwnRows("agents"),
    OwnRows("global_contexts"),
    OwnRows("project_contexts", {"parent_global_id": "global_contexts"}),
    OwnRows(
        "branch_contexts",
        {"branch_id": "project_git_branchs", "parent_project_id": "project_contexts"},
    ),
    OwnRows(
        "task_contexts",
        {
            "task_id": "tasks",
            "parent_branch_id": "project_git_branchs",
            "parent_branch_context_id": "branch_contexts",
        },
    ),
    OwnRows("context_delegations"),
    OwnRows("context_inheritance_cache"),
    OwnRows("templates"),
    OwnRows(
        "users",
        owner="id",
        subject=SUBJECT_AS_UUID,
        verbs=("SELECT",),
        columns=(
            "id", "email", "username", "full_name", "status", "roles", "email_verified",
            "email_verified_at", "last_login_at", "password_changed_at", "created_at", "updated_at",
            "project_ids", "default_project_id", "metadata",
        ),
    ),
    OwnRows(
        "user_sessions",
        subject=SUBJECT_AS_UUID,
        verbs=("SELECT", "DELETE"),
        columns=(
            "id", "user_id", "ip_address", "user_agent", "device_info", "created_at",
            "last_activity", "expires_at", "revoked_at", "is_active",
        ),
    ),
    OwnRows(
        "api_tokens",
        verbs=("SELECT", "DELETE"),
        columns=(
            "id", "user_id", "name", "scopes", "created_at", "expires_at", "last_used_at",
            "usage_count", "rate_limit", "is_active", "token_metadata",
        ),
    ),
)  # fmt: skip
# What a policy filters by; users and user_sessions have theirs.
INDEXED = tuple(rule.table for rule in RULES if rule.subject != SUBJECT_AS_UUID)


def upgrade() -> None:
    for table in INDEXED:
        op.create_index(f"ix_{table}_user_id", table, ["user_id"])
    for rule in RULES:
        for statement in permit(rule):
            op.execute(statement)


def downgrade() -> None:
    for rule in reversed(RULES):
        for statement in forbid(rule):
            op.execute(statement)
    for table in reversed(INDEXED):
        op.drop_index(f"ix_{table}_user_id", table)
