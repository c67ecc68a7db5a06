-- An index that another one of the same table, columns, order and condition makes superfluous.
-- Kept of several is what keeps a rule: the primary key, then a constraint, then what is unique, then the oldest.
SELECT
    double.name AS object,
    format('has what %s has', kept) AS finding,
    format(
        'SELECT pg_get_indexdef(a.indexrelid), pg_get_indexdef(b.indexrelid) FROM pg_index a JOIN pg_index b'
        ' USING (indrelid, indkey, indclass, indcollation, indoption)'
        ' WHERE a.indexrelid = to_regclass(%L) AND b.indexrelid = to_regclass(%L)',
        double.name, kept
    ) AS confirm,
    CASE
        WHEN constrained IS NULL THEN format('DROP INDEX CONCURRENTLY %s', double.name)
        ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', on_table, constrained)
    END AS mend
FROM (
    SELECT
        i.name, t.name AS on_table, conname AS constrained,
        row_number() OVER same AS place, first_value(i.name) OVER same AS kept
    FROM relation i
    JOIN pg_index x ON indexrelid = i.number
    JOIN relation t ON t.number = indrelid
    LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u', 'x')
    WHERE indisvalid AND i.relkind = 'i' AND NOT i.relispartition
    WINDOW same AS (
        PARTITION BY
            indrelid, i.relam, indnkeyatts, indkey::text, indclass::text, indcollation::text, indoption::text,
            pg_get_expr(indexprs, indrelid), pg_get_expr(indpred, indrelid), indnullsnotdistinct,
            coalesce(contype = 'x', false)
        ORDER BY
            indisprimary DESC, indisunique AND indimmediate DESC, conname IS NULL, indisunique DESC,
            indisreplident DESC, i.number
    )
) AS double
WHERE place > 1
ORDER BY object
