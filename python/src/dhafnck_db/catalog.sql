-- Every object of the schemas asked for, with all that a migration may change of it: one row (kind, name, definition).
-- Tables carry their number, so that one that was dropped and made anew is another one. Grants are sorted, and those
-- that nobody changed are spelled out; columns are counted without those that were dropped: a dump that is restored
-- keeps neither.
WITH
own AS (
    SELECT * FROM pg_namespace WHERE nspname = ANY (:schemas)
),
relation AS (
    SELECT c.*, c.oid AS number, nspname || '.' || relname AS name
    FROM pg_class c JOIN own ON own.oid = c.relnamespace
),
described (kind, name, definition) AS (
    SELECT 'schema', nspname::text, jsonb_build_array(nspowner::regrole, ARRAY(SELECT a::text FROM unnest(coalesce(nspacl, acldefault('n', nspowner))) a ORDER BY 1))
    FROM own
    UNION ALL
    SELECT
        'relation', name,
        jsonb_build_array(
            number, relkind, relpersistence, relowner::regrole,
            ARRAY(SELECT a::text FROM unnest(coalesce(relacl, acldefault(CASE WHEN relkind = 'S' THEN 's' ELSE 'r' END::"char", relowner))) a ORDER BY 1),
            reloptions, relrowsecurity, relforcerowsecurity, relreplident, pg_get_expr(relpartbound, number), obj_description(number, 'pg_class'),
            CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(number) END
        )
    FROM relation WHERE relkind <> 'i' AND relkind <> 'I'
    UNION ALL
    SELECT
        'column', name || '.' || attname,
        jsonb_build_array(
            row_number() OVER (PARTITION BY number ORDER BY attnum), format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attcollation::regcollation,
            attstorage, ARRAY(SELECT a::text FROM unnest(attacl) a ORDER BY 1), pg_get_expr(adbin, adrelid), col_description(number, attnum)
        )
    FROM relation JOIN pg_attribute ON attrelid = number
    LEFT JOIN pg_attrdef ON adrelid = number AND adnum = attnum
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'constraint', name || '.' || conname, jsonb_build_array(pg_get_constraintdef(o.oid))
    FROM relation JOIN pg_constraint o ON conrelid = number
    UNION ALL
    SELECT 'index', name, jsonb_build_array(pg_get_indexdef(number), indisvalid, indisreplident)
    FROM relation JOIN pg_index ON indexrelid = number
    UNION ALL
    SELECT
        'policy', name || '.' || polname,
        jsonb_build_array(
            polcmd, polpermissive, polroles::regrole[]::text, pg_get_expr(polqual, number), pg_get_expr(polwithcheck, number)
        )
    FROM relation JOIN pg_policy ON polrelid = number
    UNION ALL
    SELECT 'trigger', name || '.' || tgname, jsonb_build_array(pg_get_triggerdef(t.oid), tgenabled)
    FROM relation JOIN pg_trigger t ON tgrelid = number WHERE NOT tgisinternal
    UNION ALL
    SELECT 'sequence', name, jsonb_build_array(seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcycle)
    FROM relation JOIN pg_sequence ON seqrelid = number
    UNION ALL
    SELECT
        'function', p.oid::regprocedure::text,
        jsonb_build_array(
            proowner::regrole, ARRAY(SELECT a::text FROM unnest(coalesce(proacl, acldefault('f', proowner))) a ORDER BY 1),
            prokind, CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) END
        )
    FROM pg_proc p JOIN own ON own.oid = pronamespace
    UNION ALL
    SELECT
        'type', t.oid::regtype::text,
        jsonb_build_array(
            typtype, typowner::regrole, ARRAY(SELECT a::text FROM unnest(coalesce(typacl, acldefault('T', typowner))) a ORDER BY 1),
            typnotnull, typdefault, format_type(typbasetype, typtypmod),
            (SELECT jsonb_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
            (SELECT jsonb_agg(pg_get_constraintdef(o.oid) ORDER BY conname) FROM pg_constraint o WHERE contypid = t.oid)
        )
    FROM pg_type t JOIN own ON own.oid = typnamespace WHERE typtype IN ('d', 'e', 'r', 'm')
    UNION ALL
    SELECT 'default grants', nspname || '.' || defaclobjtype::text, jsonb_build_array(defaclrole::regrole, defaclacl::text)
    FROM pg_default_acl JOIN own ON own.oid = defaclnamespace
    UNION ALL
    SELECT 'publication', pubname || '.' || name, jsonb_build_array(prattrs::text, pg_get_expr(prqual, number))
    FROM relation JOIN pg_publication_rel ON prrelid = number JOIN pg_publication b ON b.oid = prpubid
)
SELECT kind, name, definition::text FROM described ORDER BY kind, name, definition::text
