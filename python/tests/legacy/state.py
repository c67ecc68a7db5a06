"""What stands in a database: every row, and every object with its constraints, owner and rights."""

from typing import Any

from sqlalchemy import Connection, text

OURS = "('public', 'legacy', 'dhafnck')"

_TABLES = text(f"""
    SELECT schemaname || '.' || tablename, format('%I.%I', schemaname, tablename)
    FROM pg_tables WHERE schemaname IN {OURS} ORDER BY 1
""")  # noqa: S608

# One line for each object.
_STRUCTURE = text(f"""
    WITH ours AS (
        SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname IN {OURS}
    )
    SELECT 'relation', nspname, relname, concat_ws(' ', relkind, relpersistence, relowner::regrole,
        relacl, relrowsecurity, relforcerowsecurity, relreplident, reloptions, reltablespace,
        obj_description(oid, 'pg_class')) FROM ours
    UNION ALL
    SELECT 'column', nspname, relname || '.' || attname, concat_ws(' ',
        format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attstorage,
        attcompression, attcollation::regcollation, attacl, pg_get_expr(adbin, adrelid),
        col_description(ours.oid, attnum))
    FROM ours JOIN pg_attribute a ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    UNION ALL
    SELECT 'constraint', nspname, relname || '.' || conname, concat_ws(' ', convalidated,
        condeferrable, connoinherit, pg_get_constraintdef(k.oid),
        obj_description(k.oid, 'pg_constraint'))
    FROM ours JOIN pg_constraint k ON conrelid = ours.oid
    UNION ALL
    SELECT 'index', nspname, relname, concat_ws(' ', indisvalid, indisready, indislive,
        indisprimary, indisreplident, indisclustered, pg_get_indexdef(indexrelid))
    FROM ours JOIN pg_index ON indexrelid = ours.oid
    UNION ALL
    SELECT 'trigger', nspname, relname || '.' || tgname,
        concat_ws(' ', tgenabled, pg_get_triggerdef(t.oid))
    FROM ours JOIN pg_trigger t ON tgrelid = ours.oid AND NOT tgisinternal
    UNION ALL
    SELECT 'policy', nspname, relname || '.' || polname, concat_ws(' ', polcmd, polroles::text,
        pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM ours JOIN pg_policy ON polrelid = ours.oid
    UNION ALL
    SELECT 'schema', nspname, '', concat_ws(' ', nspowner::regrole, nspacl) FROM pg_namespace
    WHERE nspname !~ '^pg_(temp|toast)'
""")  # noqa: S608

_SUMMED = "SELECT count(*), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM {} t"

# Triggers that belong to foreign keys: each has four, two of them on the table it points to.
_KEPT_BY = text("SELECT count(*) FROM pg_trigger WHERE tgisinternal AND tgenabled = 'O'")


def contents(connection: Connection) -> dict[str, tuple[int, str]]:
    """Return the number of rows and a hash of them, for each table that has rows. Read-only.

    The database's identity is left out: every database has one.
    """
    with connection.begin():
        tables = [tuple(row) for row in connection.execute(_TABLES)]
        found = {
            name: connection.execute(text(_SUMMED.format(quoted))).one()
            for name, quoted in tables
            if name not in ("dhafnck.identity", "public.alembic_version")
        }
    return {name: (row[0], row[1]) for name, row in found.items() if row[0]}


def structure(connection: Connection) -> set[tuple[Any, ...]]:
    """Return every object of our schemas as it is defined: kind, schema, name, rest. Read-only.

    Numbers that PostgreSQL gives to objects are no part of it.
    """
    with connection.begin():
        found = {tuple(row) for row in connection.execute(_STRUCTURE)}
        found.add(("triggers", "", "", str(connection.scalar(_KEPT_BY))))
    return found
