-- What Supabase has in every database and plain PostgreSQL lacks: schemas auth and extensions, the functions that
-- row level security policies call, the extensions, the publication of Realtime, and the settings of the database.
-- Safe to run again. Arguments: surface, the version of this file, by which a later run sees that nothing is to be
-- done, and extensions (JSON).

CREATE SCHEMA IF NOT EXISTS auth;
CREATE SCHEMA IF NOT EXISTS extensions;
GRANT USAGE ON SCHEMA auth, extensions TO PUBLIC;

-- The functions read what PostgREST sets for a request: one JSON document, or one setting per claim (older versions).
CREATE OR REPLACE FUNCTION auth.jwt() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = ''
AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb
$$;

CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid
    LANGUAGE sql STABLE
    SET search_path = ''
AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
    )::uuid
$$;

CREATE OR REPLACE FUNCTION auth.role() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = ''
AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
    )
$$;

CREATE OR REPLACE FUNCTION auth.email() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = ''
AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.email', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
    )
$$;

DO $$
DECLARE
    extension text;
BEGIN
    FOR extension IN SELECT jsonb_array_elements_text(%(extensions)s::jsonb) LOOP
        EXECUTE 'CREATE EXTENSION IF NOT EXISTS ' || quote_ident(extension) || ' SCHEMA extensions';
        -- One that somebody made elsewhere moves; one that is there stays.
        EXECUTE 'ALTER EXTENSION ' || quote_ident(extension) || ' SET SCHEMA extensions';
    END LOOP;
END
$$;

DO $$
BEGIN
    EXECUTE 'ALTER DATABASE ' || quote_ident(current_database())
        || ' SET search_path = "$user", public, extensions';
    EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || ' SET timezone = ''UTC''';
END
$$;

-- Empty: `dhafnck-db realtime publish` puts the declared tables in. The database's owner may change it, as on Supabase.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'supabase_realtime') THEN
        CREATE PUBLICATION supabase_realtime;
        EXECUTE 'ALTER PUBLICATION supabase_realtime OWNER TO ' || (
            SELECT quote_ident(pg_get_userbyid(datdba)) FROM pg_database WHERE datname = current_database()
        );
    END IF;
END
$$;

COMMENT ON SCHEMA auth IS %(surface)s;
