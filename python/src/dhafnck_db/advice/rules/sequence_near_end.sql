-- A sequence that has given four fifths of its numbers, or of those that its column can hold.
SELECT
    name AS object,
    format('%s %% used: at %s of %s', trunc(100 * used), last_value, last) AS finding,
    CASE
        WHEN narrow THEN format(
            'SELECT last_value, format_type(atttypid, NULL) FROM %s, pg_attribute WHERE attrelid = to_regclass(%L)'
            ' AND attname = %L AND atttypid <> ''bigint''::regtype',
            name, column_of, column_name
        )
        ELSE format(
            'SELECT last_value, min_value, max_value FROM pg_sequences'
            ' WHERE schemaname = %L AND sequencename = %L AND %s = %s',
            nspname, relname, CASE WHEN up THEN 'max_value' ELSE 'min_value' END, last
        )
    END AS confirm,
    CASE
        WHEN narrow OR abs(last) < 9223372036854775807 THEN concat(
            CASE WHEN narrow THEN format('ALTER TABLE %s ALTER COLUMN %I TYPE bigint; ', column_of, column_name) END,
            format('ALTER SEQUENCE %s AS bigint NO %s', name, CASE WHEN up THEN 'MAXVALUE' ELSE 'MINVALUE' END)
        )
    END AS mend
FROM (
    SELECT
        *,
        CASE WHEN up THEN last_value - min_value::numeric ELSE max_value::numeric - last_value END
        / nullif(CASE WHEN up THEN last - min_value::numeric ELSE max_value::numeric - last END, 0) AS used
    FROM (
        SELECT
            name, nspname, relname, min_value, max_value, last_value,
            increment_by > 0 AS up, column_name, column_of, holds IS NOT NULL AS narrow,
            CASE
                WHEN increment_by > 0 THEN least(max_value, holds)
                ELSE greatest(min_value, -holds - 1)
            END AS last
        FROM relation
        JOIN pg_sequences ON schemaname = nspname AND sequencename = relname
        LEFT JOIN (
            SELECT
                d.objid, attname AS column_name, attrelid::regclass::text AS column_of,
                CASE atttypid WHEN 'smallint'::regtype THEN 32767 WHEN 'integer'::regtype THEN 2147483647 END AS holds
            FROM pg_depend d JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
            WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
        ) AS owner ON objid = number
        WHERE NOT cycle AND last_value IS NOT NULL
    ) AS limited
) AS measured
WHERE used >= 0.8
ORDER BY object
