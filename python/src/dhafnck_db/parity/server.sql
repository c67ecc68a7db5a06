-- What surrounds the schemas, and no migration makes: version, encoding, settings, roles, publications. Roles are read
-- where no secret of theirs is kept, and of what was set for a role only the settings that were asked for.
SELECT 'server' AS kind, NULL AS "of", 'version' AS name, jsonb_build_object(
    'major', current_setting('server_version_num')::int / 10000, 'minor', current_setting('server_version_num')::int % 10000
) AS properties
UNION ALL
SELECT 'database', NULL, 'encoding', jsonb_build_object('value', pg_encoding_to_char(encoding))
FROM pg_database WHERE datname = current_database()
UNION ALL
SELECT 'database', NULL, 'collation', jsonb_build_object(
    'provider', CASE datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' END,
    'order', datcollate,
    'characters', datctype,
    'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
    'version', datcollversion
)
FROM pg_database d WHERE datname = current_database()
UNION ALL
-- Not what the session has, which the driver may have set, but what it would have without.
SELECT 'setting', NULL, name, jsonb_build_object(
    'value', CASE name WHEN 'search_path' THEN regexp_replace(reset_val, '\s*,\s*', ', ', 'g') ELSE reset_val END,
    '_unit', unit,
    '_context', context
)
FROM pg_settings WHERE name = ANY (:settings)
UNION ALL
SELECT 'extension', NULL, quote_ident(extname), jsonb_build_object('schema', quote_ident(nspname), 'version', extversion)
FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE nspname <> ALL (:vendor_schemas)
UNION ALL
SELECT 'role', NULL, spelled, jsonb_build_object(
    'login', rolcanlogin, 'inherit', rolinherit, 'superuser', rolsuper, 'createdb', rolcreatedb, 'createrole', rolcreaterole,
    'replication', rolreplication, 'bypassrls', rolbypassrls, 'connection limit', rolconnlimit, 'valid until', rolvaliduntil
)
FROM pg_roles r JOIN named ON named.oid = r.oid WHERE (NOT vendors OR spelled = '(owner)') AND rolname !~ '^pg_'
UNION ALL
SELECT 'membership', NULL, format('%s IN %s', m.spelled, g.spelled), jsonb_build_object('admin', bool_or(admin_option))
FROM pg_auth_members JOIN named m ON m.oid = member JOIN named g ON g.oid = roleid
WHERE NOT m.vendors AND (NOT g.vendors) AND m.spelled !~ '^pg_'
GROUP BY m.spelled, g.spelled
UNION ALL
SELECT 'role setting', NULL, format('%s FOR %s', split_part(setting, '=', 1), spelled),
    jsonb_build_object('value', substr(setting, strpos(setting, '=') + 1))
FROM pg_db_role_setting JOIN named ON named.oid = setrole CROSS JOIN unnest(setconfig) AS setting
WHERE setrole <> 0 AND (NOT vendors OR spelled = '(owner)') AND split_part(setting, '=', 1) = ANY (:settings)
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL
SELECT 'publication', NULL, quote_ident(pubname), jsonb_build_object(
    'owner', spelled, 'all tables', puballtables, 'insert', pubinsert, 'update', pubupdate, 'delete', pubdelete, 'truncate', pubtruncate,
    'via root', pubviaroot
)
FROM pg_publication JOIN named ON named.oid = pubowner WHERE pubname !~ :vendor_publications
UNION ALL
SELECT 'published table', name, quote_ident(pubname), jsonb_build_object(
    'columns', ARRAY(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = number AND attnum = ANY (prattrs) ORDER BY attnum),
    'where', pg_get_expr(prqual, number)
)
FROM relation JOIN pg_publication_rel ON prrelid = number JOIN pg_publication b ON b.oid = prpubid
UNION ALL
-- Of event triggers those that call a function of the project: the vendor has others.
SELECT 'event trigger', NULL, quote_ident(evtname), jsonb_build_object(
    'event', evtevent, 'function', evtfoid::regproc::text, 'tags', evttags, 'enabled', evtenabled <> 'D'
)
FROM pg_event_trigger JOIN pg_proc p ON p.oid = evtfoid JOIN own ON own.oid = pronamespace
