-- A table without row level security: whoever has a grant on it reaches every row.
SELECT
    name AS object,
    'row level security is off' AS finding,
    format('SELECT relname FROM pg_class WHERE oid = to_regclass(%L) AND NOT relrowsecurity', name) AS confirm,
    format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name) AS mend
FROM relation WHERE relkind IN ('r', 'p') AND NOT relrowsecurity
ORDER BY object
