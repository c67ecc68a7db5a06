"""The import of legacy files, on a real PostgreSQL."""
