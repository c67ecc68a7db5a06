-- The roles that row level security speaks about, with their attributes and memberships. Safe to run again; takes one
-- argument, roles (JSON: name, flags, member_of). It takes no membership away and gives no password.

DO $$
DECLARE
    wanted record;
    granted text;
BEGIN
    FOR wanted IN
        SELECT * FROM jsonb_to_recordset(%(roles)s::jsonb) AS w (name text, flags text, member_of text[])
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = wanted.name) THEN
            EXECUTE 'CREATE ROLE ' || quote_ident(wanted.name);
        END IF;
        EXECUTE 'ALTER ROLE ' || quote_ident(wanted.name) || ' NOSUPERUSER ' || replace(wanted.flags, ',', ' ');
        FOREACH granted IN ARRAY coalesce(wanted.member_of, '{}') LOOP
            EXECUTE 'GRANT ' || quote_ident(granted) || ' TO ' || quote_ident(wanted.name);
        END LOOP;
    END LOOP;
END
$$;
