-- An index of at least 1 MiB that was never read, on a table that was read 1,000 times: each write pays for it.
-- Left out: what keeps a rule (unique, exclusion, replica identity), and what a foreign key needs.
SELECT
    i.name AS object,
    format(
        '%s, never read while %s was read %s times',
        pg_size_pretty(pg_relation_size(i.number)), t.name, coalesce(u.seq_scan, 0) + coalesce(u.idx_scan, 0)
    ) AS finding,
    format(
        'SELECT idx_scan, last_seen.stats_reset, pg_size_pretty(pg_relation_size(indexrelid)) AS size'
        ' FROM pg_stat_user_indexes, pg_stat_database AS last_seen'
        ' WHERE indexrelid = to_regclass(%L) AND idx_scan = 0 AND datname = current_database()',
        i.name
    ) AS confirm,
    format('DROP INDEX CONCURRENTLY %s', i.name) AS mend
FROM relation i
JOIN pg_index ON indexrelid = i.number
JOIN relation t ON t.number = indrelid
JOIN pg_stat_user_indexes s USING (indexrelid)
JOIN pg_stat_user_tables u ON u.relid = t.number
WHERE s.idx_scan = 0 AND NOT indisunique AND NOT indisexclusion AND NOT indisreplident AND indisvalid
AND NOT i.relispartition
AND pg_relation_size(i.number) >= 1048576
AND coalesce(u.seq_scan, 0) + coalesce(u.idx_scan, 0) >= 1000
AND NOT EXISTS (
    SELECT FROM pg_constraint
    WHERE conrelid = indrelid AND contype = 'f' AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
)
ORDER BY object
