-- A foreign key whose columns lead no index: each delete of a row that it refers to reads the whole table.
SELECT
    format('%s.%I', t.name, conname) AS object,
    format('foreign key (%s) to %s has no index', columns, confrelid::regclass) AS finding,
    format(
        'SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint'
        ' WHERE conrelid = to_regclass(%L) AND conname = %L AND NOT EXISTS ('
        'SELECT FROM pg_index JOIN pg_class i ON i.oid = indexrelid JOIN pg_am a ON a.oid = relam'
        ' WHERE indrelid = conrelid AND indisvalid AND indpred IS NULL AND amname IN (''btree'', ''hash'')'
        ' AND (indkey::int2[])[0:%s] @> conkey)',
        t.name, conname, cardinality(conkey) - 1
    ) AS confirm,
    -- A partitioned table takes no index CONCURRENTLY.
    format(
        'CREATE INDEX %s ON %s (%s)', CASE t.relkind WHEN 'r' THEN 'CONCURRENTLY' END, t.name, columns
    ) AS mend
FROM relation t
JOIN pg_constraint ON conrelid = t.number AND contype = 'f' AND conparentid = 0
CROSS JOIN LATERAL (
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY place) AS columns
    FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
    JOIN pg_attribute ON attrelid = conrelid AND attnum = key.number
) AS named
WHERE NOT EXISTS (
    SELECT FROM pg_index JOIN pg_class i ON i.oid = indexrelid JOIN pg_am a ON a.oid = i.relam
    WHERE indrelid = conrelid AND indisvalid AND indpred IS NULL AND amname IN ('btree', 'hash')
    AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
)
ORDER BY object
