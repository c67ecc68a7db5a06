"""Rows of the application's own tables: each class of bad value in each type of the models."""

from typing import Any

from legacy.corpus.case import Case, script

ID = "78125f26-85f2-4f81-b148-43d082283d85"
CORE = """
CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT, description TEXT DEFAULT '',
    created_at DATETIME DEFAULT '2025-07-16 07:44:51', user_id TEXT DEFAULT 'anna',
    metadata JSONB DEFAULT '{}');
CREATE TABLE project_git_branchs (id TEXT PRIMARY KEY, project_id TEXT, name TEXT,
    assigned_agent_id TEXT, task_count INTEGER DEFAULT 0);
CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT, description DEFAULT '',
    git_branch_id TEXT DEFAULT 'main_branch', due_date TEXT, progress_state TEXT DEFAULT 'INITIAL',
    created_at DATETIME DEFAULT '2025-07-16 07:44:51.25', context_id TEXT);
INSERT INTO projects (id, name) VALUES ('default_project', 'P');
INSERT INTO project_git_branchs (id, project_id, name)
    VALUES ('main_branch', 'default_project', 'main');
INSERT INTO tasks (id, title) VALUES ('one', 'T'), ('two', 'T');
"""
HANGING_ON = """
CREATE TABLE task_subtasks (id TEXT PRIMARY KEY, task_id TEXT, title TEXT,
    assignees JSON DEFAULT '[]', completed_at DATETIME, estimate TEXT);
CREATE TABLE labels (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT, usage_count INTEGER);
CREATE TABLE task_labels (task_id TEXT, label_id INTEGER, PRIMARY KEY (task_id, label_id));
CREATE TABLE task_assignees (task_id TEXT, assignee TEXT, PRIMARY KEY (task_id, assignee));
INSERT INTO task_subtasks (id, task_id, title)
    VALUES ('65b1cb5ed58d115fe854bcb513df11d1', 'one', 'S');
INSERT INTO labels VALUES (621, 'Bug', 3);
INSERT INTO task_labels VALUES ('one', 621);
INSERT INTO task_assignees VALUES ('one', '@coding_agent');
"""
CONTEXTS = """
CREATE TABLE project_contexts (project_id TEXT PRIMARY KEY, team_preferences JSONB DEFAULT '{}',
    version INTEGER DEFAULT 1, inheritance_disabled BOOLEAN DEFAULT 0, last_inherited TIMESTAMP);
INSERT INTO project_contexts (project_id) VALUES ('default_project');
"""
DEPENDENCIES = """
CREATE TABLE task_dependencies (id INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT,
    depends_on_task_id TEXT);
"""
DEPENDENCIES_WITH_TEXT_IDS = """
CREATE TABLE task_dependencies (id TEXT PRIMARY KEY, task_id TEXT, depends_on_task_id TEXT);
"""
DELEGATIONS = """
CREATE TABLE context_delegations (id TEXT PRIMARY KEY, source_level TEXT DEFAULT 'task',
    source_id TEXT DEFAULT 'one', target_level TEXT DEFAULT 'project',
    target_id TEXT DEFAULT 'default_project', delegated_data JSONB DEFAULT '{}',
    delegation_reason TEXT DEFAULT 'r', trigger_type TEXT DEFAULT 'manual', confidence_score REAL,
    processed BOOLEAN DEFAULT 0, approved BOOLEAN);
"""
USERS = """
CREATE TABLE users (id TEXT PRIMARY KEY, email VARCHAR(254), username VARCHAR(150),
    password_hash VARCHAR(255) DEFAULT 'h', email_verified BOOLEAN DEFAULT 0);
"""

Added = tuple[str, str, str]  # the table, its columns besides the one in question, their values
PROJECT: Added = "projects", "id, name", "'p2', 'x'"
BRANCH: Added = "project_git_branchs", "id, project_id, name", "'b2', 'default_project', 'x'"
TASK: Added = "tasks", "id, title", "'t3', 'T'"
CONTEXT: Added = "project_contexts", "project_id", "'p3'"
DELEGATION: Added = "context_delegations", "id", "'d1'"
USER: Added = "users", "id, email, username", "'u1', 'e', 'n'"
TABLES = {"project_contexts": CONTEXTS, "context_delegations": DELEGATIONS, "users": USERS}

