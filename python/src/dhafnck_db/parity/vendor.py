"""What in a Supabase project is the vendor's own, and so never looked into.

The schemas are the list that the vendor's own tool leaves out of a dump (supabase/cli,
`apps/cli-go/pkg/migration/dump.go`). Schema extensions is not among them: it holds what a project
creates, and only which extensions those are is read.
"""

SCHEMAS = (
    "_analytics",
    "_realtime",
    "_supavisor",
    "auth",
    "cron",
    "dbdev",
    "etl",
    "graphql",
    "graphql_public",
    "information_schema",
    "net",
    "pgbouncer",
    "pgmq",
    "pgsodium",
    "pgsodium_masks",
    "pgtle",
    "realtime",
    "repack",
    "storage",
    "supabase_functions",
    "supabase_migrations",
    "tiger",
    "tiger_data",
    "timescaledb_information",
    "topology",
    "vault",
)
ROLES = r"^(supabase_\w+|cli_login_\w+|pgsodium_key\w+|dashboard_user|pgbouncer|pgtle_admin)$"
PUBLICATIONS = r"^supabase_realtime_"  # supabase_realtime itself is the project's to fill
