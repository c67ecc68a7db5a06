-- Functions and types of the schemas.
SELECT 'function' AS kind, NULL AS "of", format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid)) AS name,
    jsonb_build_object(
        'kind', CASE prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END,
        'owner', spelled,
        'definition', CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE to_jsonb(g)::text END,
        'comment', obj_description(p.oid, 'pg_proc')
    ) AS properties
FROM pg_proc p JOIN own ON own.oid = pronamespace JOIN named ON named.oid = proowner LEFT JOIN pg_aggregate g ON aggfnoid = p.oid
WHERE NOT EXISTS (SELECT FROM extended WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
UNION ALL
SELECT CASE typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' ELSE 'composite type' END,
    NULL, format('%I.%I', nspname, typname), jsonb_strip_nulls(jsonb_build_object(
        'owner', spelled,
        'comment', obj_description(t.oid, 'pg_type'),
        'labels', (SELECT jsonb_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
        'base', CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) END,
        'not null', CASE WHEN typtype = 'd' THEN typnotnull END,
        'default', typdefault,
        'constraints', CASE WHEN typtype = 'd' THEN (
            SELECT coalesce(jsonb_object_agg(conname, pg_get_constraintdef(o.oid)), '{}') FROM pg_constraint o
            WHERE contypid = t.oid AND contype = 'c'
        ) END,
        'subtype', (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = t.oid),
        'attributes', CASE WHEN typtype = 'c' THEN (
            SELECT jsonb_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = typrelid AND attnum > 0 AND NOT attisdropped
        ) END
    ))
FROM pg_type t JOIN own ON own.oid = typnamespace JOIN named ON named.oid = typowner LEFT JOIN pg_class c ON c.oid = typrelid
WHERE (typtype IN ('d', 'e', 'r') OR typtype = 'c' AND relkind = 'c')
    AND NOT EXISTS (SELECT FROM extended WHERE classid = 'pg_type'::regclass AND objid = t.oid)