# One value that cannot be carried: how its row is added, the column, the value and the code.
BAD: dict[str, tuple[Added, str, Any, str]] = {
    "time-zero-date": (PROJECT, "created_at", "0000-00-00 00:00:00", "time-nonexistent"),
    "time-30-february": (PROJECT, "created_at", "2024-02-30 00:00:00", "time-nonexistent"),
    "time-24-o-clock": (TASK, "created_at", "2024-01-01 24:00:00", "time-nonexistent"),
    "time-leap-second": (TASK, "created_at", "2016-12-31 23:59:60", "time-nonexistent"),
    "time-nanoseconds": (TASK, "created_at", "2024-01-01 00:00:00.1234567", "time-precision"),
    "time-empty-text": (TASK, "created_at", "", "time-shape"),
    "time-date-only": (TASK, "created_at", "2024-01-01", "time-shape"),
    "time-word": (TASK, "created_at", "now", "time-shape"),
    "time-five-digit-year": (TASK, "created_at", "12024-01-01 00:00:00", "time-shape"),
    "time-epoch": (TASK, "created_at", 1752651891, "type-mismatch"),
    "time-julian-day": (TASK, "created_at", 2460872.5, "type-mismatch"),
    "time-blob": (TASK, "created_at", b"2024-01-01 00:00:00", "type-mismatch"),
    "time-null-in-required": (TASK, "created_at", None, "null-in-required"),
    "jsonb-nul-escape": (PROJECT, "metadata", '{"a": "\\u0000"}', "json-character"),
    "jsonb-lone-surrogate": (PROJECT, "metadata", '{"a": "\\ud800"}', "json-character"),
    "jsonb-duplicate-key": (PROJECT, "metadata", '{"a": 1, "a": 2}', "json-duplicate-key"),
    "jsonb-nan": (PROJECT, "metadata", '{"a": NaN}', "json-syntax"),
    "jsonb-negative-zero": (PROJECT, "metadata", '{"a": -0.0}', "json-number"),
    "jsonb-number-beyond-numeric": (PROJECT, "metadata", '{"a": 1e200000}', "json-number"),
    "jsonb-syntax": (PROJECT, "metadata", "{'a': 1}", "json-syntax"),
    "jsonb-empty-text": (PROJECT, "metadata", "", "json-syntax"),
    "jsonb-deep": (PROJECT, "metadata", "[" * 5000 + "]" * 5000, "json-depth"),
    "jsonb-blob": (PROJECT, "metadata", b"{}", "type-mismatch"),
    "jsonb-infinite": (PROJECT, "metadata", float("inf"), "json-number"),
    "jsonb-null-in-required": (PROJECT, "metadata", None, "null-in-required"),
    "boolean-two": (CONTEXT, "inheritance_disabled", 2, "boolean-value"),
    "boolean-empty-text": (CONTEXT, "inheritance_disabled", "", "boolean-value"),
    "boolean-word": (CONTEXT, "inheritance_disabled", "true", "boolean-value"),
    "integer-beyond-int32": (BRANCH, "task_count", 2**31, "integer-range"),
    "integer-real": (BRANCH, "task_count", 1.5, "type-mismatch"),
    "integer-text": (BRANCH, "task_count", "many", "type-mismatch"),
    "integer-empty-text": (BRANCH, "task_count", "", "type-mismatch"),
    "text-nul": (TASK, "description", "a\x00b", "text-nul"),
    "text-blob": (TASK, "description", b"bytes", "type-mismatch"),
    "text-real": (TASK, "description", 0.1, "type-mismatch"),
    "text-null-in-required": (TASK, "description", None, "null-in-required"),
    "enum-label": (TASK, "progress_state", "done", "enum-label"),
    "enum-case": (TASK, "progress_state", "complete", "enum-label"),
    "enum-empty-text": (TASK, "progress_state", "", "enum-label"),
    "foreign-key-nowhere": (TASK, "git_branch_id", "nowhere", "dangling-reference"),
    "foreign-key-blob": (TASK, "git_branch_id", b"\x00" * 16, "type-mismatch"),
    "foreign-key-nul": (TASK, "git_branch_id", "a\x00b", "text-nul"),
    "foreign-key-null": (TASK, "git_branch_id", None, "null-in-required"),
    "foreign-key-empty-text": (TASK, "git_branch_id", "", "dangling-reference"),
    "double-text": (DELEGATION, "confidence_score", "high", "type-mismatch"),
    "double-blob": (DELEGATION, "confidence_score", b"\x01", "type-mismatch"),
    "boolean-null-in-required": (DELEGATION, "processed", None, "null-in-required"),
    "check-word": (DELEGATION, "source_level", "galaxy", "check"),
    "check-case": (DELEGATION, "target_level", "Task", "check"),
    "varchar-255": (USER, "password_hash", "x" * 256, "text-length"),
}  # fmt: skip

