-- Who may do what: one row for each object and grantee. The owner's own rights are spelled out where nobody changed
-- them, and who granted is left out: it differs, and matters to nobody.
, granted (kind, "of", object, acl, creator) AS (
    SELECT 'grant', quote_ident(nspname), 'SCHEMA ' || quote_ident(nspname), coalesce(nspacl, acldefault('n', nspowner)), nspowner FROM own
    UNION ALL
    SELECT 'grant', name, CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || name,
        coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)), relowner
    FROM relation WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL
    SELECT 'grant', name, format('COLUMN %s.%I', name, attname), attacl, relowner
    FROM relation JOIN pg_attribute ON attrelid = number WHERE attacl IS NOT NULL AND NOT attisdropped
    UNION ALL
    SELECT 'grant', called, CASE prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || called,
        coalesce(proacl, acldefault('f', proowner)), proowner
    FROM pg_proc p JOIN own ON own.oid = pronamespace,
    LATERAL format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid)) AS called
    WHERE NOT EXISTS (SELECT FROM extended WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
    UNION ALL
    SELECT 'grant', format('%I.%I', nspname, typname), format('TYPE %I.%I', nspname, typname), coalesce(typacl, acldefault('T', typowner)), typowner
    FROM pg_type t JOIN own ON own.oid = typnamespace
    WHERE typtype IN ('d', 'e', 'r') AND NOT EXISTS (SELECT FROM extended WHERE classid = 'pg_type'::regclass AND objid = t.oid)
    UNION ALL
    SELECT 'default privilege', NULL,
        CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END
            || coalesce(' IN SCHEMA ' || quote_ident(nspname), '') || ' FOR ' || spelled,
        defaclacl, defaclrole
    FROM pg_default_acl JOIN named ON named.oid = defaclrole LEFT JOIN own ON own.oid = defaclnamespace
    WHERE NOT vendors AND (defaclnamespace = 0 OR own.oid IS NOT NULL)
)
SELECT kind, "of", object || ' TO ' || spelled AS name, jsonb_build_object(
    'privileges', array_agg(DISTINCT privilege_type ORDER BY privilege_type),
    'grantable', coalesce(array_agg(DISTINCT privilege_type ORDER BY privilege_type) FILTER (WHERE is_grantable), '{}')
) AS properties
FROM granted CROSS JOIN aclexplode(acl) JOIN named ON named.oid = grantee
WHERE NOT vendors AND (kind = 'grant' OR grantee <> creator) OR kind = 'grant' AND grantee = creator
GROUP BY kind, "of", object, spelled
