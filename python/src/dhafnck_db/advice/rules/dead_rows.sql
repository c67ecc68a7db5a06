-- A table with at least 10,000 dead rows that are more than a fifth of it: autovacuum does not keep up, or is held up.
SELECT
    name AS object,
    format('%s dead rows beside %s live ones', n_dead_tup, n_live_tup) AS finding,
    format(
        'SELECT n_dead_tup, n_live_tup, last_autovacuum FROM pg_stat_user_tables'
        ' WHERE relid = to_regclass(%L) AND n_dead_tup >= 10000 AND n_dead_tup * 4 > n_live_tup',
        name
    ) AS confirm,
    format('VACUUM (ANALYZE) %s', name) AS mend
FROM relation JOIN pg_stat_user_tables ON relid = number
WHERE n_dead_tup >= 10000 AND n_dead_tup * 4 > n_live_tup
ORDER BY n_dead_tup DESC, object