# Rows that go in as they are, or are listed whole: the statements after the base, and the rejects.
ROWS: dict[str, tuple[tuple[Any, ...], tuple[str, ...]]] = {
    "base": ((), ()),
    "uuid-in-every-form": (
        (("INSERT INTO tasks (id, title) VALUES (?, 'T')",
          [(ID.upper(),), ("{0d3f6c9e-6c43-4c51-9a53-5a1f0f6f4f10}",),
           ("67951571 9d38 4feb",), (" slug ",), ("é漢",), ("@a/b:c",), (621,)]),
         ("INSERT INTO task_subtasks (id, task_id, title) VALUES (?, ?, 'S')",
          [("s1", ID.upper()), ("s2", " slug "), ("s3", "é漢"), ("s4", "621")])),
        (),
    ),
    "uuid-blob": (
        (("INSERT INTO tasks (id, title) VALUES (?, 'T')", [(b"\x00" * 16,)]),),
        ("tasks.id type-mismatch",),
    ),
    "uuid-null": (
        ("INSERT INTO tasks (id, title) VALUES (NULL, 'T'), (NULL, 'T')",),
        ("tasks.id null-in-required",) * 2,
    ),
    "uuid-nul": (
        (("INSERT INTO tasks (id, title) VALUES (?, 'T')", [("a\x00b",)]),),
        ("tasks.id text-nul",),
    ),
    "uuid-invalid-utf-8": (
        ("INSERT INTO tasks (id, title) VALUES (CAST(X'ff61' AS TEXT), 'T')",),
        ("tasks.id text-encoding",),
    ),
    "uuid-collision-of-spaces": (
        ("INSERT INTO tasks (id, title) VALUES (' one', 'T')",), ("tasks.id id-collision",),
    ),
    "uuid-collision-of-forms": (
        (("INSERT INTO tasks (id, title) VALUES (?, 'T')",
          [(ID,), (ID.replace("-", ""),), (ID.upper(),)]),),
        ("tasks.id id-collision",) * 2,
    ),
    "uuid-empty-text": (("INSERT INTO tasks (id, title) VALUES ('', 'T')",), ()),
    "reference-spelled-otherwise": (
        (("INSERT INTO tasks (id, title) VALUES (?, 'T')", [(ID,)]),
         ("INSERT INTO task_subtasks (id, task_id, title) VALUES ('s', ?, 'S')",
          [(ID.replace("-", ""),)])),
        (),
    ),
    "reference-without-constraint-nowhere": (
        ("UPDATE tasks SET context_id = 'gone'",), (),
    ),
    "parent-rejected": (
        ("INSERT INTO project_git_branchs (id, project_id, name) VALUES ('b2', 'gone', 'x');"
         "INSERT INTO tasks (id, title, git_branch_id) VALUES ('t3', 'T', 'b2');"
         "INSERT INTO task_subtasks (id, task_id, title) VALUES ('s3', 't3', 'S');"
         "INSERT INTO task_labels VALUES ('t3', 621);"
         "INSERT INTO task_assignees VALUES ('t3', '@coding_agent')",),
        ("project_git_branchs.project_id dangling-reference",
         "tasks.git_branch_id parent-rejected", "task_subtasks.task_id parent-rejected",
         "task_labels.task_id parent-rejected", "task_assignees.task_id parent-rejected"),
    ),
    "label-link-nowhere": (
        ("INSERT INTO task_labels VALUES ('one', 7)",),
        ("task_labels.label_id dangling-reference",),
    ),
    "unique-label": (
        ("INSERT INTO labels (label) VALUES ('Bug'), ('bug'), ('BUG ')",),
        ("labels.label duplicate-key",),
    ),
    "unique-null-label": (
        ("INSERT INTO labels (label) VALUES (NULL)",), ("labels.label null-in-required",),
    ),
    "unique-user": (
        (USERS, "INSERT INTO users (id, email, username) VALUES ('a', 'x', 'y'), ('b', 'x', 'z')"),
        ("users.email duplicate-key",),
    ),
    "varchar-150-of-characters": (
        (USERS, ("INSERT INTO users (id, email, username) VALUES (?, ?, ?)",
                 [("a", "x", "é" * 150), ("b", "y", "é" * 151)])),
        ("users.username text-length",),
    ),
    "check-not-empty": (
        (USERS, "INSERT INTO users (id, email, username) VALUES ('a', '', 'y')"), ("users check",),
    ),
    "check-self-dependency": (
        (DEPENDENCIES, "INSERT INTO task_dependencies VALUES (1, 'one', 'one'), (2, 'one', 'two')"),
        ("task_dependencies check",),
    ),
    "unique-dependency": (
        (DEPENDENCIES, "INSERT INTO task_dependencies VALUES (1, 'one', 'two'), (2, 'one', 'two')"),
        ("task_dependencies.task_id duplicate-key",),
    ),
    "dependency-counter": (
        (DEPENDENCIES, "INSERT INTO task_dependencies VALUES (3, 'one', 'two');"
                       "INSERT INTO task_dependencies VALUES (10, 'two', 'one');"
                       "DELETE FROM task_dependencies WHERE id = 10"),
        (),
    ),
    "dependency-counter-emptied": (
        (DEPENDENCIES, "INSERT INTO task_dependencies VALUES (5, 'one', 'two');"
                       "DELETE FROM task_dependencies"),
        (),
    ),
    "dependency-id-beyond-int32": (
        (DEPENDENCIES, "INSERT INTO task_dependencies VALUES (2147483648, 'one', 'two')"),
        ("task_dependencies.id integer-range",),
    ),
    "dependency-counter-beyond-int32": (
        (DEPENDENCIES, "INSERT INTO task_dependencies VALUES (4294967296, 'one', 'two');"
                       "DELETE FROM task_dependencies;"
                       "UPDATE sqlite_sequence SET seq = 4294967296 WHERE name LIKE 'task_dep%'"),
        (),
    ),
    "dependency-id-zero-and-negative": (
        (DEPENDENCIES,
         "INSERT INTO task_dependencies VALUES (0, 'one', 'two'), (-7, 'two', 'one')"),
        (),
    ),
    "dependency-with-text-id": (
        (DEPENDENCIES_WITH_TEXT_IDS,
         "INSERT INTO task_dependencies VALUES ('dep-1', 'one', 'two'), ('dep-2', 'two', 'one')"),
        (),
    ),
    "times-in-every-good-form": (
        (("INSERT INTO tasks (id, title, created_at) VALUES (?, 'T', ?)",
          [("a", "2024-01-01T00:00:00Z"), ("b", "2024-01-01 00:00:00+02:00"),
           ("c", "2024-01-01 00:00:00.000001-0530"), ("d", "0001-01-01 00:00:00"),
           ("e", "9999-12-31 23:59:59.999999"), ("f", "2024-01-01 00:00:00.123456000"),
           ("g", "2024-03-31 02:30:00")]),),
        (),
    ),
    "text-of-every-kind": (
        (("INSERT INTO tasks (id, title, description) VALUES (?, ?, ?)",
          [("a", "\\N", "\\."), ("b", "a\r\nb\tc", "\\"), ("c", "", "é漢😀\u2028\ufeff"),
           ("d", "'; DROP TABLE tasks; --", "\x01\x0b\x1c\x1d\x1e\x1f\x7f"),
           ("e", "NULL", "x" * 10**6), ("f", "12", 12), ("g", " ", "\n")]),),
        (),
    ),
    "text-invalid-utf-8": (
        ("INSERT INTO tasks (id, title) VALUES ('t3', CAST(X'ff61' AS TEXT))",),
        ("tasks.title text-encoding",),
    ),
    "json-of-every-good-kind": (
        (("INSERT INTO projects (id, name, metadata) VALUES (?, 'x', ?)",
          [("a", '{"b": 1,  "a": [1.10, 123456789012345678901234567890, 1e300]}'), ("b", "null"),
           ("c", "[]"), ("d", '"\\u00e9\\ud83d\\ude00\\n\\\\"'), ("e", 5), ("f", 0.1), ("g", 2**62),
           ("h", '{"": {"": []}}'), ("i", "[" * 200 + "]" * 200), ("j", '{"a\\tb": "\\u007f"}')]),),
        (),
    ),
    "doubles-to-the-last-bit": (
        (DELEGATIONS, ("INSERT INTO context_delegations (id, confidence_score) VALUES (?, ?)",
          [("a", 0.1 + 0.2), ("b", 5e-324), ("c", 1.7976931348623157e308), ("d", float("inf")),
           ("e", -0.0), ("f", 123456789.123456789), ("g", None), ("h", 2**53)])),
        (),
    ),
    "booleans": (
        (DELEGATIONS, ("INSERT INTO context_delegations (id, processed, approved) VALUES (?, ?, ?)",
          [("a", 0, None), ("b", 1, 0), ("c", 1.0, 1), ("d", "1", "0")])),
        (),
    ),
    "homeless-columns-of-any-value": (
        (("INSERT INTO task_subtasks (id, task_id, title, estimate) VALUES (?, 'one', 'S', ?)",
          [("a", "a\x00b"), ("b", None), ("c", ""), ("d", b"\xff"), ("e", "2 hours")]),
         "UPDATE labels SET usage_count = 9223372036854775807"),
        (),
    ),
    "folded-columns-of-any-value": (
        (("INSERT INTO project_contexts (project_id, last_inherited) VALUES (?, ?)",
          [("a", "2024-02-30"), ("b", 1.5), ("c", b"\x00"), ("d", "a\x00b"), ("e", 2**62)]),),
        (),
    ),
    "rejected-row-with-homeless-columns": (
        (("INSERT INTO task_subtasks (id, task_id, title, estimate) VALUES (?, ?, 'S', ?)",
          [("a", "gone", b"\xff"), ("b", "one", "kept"), ("c", None, "a\x00b")]),),
        ("task_subtasks.task_id dangling-reference", "task_subtasks.task_id null-in-required"),
    ),
    "several-faults-in-a-row": (
        (("INSERT INTO tasks (id, title, created_at, progress_state) VALUES (?, ?, ?, ?)",
          [("t3", None, "now", b"\x00")]),),
        ("tasks.title null-in-required", "tasks.created_at time-shape",
         "tasks.progress_state enum-label"),
    ),
    "column-that-the-file-lacks": (
        ("CREATE TABLE templates (id TEXT, name TEXT, type TEXT, content JSON);"
         "INSERT INTO templates VALUES ('x', 'n', 't', '{}')",),
        ("templates column-absent",),
    ),
    "table-in-another-case": (
        ("CREATE TABLE AGENTS (ID TEXT PRIMARY KEY, Name TEXT, Extra TEXT);"
         "INSERT INTO agents VALUES ('@a', 'A', 'x')",),
        (),
    ),
}  # fmt: skip


def bad(name: str, added: Added, column: str, value: object, code: str) -> Case:
    """A case of one row with one value that cannot be carried, beside rows that can."""
    table, others, values = added
    insert = f"INSERT INTO {table} ({others}, {column}) VALUES ({values}, ?)"  # noqa: S608
    where = table if code == "check" else f"{table}.{column}"
    return Case(
        f"app-{name}",
        "application",
        script(CORE, TABLES.get(table, ""), (insert, [(value,)])),
        rejects=(f"{where} {code}",),
    )


APPLICATION: tuple[Case, ...] = (
    *(bad(name, *of) for name, of in BAD.items()),
    *(
        Case(
            f"app-{name}",
            "application",
            script(CORE, HANGING_ON, CONTEXTS, *statements),
            rejects=rejects,
        )
        for name, (statements, rejects) in ROWS.items()
    ),
)
