-- Whether a declared role or membership is missing or other than declared, whether the owner is, and the missing
-- databases. Arguments: roles and databases (JSON), owner, comment (of the owner).
SELECT
    EXISTS (
        SELECT FROM jsonb_to_recordset(%(roles)s::jsonb) AS wanted (name text, flags text)
        LEFT JOIN pg_roles AS r ON r.rolname = wanted.name
        WHERE r.rolname IS NULL
            OR r.rolsuper
            OR concat_ws(
                ',',
                CASE WHEN r.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
                CASE WHEN r.rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
                CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END
            ) <> wanted.flags
    )
    OR EXISTS (
        SELECT FROM jsonb_to_recordset(%(roles)s::jsonb) AS wanted (name text, member_of text[])
        CROSS JOIN unnest(wanted.member_of) AS groups (name)
        WHERE NOT EXISTS (
            SELECT FROM pg_auth_members AS m
            JOIN pg_roles AS member ON member.oid = m.member AND member.rolname = wanted.name
            JOIN pg_roles AS granted ON granted.oid = m.roleid AND granted.rolname = groups.name
        )
    ) AS roles,
    NOT EXISTS (
        SELECT FROM pg_roles AS r
        WHERE r.rolname = %(owner)s AND r.rolcanlogin
            AND NOT (r.rolsuper OR r.rolcreatedb OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls)
            AND shobj_description(r.oid, 'pg_authid') = %(comment)s
    ) AS owner,
    ARRAY(
        SELECT wanted.name
        FROM jsonb_array_elements_text(%(databases)s::jsonb) AS wanted (name)
        WHERE NOT EXISTS (SELECT FROM pg_database AS d WHERE d.datname = wanted.name)
    ) AS databases
