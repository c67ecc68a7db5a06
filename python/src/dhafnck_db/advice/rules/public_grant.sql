-- A table, view, sequence or function that everybody, or whoever holds the project's public key (anon), may use.
SELECT
    object,
    format('%s may %s', CASE grantee WHEN 0 THEN 'everybody' ELSE role END, string_agg(DISTINCT may, ', ')) AS finding,
    format(confirm, grantee) AS confirm,
    format('REVOKE ALL ON %s %s FROM %s', kind, object, role) AS mend
FROM (
    SELECT
        name AS object, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, grantee, privilege_type AS may,
        format(
            'SELECT relacl, attacl FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid'
            ' AND attacl IS NOT NULL WHERE pg_class.oid = to_regclass(%L) AND EXISTS '
            '(SELECT FROM aclexplode(relacl || attacl) WHERE grantee = %%s)',
            name
        ) AS confirm
    FROM relation, (
        SELECT number AS of, relacl AS acl FROM relation
        UNION ALL
        SELECT attrelid, attacl FROM pg_attribute WHERE attacl IS NOT NULL AND NOT attisdropped
    ) AS granted, aclexplode(acl)
    WHERE of = number AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT
        name, 'ROUTINE', grantee, privilege_type,
        format(
            'SELECT proacl FROM pg_proc WHERE oid = to_regprocedure(%L) AND EXISTS '
            '(SELECT FROM aclexplode(coalesce(proacl, acldefault(''f'', proowner))) WHERE grantee = %%s)',
            name
        )
    FROM routine, aclexplode(coalesce(proacl, acldefault('f', proowner)))
) AS granted
CROSS JOIN LATERAL (
    SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS role
) AS named
WHERE role IN ('PUBLIC', 'anon')
GROUP BY object, kind, grantee, role, confirm
ORDER BY object, role
