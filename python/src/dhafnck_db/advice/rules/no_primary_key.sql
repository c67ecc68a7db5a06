-- A table without a primary key: its rows cannot be told apart, nor replicated when they change.
-- Left out: the archive, whose tables are as the legacy files were; and partitioned tables, whose key has to hold
-- columns that nobody but their owner can choose.
SELECT
    name AS object,
    'has no primary key' AS finding,
    format(
        'SELECT relname FROM pg_class WHERE oid = to_regclass(%L) AND NOT EXISTS '
        '(SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)',
        name
    ) AS confirm,
    format('ALTER TABLE %s ADD COLUMN %I bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY', name, free) AS mend
FROM relation
CROSS JOIN LATERAL (
    SELECT candidate AS free FROM unnest(ARRAY['id', 'row_id', 'identity_' || number]) AS candidate
    WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = number AND attname = candidate) LIMIT 1
) AS named
WHERE relkind = 'r' AND NOT relispartition
AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = number AND indisprimary)
AND (nspname <> :archive OR relname = ANY (:bookkept))
ORDER BY object
