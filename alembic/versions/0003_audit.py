"""An audit trail that is off until a table asks for it.

Revision 0003, after 0002. It never switches the trail on.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from dhafnck_db.privileges import secure, secure_function

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# As its owner, so that whoever writes a row needs no right to the trail. pg_temp comes last: first,
# as it is where nobody names it, a type that the writer made there would be taken for another. For
# the same reason it calls no auth.jwt(), which has a search path of its own.
WRITE = """
CREATE FUNCTION dhafnck.audit_write() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
-- Arguments: the columns of the primary key, and those whose values are kept out of the trail.
DECLARE
    before jsonb;
    after jsonb;
    identified jsonb;
    hidden text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        after := to_jsonb(NEW);
        identified := after;
    ELSIF TG_OP = 'DELETE' THEN
        before := to_jsonb(OLD);
        identified := before;
    ELSIF TG_OP = 'UPDATE' THEN
        identified := to_jsonb(OLD);
        -- As text, since jsonb takes 1.0 and 1.00 for the same.
        SELECT jsonb_object_agg(key, identified -> key), jsonb_object_agg(key, value)
        INTO before, after
        FROM jsonb_each(to_jsonb(NEW)) WHERE value::text <> (identified -> key)::text;
        IF before IS NULL THEN
            RETURN NULL;  -- nothing changed
        END IF;
    END IF;
    FOREACH hidden IN ARRAY TG_ARGV[1]::text[] LOOP
        before := jsonb_set(before, ARRAY[hidden], '"(hidden)"', false);
        after := jsonb_set(after, ARRAY[hidden], '"(hidden)"', false);
    END LOOP;
    INSERT INTO dhafnck.audit
        (session_role, role, subject, "schema", "table", operation, key, old, new)
    VALUES (
        session_user,
        coalesce(nullif(current_setting('role'), 'none'), session_user),
        coalesce(
            nullif(current_setting('request.jwt.claim', true), ''),
            nullif(current_setting('request.jwt.claims', true), '')
        )::jsonb ->> 'sub',
        TG_TABLE_SCHEMA,
        TG_TABLE_NAME,
        TG_OP,
        (SELECT jsonb_object_agg(name, identified -> name)
         FROM unnest(TG_ARGV[0]::text[]) AS name WHERE identified IS NOT NULL),
        before,
        after
    );
    RETURN NULL;
END
$$
"""
ON = """
CREATE FUNCTION dhafnck.audit_on(target regclass, hidden text[] DEFAULT '{}')
    RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keys text[] := ARRAY(
        SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid
        WHERE indrelid = target AND indisprimary AND attnum = ANY (indkey) ORDER BY attnum
    );
BEGIN
    IF target = 'dhafnck.audit'::regclass THEN
        RAISE EXCEPTION 'the audit trail does not record itself';
    END IF;
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER dhafnck_audit_rows AFTER INSERT OR UPDATE OR DELETE ON %s '
        'FOR EACH ROW EXECUTE FUNCTION dhafnck.audit_write(%L, %L)', target, keys, hidden
    );
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER dhafnck_audit_truncate AFTER TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION dhafnck.audit_write(%L, %L)', target, keys, hidden
    );
    -- Somebody may have disabled them.
    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER dhafnck_audit_rows', target);
    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER dhafnck_audit_truncate', target);
END
$$
"""
OFF = """
CREATE FUNCTION dhafnck.audit_off(target regclass)
    RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS dhafnck_audit_rows ON %s', target);
    EXECUTE format('DROP TRIGGER IF EXISTS dhafnck_audit_truncate ON %s', target);
END
$$
"""
FUNCTIONS = (
    "dhafnck.audit_write()",
    "dhafnck.audit_on(regclass, text[])",
    "dhafnck.audit_off(regclass)",
)


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("session_role", sa.Text(), nullable=False, comment="who logged in"),
        sa.Column("role", sa.Text(), nullable=False, comment="as whom: SET ROLE, if it was called"),
        sa.Column("subject", sa.Text(), comment="whose token it was, where there was one"),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", JSONB(), comment="the primary key, before the change"),
        sa.Column("old", JSONB(), comment="of UPDATE only what changed, of DELETE the row"),
        sa.Column("new", JSONB(), comment="of UPDATE only what changed, of INSERT the row"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sa.CheckConstraint(
            "operation IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')", name="ck_audit_operation"
        ),
        schema="dhafnck",
        comment="Who changed what in the tables that are audited; written by their triggers alone",
    )
    # The rows lie in the order of their times, so that ranges of blocks do.
    op.create_index("ix_audit_at", "audit", ["at"], schema="dhafnck", postgresql_using="brin")
    for statement in (
        *secure("audit", schema="dhafnck", sequences=["audit_id_seq"]),
        WRITE,
        ON,
        OFF,
        *(secure_function(name) for name in FUNCTIONS),
    ):
        op.execute(statement)


def downgrade() -> None:
    # With the triggers of the tables that are audited.
    op.execute("DROP FUNCTION dhafnck.audit_write() CASCADE")
    for name in FUNCTIONS[1:]:
        op.execute(f"DROP FUNCTION {name}")
    op.drop_table("audit", schema="dhafnck")
