-- What the schemas asked for need and a dump of them does not hold, as one JSON document.
WITH
own AS (
    SELECT oid FROM pg_namespace WHERE nspname = ANY (:schemas)
),
extensions AS (
    SELECT extname AS name, nspname AS schema FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
    WHERE extname <> 'plpgsql'
),
foreign_functions AS (
    SELECT DISTINCT p.oid, nspname
    FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid JOIN pg_namespace n ON n.oid = pronamespace
    WHERE d.refclassid = 'pg_proc'::regclass AND d.deptype IN ('n', 'a') AND nspname !~ '^pg_|^information_schema$'
        AND pronamespace NOT IN (SELECT oid FROM own) AND p.prokind <> 'a'
        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
)
SELECT jsonb_build_object(
    'owner', (SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()),
    'search_path', current_setting('search_path'),
    'roles', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', rolname, 'login', rolcanlogin, 'inherit', rolinherit, 'bypassrls', rolbypassrls,
            'member_of', ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid ORDER BY 1)
        ) ORDER BY rolname), '[]')
        FROM pg_roles r WHERE rolname !~ '^pg_'
    ),
    'extensions', (SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY name), '[]') FROM extensions x),
    'functions', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'schema', nspname, 'definition', pg_get_functiondef(oid)
        ) ORDER BY oid), '[]')
        FROM foreign_functions
    )
)
