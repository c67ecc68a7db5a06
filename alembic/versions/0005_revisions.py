"""The revisions that a database has, with the hash of the file that each came from.

Revision 0005, after 0004. What was applied before it is recorded with the files of that moment.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from dhafnck_db.privileges import secure

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "revisions",
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column(
            "after", ARRAY(sa.Text()), nullable=False, comment="the revisions that it builds on"
        ),
        sa.Column("sha256", sa.Text(), nullable=False, comment="of its file, when it was applied"),
        sa.Column("tables", ARRAY(sa.Text()), nullable=False, comment="of the models, after it"),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("revision", name="pk_revisions"),
        schema="dhafnck",
        comment="The revisions that this database has, as their files were when they were applied",
    )
    for statement in secure("revisions", schema="dhafnck"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("revisions", schema="dhafnck")
