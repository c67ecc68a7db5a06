"""The tables that this project keeps for itself: identity, revisions, audit trail, legacy imports.

They never share a metadata with the models: an application may bring others while these stay.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dhafnck_db.naming import NAMING_CONVENTION

PROJECT_SCHEMA = "dhafnck"
ARCHIVE_SCHEMA = "legacy"

metadata = MetaData(naming_convention=NAMING_CONVENTION)

identity = Table(
    "identity",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=true()),
    Column("environment", Text, nullable=False),
    Column(
        "reference",
        Text,
        nullable=False,
        comment="Supabase project ref, or the system identifier of the server",
    ),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("singleton", name="ck_identity_singleton"),
    CheckConstraint("environment IN ('dev', 'test', 'prod')", name="ck_identity_environment"),
    schema=PROJECT_SCHEMA,
    comment="Which database this is; one row, held against the environment before every write",
)

revisions = Table(
    "revisions",
    metadata,
    Column("revision", Text, primary_key=True),
    Column("after", ARRAY(Text), nullable=False, comment="the revisions that it builds on"),
    Column("sha256", Text, nullable=False, comment="of its file, when it was applied"),
    Column("tables", ARRAY(Text), nullable=False, comment="of the models, after it"),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    schema=PROJECT_SCHEMA,
    comment="The revisions that this database has, as their files were when they were applied",
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("session_role", Text, nullable=False, comment="who logged in"),
    Column("role", Text, nullable=False, comment="as whom: SET ROLE, if it was called"),
    Column("subject", Text, comment="whose token it was, where there was one"),
    Column("schema", Text, nullable=False),
    Column("table", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("key", JSONB, comment="the primary key, before the change"),
    Column("old", JSONB, comment="of UPDATE only what changed, of DELETE the row"),
    Column("new", JSONB, comment="of UPDATE only what changed, of INSERT the row"),
    CheckConstraint(
        "operation IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')", name="ck_audit_operation"
    ),
    Index("ix_audit_at", "at", postgresql_using="brin"),
    schema=PROJECT_SCHEMA,
    comment="Who changed what in the tables that are audited; written by their triggers alone",
)

imports = Table(
    "imports",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("source_sha256", Text, nullable=False, unique=True),
    Column("source_name", Text, nullable=False),
    Column("source_bytes", BigInteger, nullable=False),
    Column("generation", Text, nullable=False),
    Column("owner", Text),
    Column("tool_version", Text, nullable=False),
    Column("totals", JSONB, nullable=False),
    Column("plan", JSONB, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    schema=ARCHIVE_SCHEMA,
    comment="The legacy files that were imported, by content, with the plan each run followed",
)

id_map = Table(
    "id_map",
    metadata,
    Column("table", Text, primary_key=True),
    Column("legacy_id", Text, primary_key=True),
    Column("id", Uuid, nullable=False),
    schema=ARCHIVE_SCHEMA,
    comment="The id a legacy row had, where it was no UUID, and the UUID it has now",
)

rejects = Table(
    "rejects",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("import_id", BigInteger, ForeignKey(imports.c.id), nullable=False),
    Column("table", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("column", Text, comment="null where the whole row is at fault"),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("row", JSONB, nullable=False),
    schema=ARCHIVE_SCHEMA,
    comment="The rows that could not be carried over and were quarantined, whole",
)

columns = Table(
    "columns",
    metadata,
    Column("archive", Text, primary_key=True, comment="the archive table, with its schema"),
    Column("position", Integer, nullable=False),
    Column("name", Text, primary_key=True, comment="the column of the archive table"),
    Column("source_table", Text, nullable=False),
    Column("source_column", Text, comment="null where the archive adds the column"),
    Column("declared_type", Text, comment="as written in the legacy file"),
    Column("representation", Text, nullable=False),
    schema=ARCHIVE_SCHEMA,
    comment="How each column of each archive table represents its column of the legacy file",
)
