-- What every rule looks at: the project's own objects, without those that an extension brought along.
WITH
relation AS (
    SELECT c.*, c.oid AS number, nspname, format('%I.%I', nspname, relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname = ANY (:schemas) AND relpersistence <> 't' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'
    )
),
routine AS (
    SELECT p.*, p.oid AS number, nspname, p.oid::regprocedure::text AS name
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
    WHERE nspname = ANY (:schemas) AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e'
    )
)
