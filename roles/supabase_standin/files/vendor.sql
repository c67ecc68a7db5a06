-- What a Supabase project has and a new PostgreSQL server lacks, as the vendor's image leaves it: the roles with their
-- attributes (postgres is no superuser), the vendor's schemas with some tables in them, and the database's settings.
-- Run by the superuser supabase_admin; safe to run again.

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('postgres', 'LOGIN CREATEDB CREATEROLE REPLICATION BYPASSRLS'),
            ('anon', 'NOLOGIN NOINHERIT'),
            ('authenticated', 'NOLOGIN NOINHERIT'),
            ('service_role', 'NOLOGIN NOINHERIT BYPASSRLS'),
            ('authenticator', 'LOGIN NOINHERIT'),
            ('supabase_auth_admin', 'LOGIN NOINHERIT CREATEROLE'),
            ('supabase_storage_admin', 'LOGIN NOINHERIT CREATEROLE'),
            ('supabase_realtime_admin', 'NOLOGIN NOINHERIT'),
            ('supabase_read_only_user', 'LOGIN BYPASSRLS'),
            ('dashboard_user', 'NOLOGIN CREATEDB CREATEROLE REPLICATION')
        ) AS roles (name, attributes)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = wanted.name) THEN
            EXECUTE 'CREATE ROLE ' || quote_ident(wanted.name) || ' NOSUPERUSER ' || wanted.attributes;
        END IF;
    END LOOP;
END
$$;

GRANT anon, authenticated, service_role TO authenticator;
GRANT anon, authenticated, service_role, pg_monitor TO postgres WITH ADMIN OPTION;
GRANT pg_read_all_data TO supabase_read_only_user;

ALTER DATABASE postgres OWNER TO postgres;
ALTER DATABASE postgres SET search_path = "$user", public, extensions;
ALTER DATABASE postgres SET timezone = 'UTC';
-- The platform's own limit, which would end a long migration.
ALTER DATABASE postgres SET statement_timeout = '2min';

CREATE SCHEMA IF NOT EXISTS extensions AUTHORIZATION postgres;
CREATE SCHEMA IF NOT EXISTS auth;
CREATE SCHEMA IF NOT EXISTS storage;
CREATE SCHEMA IF NOT EXISTS realtime;
ALTER SCHEMA auth OWNER TO supabase_auth_admin;
ALTER SCHEMA storage OWNER TO supabase_storage_admin;
ALTER SCHEMA realtime OWNER TO supabase_realtime_admin;
CREATE SCHEMA IF NOT EXISTS vault AUTHORIZATION supabase_admin;
CREATE SCHEMA IF NOT EXISTS pgbouncer AUTHORIZATION supabase_admin;
GRANT USAGE ON SCHEMA public, auth, storage, realtime, extensions TO postgres, anon, authenticated, service_role;

-- Of the image, in place before a project's owner comes; others the owner creates.
CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA extensions;

CREATE TABLE IF NOT EXISTS auth.users (
    id uuid PRIMARY KEY,
    email text,
    created_at timestamptz DEFAULT now()
);
CREATE TABLE IF NOT EXISTS auth.schema_migrations (version text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS storage.objects (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text,
    owner uuid
);
CREATE TABLE IF NOT EXISTS realtime.messages (
    id uuid DEFAULT gen_random_uuid(),
    topic text NOT NULL,
    inserted_at timestamp NOT NULL DEFAULT now()
) PARTITION BY RANGE (inserted_at);
ALTER TABLE auth.users OWNER TO supabase_auth_admin;
ALTER TABLE auth.schema_migrations OWNER TO supabase_auth_admin;
ALTER TABLE storage.objects OWNER TO supabase_storage_admin;
ALTER TABLE realtime.messages OWNER TO supabase_realtime_admin;
ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'supabase_realtime') THEN
        CREATE PUBLICATION supabase_realtime;
    END IF;
    ALTER PUBLICATION supabase_realtime OWNER TO postgres;
END
$$;

-- The functions that policies call; they read what PostgREST sets for a request.
CREATE OR REPLACE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb
$$;
CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
    )::uuid
$$;
CREATE OR REPLACE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
    )
$$;
CREATE OR REPLACE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.email', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
    )
$$;
ALTER FUNCTION auth.jwt() OWNER TO supabase_auth_admin;
ALTER FUNCTION auth.uid() OWNER TO supabase_auth_admin;
ALTER FUNCTION auth.role() OWNER TO supabase_auth_admin;
ALTER FUNCTION auth.email() OWNER TO supabase_auth_admin;
