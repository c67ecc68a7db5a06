-- Schemas, tables, views, sequences, and what belongs to a table: columns, constraints, indexes, policies, triggers,
-- rules, statistics. Tables carry the order of their columns instead of a number for each: one that is added would
-- renumber those behind it.
SELECT 'schema' AS kind, NULL AS "of", quote_ident(nspname) AS name, jsonb_build_object(
    'owner', spelled, 'comment', obj_description(own.oid, 'pg_namespace')
) AS properties
FROM own JOIN named ON named.oid = nspowner
UNION ALL
-- Others that are nobody's: that they are there is said, what they hold is not looked at.
SELECT 'schema', NULL, quote_ident(nspname), jsonb_build_object('owner', spelled)
FROM pg_namespace n JOIN named ON named.oid = nspowner
WHERE n.oid NOT IN (SELECT oid FROM own) AND nspname !~ '^pg_' AND nspname <> ALL (:vendor_schemas)
    AND nspname <> ALL (:provisioned_schemas) AND NOT vendors
UNION ALL
SELECT 'table', NULL, name, jsonb_build_object(
    'kind', CASE relkind WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' ELSE 'plain' END,
    'owner', spelled,
    'persistence', CASE relpersistence WHEN 'u' THEN 'unlogged' ELSE 'logged' END,
    'row level security', relrowsecurity,
    'forced row level security', relforcerowsecurity,
    'replica identity', CASE relreplident WHEN 'd' THEN 'DEFAULT' WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE (
        SELECT format('USING INDEX %s', quote_ident(i.relname))
        FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = number AND indisreplident
    ) END,
    'options', reloptions,
    'parents', ARRAY(SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = number ORDER BY inhseqno),
    'partition', pg_get_expr(relpartbound, number),
    'partitioned by', pg_get_partkeydef(number),
    'column order', ARRAY(
        SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = number AND attnum > 0 AND NOT attisdropped ORDER BY attnum
    ),
    'comment', obj_description(number, 'pg_class')
)
FROM relation JOIN named ON named.oid = relowner WHERE relkind IN ('r', 'p', 'f')
UNION ALL
SELECT CASE relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, NULL, name, jsonb_build_object(
    'owner', spelled, 'definition', pg_get_viewdef(number), 'options', reloptions, 'comment', obj_description(number, 'pg_class')
)
FROM relation JOIN named ON named.oid = relowner WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'sequence', CASE d.deptype WHEN 'i' THEN d.refobjid::regclass::text END, name, jsonb_build_object(
    'owner', spelled, 'type', format_type(seqtypid, NULL), 'start', seqstart, 'increment', seqincrement, 'minimum', seqmin,
    'maximum', seqmax, 'cycle', seqcycle, 'cache', seqcache,
    'owned by', d.refobjid::regclass::text || '.' || quote_ident(attname),
    'comment', obj_description(number, 'pg_class')
)
FROM relation JOIN named ON named.oid = relowner JOIN pg_sequence ON seqrelid = number
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = number AND d.refclassid = 'pg_class'::regclass
    AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
LEFT JOIN pg_attribute a ON attrelid = d.refobjid AND attnum = d.refobjsubid
UNION ALL
SELECT 'column', name, quote_ident(attname), jsonb_build_object(
    'type', format_type(atttypid, atttypmod),
    'not null', attnotnull,
    'default', CASE WHEN attgenerated = '' THEN pg_get_expr(adbin, adrelid) END,
    'identity', CASE attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
    'generated', CASE attgenerated WHEN 's' THEN '(' || pg_get_expr(adbin, adrelid) || ') STORED'
        WHEN 'v' THEN '(' || pg_get_expr(adbin, adrelid) || ') VIRTUAL' END,
    'collation', CASE WHEN attcollation <> typcollation THEN attcollation::regcollation::text END,
    'storage', CASE attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END,
    'statistics', nullif(attstattarget, -1),
    -- What begins with pg_ is the server's own: 15.20 keeps there when a table was changed (pg_attver).
    'options', (SELECT array_agg(option ORDER BY option) FROM unnest(attoptions) option WHERE NOT starts_with(option, 'pg_')),
    'comment', col_description(number, attnum)
)
FROM relation JOIN pg_attribute ON attrelid = number JOIN pg_type t ON t.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = number AND adnum = attnum
WHERE relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped
UNION ALL
-- PostgreSQL 18 keeps NOT NULL here too; the column has it already.
SELECT 'constraint', name, quote_ident(conname), jsonb_build_object(
    'definition', pg_get_constraintdef(o.oid),
    'enforced', NOT EXISTS (SELECT FROM pg_trigger WHERE tgconstraint = o.oid AND tgisinternal AND tgenabled <> 'O'),
    'comment', obj_description(o.oid, 'pg_constraint')
)
FROM relation JOIN pg_constraint o ON conrelid = number WHERE contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT 'index', t.oid::regclass::text, relation.name, jsonb_build_object(
    'definition', pg_get_indexdef(number), 'unique', indisunique, 'valid', indisvalid, 'comment', obj_description(number, 'pg_class')
)
FROM relation JOIN pg_index ON indexrelid = number JOIN pg_class t ON t.oid = indrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = number AND contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'policy', name, quote_ident(polname), jsonb_build_object(
    'command', CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    'permissive', polpermissive,
    'roles', ARRAY(SELECT spelled FROM named WHERE oid = ANY (polroles) ORDER BY 1),
    'using', pg_get_expr(polqual, number),
    'check', pg_get_expr(polwithcheck, number),
    'comment', obj_description(p.oid, 'pg_policy')
)
FROM relation JOIN pg_policy p ON polrelid = number
UNION ALL
SELECT 'trigger', name, quote_ident(tgname), jsonb_build_object(
    'definition', pg_get_triggerdef(t.oid),
    'enabled', CASE tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
    'comment', obj_description(t.oid, 'pg_trigger')
)
FROM relation JOIN pg_trigger t ON tgrelid = number WHERE NOT tgisinternal
UNION ALL
SELECT 'rule', name, quote_ident(rulename), jsonb_build_object('definition', pg_get_ruledef(r.oid), 'enabled', ev_enabled <> 'D')
FROM relation JOIN pg_rewrite r ON ev_class = number WHERE rulename <> '_RETURN'
UNION ALL
SELECT 'statistics', name, format('%I.%I', nspname, stxname), jsonb_build_object('definition', pg_get_statisticsobjdef(s.oid))
FROM relation JOIN pg_statistic_ext s ON stxrelid = number JOIN own ON own.oid = stxnamespace
