"""The extensions that health asks for, in the schema that Supabase keeps them in.

Development has them from its superuser; on Supabase role postgres may create them. Without a
version: Supabase takes none (its discussion 48250).

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
waivers = {
    "downgrade-missing": "Others may have come to use the extensions, and a second upgrade finds "
    "them in place.",
}

EXTENSIONS = ("pg_stat_statements", "pg_trgm", "pgcrypto", "uuid-ossp")


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS extensions")
    for extension in EXTENSIONS:
        op.execute(f'CREATE EXTENSION IF NOT EXISTS "{extension}" SCHEMA extensions')


def downgrade() -> None:
    """Leave them: others may have come to use them."""
