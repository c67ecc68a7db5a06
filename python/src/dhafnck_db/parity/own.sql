-- What the other files read from: the schemas asked for, how roles are called, and the tables. Whoever owns the
-- database is called (owner), since the name differs between environments. Nothing of an extension is the project's,
-- and neither are the tables of the archive, which are as the legacy files were.
WITH
own AS (
    SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname = ANY (:schemas)
),
named AS (
    SELECT
        r.oid,
        CASE WHEN r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database()) THEN '(owner)'
             ELSE quote_ident(rolname) END AS spelled,
        r.oid = 10 OR rolname ~ :vendor_roles AS vendors
    FROM pg_roles r
    UNION ALL SELECT 0, 'PUBLIC', false
),
extended AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
),
relation AS (
    SELECT c.*, c.oid AS number, format('%I.%I', nspname, relname) AS name
    FROM pg_class c JOIN own ON own.oid = relnamespace
    WHERE nspname || '.' || relname <> ALL (:archives)
        AND NOT EXISTS (SELECT FROM extended WHERE classid = 'pg_class'::regclass AND objid = c.oid)
)
