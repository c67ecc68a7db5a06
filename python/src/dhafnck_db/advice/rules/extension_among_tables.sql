-- An extension in a schema of the project: its functions stand in the API and in the way of the search path.
SELECT
    quote_ident(extname) AS object,
    format('extension in schema %I', nspname) AS finding,
    format(
        'SELECT extname, extnamespace::regnamespace FROM pg_extension'
        ' WHERE extname = %L AND extnamespace = to_regnamespace(%L)',
        extname, quote_ident(nspname)
    ) AS confirm,
    -- What is not relocatable has to be dropped and made again, with all that uses it: nobody's one statement.
    -- On plain PostgreSQL it is the superuser's to execute, whose the extension's objects are.
    CASE WHEN extrelocatable THEN format('ALTER EXTENSION %I SET SCHEMA extensions', extname) END AS mend
FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
WHERE nspname = ANY (:schemas)
ORDER BY object
