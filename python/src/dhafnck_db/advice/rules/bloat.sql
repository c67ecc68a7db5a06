-- A table with at least 10 MiB and half of its pages to spare. An estimate: the number of rows and their widths are of
-- the last ANALYZE, and a page holds whole rows only.
SELECT
    name AS object,
    format(
        'about %s of its %s are free space, by estimate; mending it locks the table',
        pg_size_pretty((pages - needed) * 8192), pg_size_pretty(pages * 8192)
    ) AS finding,
    format(
        'SELECT pg_size_pretty(pg_relation_size(oid)) AS has, %L AS needs FROM pg_class'
        ' WHERE oid = to_regclass(%L) AND pg_relation_size(oid) >= 2 * %s::bigint',
        pg_size_pretty(needed * 8192), name, needed * 8192
    ) AS confirm,
    format('VACUUM (FULL, ANALYZE) %s', name) AS mend
FROM (
    SELECT
        name, pg_relation_size(number) / 8192 AS pages,
        -- Of a page, 24 bytes are its header; of a row, 28 are its header and the pointer to it.
        greatest(1, ceil(reltuples / greatest(1, floor(8168 / (28 + ceil(width / 8) * 8)))))::bigint AS needed
    FROM relation
    JOIN (
        SELECT schemaname, tablename, sum(avg_width * (1 - null_frac)) AS width FROM pg_stats
        WHERE NOT inherited GROUP BY schemaname, tablename
    ) AS row ON schemaname = nspname AND tablename = relname
    WHERE relkind IN ('r', 'm') AND reltuples >= 0
) AS estimated
WHERE (pages - needed) * 8192 >= 10485760 AND pages >= 2 * needed
ORDER BY pages - needed DESC
