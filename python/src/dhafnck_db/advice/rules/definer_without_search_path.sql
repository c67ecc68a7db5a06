-- A function with its owner's rights that takes its caller's search path, and with it the caller's tables and types.
SELECT
    name AS object,
    'runs as its owner with the search path of its caller' AS finding,
    format(
        'SELECT proconfig FROM pg_proc WHERE oid = to_regprocedure(%L) AND prosecdef '
        'AND NOT EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE starts_with(setting, ''search_path=''))',
        name
    ) AS confirm,
    -- pg_temp comes last: where nobody names it, it is searched first.
    format('ALTER ROUTINE %s SET search_path = pg_catalog, %I, pg_temp', name, nspname) AS mend
FROM routine
WHERE prosecdef
AND NOT EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE starts_with(setting, 'search_path='))
ORDER BY object
