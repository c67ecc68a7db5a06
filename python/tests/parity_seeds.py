"""Differences made by hand, one at a time, and what the comparison has to say of each."""

from typing import NamedTuple

VIEW = "CREATE VIEW public.seen AS SELECT id FROM public.tasks"
TRIGGER = (
    "CREATE TRIGGER noted AFTER INSERT ON public.tasks FOR EACH ROW "
    "EXECUTE FUNCTION dhafnck.audit_write('{id}', '{}')"
)
LENGTH = "length int GENERATED ALWAYS AS ({}) STORED"
SHORT = "CONSTRAINT few CHECK (length(VALUE) < {})"


class Seed(NamedTuple):
    """A change, and its class, kind, name and property as they have to be found."""

    verdict: str
    kind: str
    name: str
    trait: str | None
    change: str
    given: str = ""  # what both sides have before
    mighty: bool = False  # the owner of the database may not
    undo: str = ""  # of what is the whole server's
    by_hand: bool = False  # no statement makes it as it was
    redo_by_hand: bool = False  # nor makes the other side like it


SEEDS = {
    "extra table": Seed(
        "breaks", "table", "public.stray", None,
        "CREATE TABLE public.stray (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "at timestamptz NOT NULL DEFAULT now(), note text COLLATE \"C\" CHECK (note <> '')); "
        "COMMENT ON COLUMN public.stray.note IS 'it''s'; CREATE INDEX ON public.stray (at DESC)"),
    "missing table": Seed(
        "breaks", "table", "public.labels", None, "DROP TABLE public.labels CASCADE",
        given="DROP TABLE public.task_labels"),
    "partitioned table": Seed(
        "breaks", "table", "public.parts", None,
        "CREATE TABLE public.parts (id int) PARTITION BY RANGE (id)", redo_by_hand=True),
    "name that needs quotes": Seed(
        "breaks", "table", 'public."Stray one"', None,
        'CREATE TABLE public."Stray one" ("Odd ""name""" int)'),
    "unlogged table": Seed(
        "breaks", "table", "public.task_labels", "persistence",
        "ALTER TABLE public.task_labels SET UNLOGGED"),
    "storage parameter": Seed(
        "drift", "table", "public.tasks", "options",
        "ALTER TABLE public.tasks SET (fillfactor = 80)"),
    "column order": Seed(
        "breaks", "table", "public.ordered", "column order",
        "DROP TABLE public.ordered; CREATE TABLE public.ordered (b int, a int)",
        given="CREATE TABLE public.ordered (a int, b int)", by_hand=True, redo_by_hand=True),
    "extra column": Seed(
        "breaks", "column", "public.tasks.stray", None,
        "ALTER TABLE public.tasks ADD COLUMN stray text NOT NULL DEFAULT 'x'"),
    "missing column": Seed(
        "breaks", "column", "public.tasks.extra", None,
        "ALTER TABLE public.tasks DROP COLUMN extra",
        given="ALTER TABLE public.tasks ADD COLUMN extra int"),
    "generated column": Seed(
        "breaks", "column", "public.tasks.length", None,
        f"ALTER TABLE public.tasks ADD COLUMN {LENGTH.format('length(title)')}"),
    "other expression": Seed(
        "breaks", "column", "public.tasks.length", "generated",
        "ALTER TABLE public.tasks DROP COLUMN length, "
        f"ADD COLUMN {LENGTH.format('length(title) + 1')}",
        given=f"ALTER TABLE public.tasks ADD COLUMN {LENGTH.format('length(title)')}"),
    "type": Seed(
        "breaks", "column", "public.tasks.title", "type",
        "ALTER TABLE public.tasks ALTER COLUMN title TYPE varchar(100)"),
    "default": Seed(
        "breaks", "column", "public.tasks.title", "default",
        "ALTER TABLE public.tasks ALTER COLUMN title SET DEFAULT 'none'"),
    "default gone": Seed(
        "breaks", "column", "public.tasks.status", "default",
        "ALTER TABLE public.tasks ALTER COLUMN status DROP DEFAULT"),
    "not null": Seed(
        "breaks", "column", "public.tasks.title", "not null",
        "ALTER TABLE public.tasks ALTER COLUMN title DROP NOT NULL"),
    "identity kind": Seed(
        "breaks", "column", "dhafnck.audit.id", "identity",
        "ALTER TABLE dhafnck.audit ALTER COLUMN id SET GENERATED ALWAYS"),
    "identity gone": Seed(
        "breaks", "column", "dhafnck.audit.id", "identity",
        "ALTER TABLE dhafnck.audit ALTER COLUMN id DROP IDENTITY"),
    "collation of a column": Seed(
        "breaks", "column", "public.tasks.title", "collation",
        'ALTER TABLE public.tasks ALTER COLUMN title TYPE varchar COLLATE "C"'),
    "storage": Seed(
        "drift", "column", "public.tasks.title", "storage",
        "ALTER TABLE public.tasks ALTER COLUMN title SET STORAGE EXTERNAL"),
    "statistics target": Seed(
        "drift", "column", "public.tasks.title", "statistics",
        "ALTER TABLE public.tasks ALTER COLUMN title SET STATISTICS 500"),
    "check text": Seed(
        "breaks", "constraint", "dhafnck.identity.ck_identity_environment", "definition",
        "ALTER TABLE dhafnck.identity DROP CONSTRAINT ck_identity_environment, ADD CONSTRAINT "
        "ck_identity_environment CHECK (environment IN ('dev', 'test', 'prod', 'stage'))"),
    "check gone": Seed(
        "breaks", "constraint", "dhafnck.identity.ck_identity_environment", None,
        "ALTER TABLE dhafnck.identity DROP CONSTRAINT ck_identity_environment"),
    "check not validated": Seed(
        "breaks", "constraint", "public.tasks.short", "definition",
        "ALTER TABLE public.tasks DROP CONSTRAINT short, "
        "ADD CONSTRAINT short CHECK (length(title) < 9) NOT VALID",
        given="ALTER TABLE public.tasks ADD CONSTRAINT short CHECK (length(title) < 9)"),
    "foreign key gone": Seed(
        "breaks", "constraint", "public.subtasks.fk_subtasks_task_id_tasks", None,
        "ALTER TABLE public.subtasks DROP CONSTRAINT fk_subtasks_task_id_tasks"),
    "foreign key action": Seed(
        "breaks", "constraint", "public.subtasks.fk_subtasks_task_id_tasks", "definition",
        "ALTER TABLE public.subtasks DROP CONSTRAINT fk_subtasks_task_id_tasks, ADD CONSTRAINT "
        "fk_subtasks_task_id_tasks FOREIGN KEY (task_id) REFERENCES public.tasks (id)"),
    "foreign key not enforced": Seed(
        "breaks", "constraint", "public.subtasks.fk_subtasks_task_id_tasks", "enforced",
        "ALTER TABLE public.subtasks DISABLE TRIGGER ALL", mighty=True),
    "extra unique": Seed(
        "breaks", "constraint", "public.tasks.once", None,
        "ALTER TABLE public.tasks ADD CONSTRAINT once UNIQUE (title)"),
    "index gone": Seed(
        "drift", "index", "public.idx_task_status", None, "DROP INDEX public.idx_task_status"),
    "extra index": Seed(
        "drift", "index", "public.stray_index", None,
        "CREATE INDEX stray_index ON public.tasks (lower(title)) WHERE status <> 'done'"),
    "extra unique index": Seed(
        "breaks", "index", "public.stray_index", None,
        "CREATE UNIQUE INDEX stray_index ON public.tasks (title)"),
    "index method": Seed(
        "drift", "index", "public.idx_task_status", "definition",
        "DROP INDEX public.idx_task_status; "
        "CREATE INDEX idx_task_status ON public.tasks USING hash (status)"),
    "index predicate": Seed(
        "drift", "index", "public.idx_task_status", "definition",
        "DROP INDEX public.idx_task_status; "
        "CREATE INDEX idx_task_status ON public.tasks (status) WHERE status <> 'done'"),
    "invalid index": Seed(
        "drift", "index", "public.idx_task_status", "valid",
        "UPDATE pg_index SET indisvalid = false "
        "WHERE indexrelid = 'public.idx_task_status'::regclass",
        mighty=True, redo_by_hand=True),
    "policy gone": Seed(
        "breaks", "policy", "public.tasks.own_rows_select", None,
        "DROP POLICY own_rows_select ON public.tasks"),
    "extra policy": Seed(
        "breaks", "policy", "public.tasks.everybody", None,
        "CREATE POLICY everybody ON public.tasks FOR SELECT TO anon, authenticated USING (true)"),
    "policy text": Seed(
        "breaks", "policy", "public.tasks.own_rows_select", "using",
        "ALTER POLICY own_rows_select ON public.tasks USING (true)"),
    "policy check": Seed(
        "breaks", "policy", "public.tasks.own_rows_insert", "check",
        "ALTER POLICY own_rows_insert ON public.tasks WITH CHECK (true)"),
    "policy roles": Seed(
        "breaks", "policy", "public.tasks.own_rows_select", "roles",
        "ALTER POLICY own_rows_select ON public.tasks TO PUBLIC"),
    "row security off": Seed(
        "breaks", "table", "public.tasks", "row level security",
        "ALTER TABLE public.tasks DISABLE ROW LEVEL SECURITY"),
    "row security forced": Seed(
        "breaks", "table", "public.tasks", "forced row level security",
        "ALTER TABLE public.tasks FORCE ROW LEVEL SECURITY"),
    "stray grant": Seed(
        "breaks", "grant", "TABLE public.tasks TO anon", "privileges",
        "GRANT SELECT ON public.tasks TO anon"),
    "grant gone": Seed(
        "breaks", "grant", "TABLE public.tasks TO service_role", "privileges",
        "REVOKE DELETE ON public.tasks FROM service_role"),
    "grant of a column": Seed(
        "breaks", "grant", "COLUMN public.tasks.title TO anon", "privileges",
        "GRANT SELECT (title), UPDATE (title) ON public.tasks TO anon"),
    "grant option": Seed(
        "breaks", "grant", "TABLE public.tasks TO service_role", "grantable",
        "GRANT SELECT ON public.tasks TO service_role WITH GRANT OPTION"),
    "grant on a schema": Seed(
        "breaks", "grant", "SCHEMA dhafnck TO anon", "privileges",
        "GRANT USAGE ON SCHEMA dhafnck TO anon"),
    "grant on a sequence": Seed(
        "breaks", "grant", "SEQUENCE dhafnck.audit_id_seq TO anon", "privileges",
        "GRANT USAGE ON SEQUENCE dhafnck.audit_id_seq TO anon"),
    "grant on a function": Seed(
        "breaks", "grant", "FUNCTION dhafnck.audit_off(target regclass) TO anon", "privileges",
        "GRANT EXECUTE ON FUNCTION dhafnck.audit_off(regclass) TO anon"),
    "default privilege": Seed(
        "drift", "default privilege", "TABLES IN SCHEMA public FOR (owner) TO anon", "privileges",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO anon"),
    "owner": Seed(
        "breaks", "table", "public.task_labels", "owner",
        "ALTER TABLE public.task_labels OWNER TO authenticator", mighty=True),
    "extra trigger": Seed("breaks", "trigger", "public.tasks.noted", None, TRIGGER),
    "trigger disabled": Seed(
        "breaks", "trigger", "public.tasks.noted", "enabled",
        "ALTER TABLE public.tasks DISABLE TRIGGER noted", given=TRIGGER),
    "extra function": Seed(
        "breaks", "function", "public.stray(n integer)", None,
        "CREATE FUNCTION public.stray(n int) RETURNS int LANGUAGE sql AS 'SELECT n'"),
    "function body": Seed(
        "breaks", "function", "dhafnck.audit_off(target regclass)", "definition",
        "CREATE OR REPLACE FUNCTION dhafnck.audit_off(target regclass) RETURNS void "
        "LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN END'"),
    "function as its definer": Seed(
        "breaks", "function", "dhafnck.audit_off(target regclass)", "definition",
        "ALTER FUNCTION dhafnck.audit_off(regclass) SECURITY DEFINER"),
    "extra view": Seed("breaks", "view", "public.seen", None, VIEW),
    "view text": Seed(
        "breaks", "view", "public.seen", "definition",
        "CREATE OR REPLACE VIEW public.seen AS SELECT id FROM public.tasks WHERE false",
        given=VIEW),
    "view as its caller": Seed(
        "breaks", "view", "public.seen", "options",
        "ALTER VIEW public.seen SET (security_barrier = true)", given=VIEW),
    "extra materialized view": Seed(
        "breaks", "materialized view", "public.kept", None,
        "CREATE MATERIALIZED VIEW public.kept AS SELECT 1 AS one"),
    "rule": Seed(
        "breaks", "rule", "public.tasks.nothing", None,
        "CREATE RULE nothing AS ON DELETE TO public.tasks DO INSTEAD NOTHING"),
    "enum label": Seed(
        "breaks", "enum", "public.progressstate", "labels",
        "ALTER TYPE public.progressstate ADD VALUE 'STUCK' BEFORE 'COMPLETE'", by_hand=True),
    "enum order": Seed(
        "breaks", "enum", "public.mood", "labels",
        "DROP TYPE public.mood; CREATE TYPE public.mood AS ENUM ('bad', 'good')",
        given="CREATE TYPE public.mood AS ENUM ('good', 'bad')", by_hand=True, redo_by_hand=True),
    "domain": Seed(
        "breaks", "domain", "public.short", "constraints",
        f"DROP DOMAIN public.short; CREATE DOMAIN public.short AS text {SHORT.format(9)}",
        given=f"CREATE DOMAIN public.short AS text {SHORT.format(5)}"),
    "extra sequence": Seed(
        "breaks", "sequence", "public.numbers", None,
        "CREATE SEQUENCE public.numbers INCREMENT 5 CACHE 3 CYCLE"),
    "sequence step": Seed(
        "breaks", "sequence", "dhafnck.audit_id_seq", "increment",
        "ALTER SEQUENCE dhafnck.audit_id_seq INCREMENT BY 7"),
    "sequence of another column": Seed(
        "breaks", "sequence", "public.numbers", "owned by",
        "ALTER SEQUENCE public.numbers OWNED BY public.tasks.progress_count",
        given="CREATE SEQUENCE public.numbers OWNED BY public.tasks.progress_percentage"),
    "comment on a table": Seed(
        "drift", "table", "public.tasks", "comment",
        r"COMMENT ON TABLE public.tasks IS 'it''s \n'"),
    "comment on a column": Seed(
        "drift", "column", "dhafnck.audit.role", "comment",
        "COMMENT ON COLUMN dhafnck.audit.role IS NULL"),
    "extended statistics": Seed(
        "drift", "statistics", "public.together", None,
        "CREATE STATISTICS public.together ON status, priority FROM public.tasks"),
    "replica identity": Seed(
        "breaks", "table", "public.tasks", "replica identity",
        "ALTER TABLE public.tasks REPLICA IDENTITY FULL"),
    "publication": Seed(
        "drift", "published table", "public.tasks.supabase_realtime", None,
        "ALTER PUBLICATION supabase_realtime "
        "ADD TABLE public.tasks (id, title) WHERE (status = 'x')"),
    "published operations": Seed(
        "drift", "publication", "supabase_realtime", "delete",
        "ALTER PUBLICATION supabase_realtime SET (publish = 'insert, update, truncate')"),
    "extra schema": Seed("drift", "schema", "reporting", None, "CREATE SCHEMA reporting"),
    "extension gone": Seed(
        "breaks", "extension", "pg_trgm", None, "DROP EXTENSION pg_trgm", mighty=True),
    "extension version": Seed(
        "breaks", "extension", "pg_trgm", "version",
        "DROP EXTENSION pg_trgm; CREATE EXTENSION pg_trgm SCHEMA extensions VERSION '1.5'",
        mighty=True, redo_by_hand=True),
    "extension elsewhere": Seed(
        "breaks", "extension", "pg_trgm", "schema",
        "ALTER EXTENSION pg_trgm SET SCHEMA public", mighty=True),
    "time zone": Seed(
        "breaks", "setting", "TimeZone", "value",
        "ALTER DATABASE {} SET timezone = 'Europe/Paris'"),
    "search path": Seed(
        "breaks", "setting", "search_path", "value",
        "ALTER DATABASE {} SET search_path = public, dhafnck"),
    "statement timeout": Seed(
        "breaks", "setting", "statement_timeout", "value",
        "ALTER DATABASE {} SET statement_timeout = '7s'"),
    "setting of plans": Seed(
        "drift", "setting", "random_page_cost", "value",
        "ALTER DATABASE {} SET random_page_cost = 1.1"),
    "role attribute": Seed(
        "breaks", "role", "anon", "bypassrls", "ALTER ROLE anon BYPASSRLS", mighty=True,
        undo="ALTER ROLE anon NOBYPASSRLS"),
    "owner's attribute": Seed(
        "breaks", "role", "(owner)", "createdb", "ALTER ROLE app_owner CREATEDB", mighty=True,
        undo="ALTER ROLE app_owner NOCREATEDB"),
    "extra role": Seed(
        "breaks", "role", "stray_role", None, "CREATE ROLE stray_role LOGIN", mighty=True,
        undo="DROP ROLE IF EXISTS stray_role"),
    "membership": Seed(
        "breaks", "membership", "anon IN service_role", None, "GRANT service_role TO anon",
        mighty=True, undo="REVOKE service_role FROM anon"),
    "setting of a role": Seed(
        "breaks", "role setting", "statement_timeout FOR anon", None,
        "ALTER ROLE anon SET statement_timeout = '3s'", mighty=True,
        undo="ALTER ROLE anon RESET statement_timeout"),
    "revision": Seed(
        "breaks", "revision", "alembic", "value",
        "UPDATE alembic_version SET version_num = '0001'", by_hand=True, redo_by_hand=True),
}  # fmt: skip
