-- Whether a database lacks something of its surface. Arguments: surface (the version of surface.sql), extensions (JSON).
SELECT
    coalesce(obj_description(to_regnamespace('auth'), 'pg_namespace'), '') <> %(surface)s
    OR EXISTS (
        SELECT FROM unnest(ARRAY['auth.jwt()', 'auth.uid()', 'auth.role()', 'auth.email()']) AS wanted (name)
        WHERE to_regprocedure(wanted.name) IS NULL
    )
    OR EXISTS (
        SELECT FROM jsonb_array_elements_text(%(extensions)s::jsonb) AS wanted (name)
        WHERE NOT EXISTS (
            SELECT FROM pg_extension AS e
            WHERE e.extname = wanted.name AND e.extnamespace = to_regnamespace('extensions')
        )
    )
    OR NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'supabase_realtime')
    OR current_setting('TimeZone') <> 'UTC'
    OR current_setting('search_path') <> '"$user", public, extensions' AS surface
