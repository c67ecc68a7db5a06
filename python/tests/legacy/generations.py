"""Legacy files of generations other than the sample's, as statements.

They hold only what makes a generation what it is: the tables and columns that differ.
"""

# Until July 2025: word ids, agents and labels in their old form, tables that later vanished.
OLDEST = """
CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT DEFAULT '',
    created_at DATETIME, updated_at DATETIME, user_id TEXT NOT NULL DEFAULT 'default_id',
    status TEXT DEFAULT 'active', metadata TEXT DEFAULT '{}', UNIQUE (id, user_id));
CREATE TABLE project_task_trees (id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL,
    description TEXT DEFAULT '', created_at DATETIME, updated_at DATETIME, assigned_agent_id TEXT,
    priority TEXT DEFAULT 'medium', status TEXT DEFAULT 'todo', metadata TEXT DEFAULT '{}',
    task_count INTEGER DEFAULT 0, completed_task_count INTEGER DEFAULT 0);
CREATE TABLE project_agents (id TEXT NOT NULL, project_id TEXT NOT NULL, name TEXT NOT NULL,
    description TEXT DEFAULT '', call_agent TEXT, capabilities TEXT DEFAULT '[]',
    status TEXT DEFAULT 'available', success_rate REAL DEFAULT 100.0, created_at DATETIME,
    updated_at DATETIME, PRIMARY KEY (id, project_id));
CREATE TABLE labels (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL,
    normalized TEXT NOT NULL UNIQUE, category TEXT, usage_count INTEGER, is_common BOOLEAN,
    created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE global_contexts (id TEXT PRIMARY KEY DEFAULT 'global_singleton',
    organization_id TEXT NOT NULL, autonomous_rules JSONB NOT NULL,
    security_policies JSONB NOT NULL, delegation_rules JSONB NOT NULL, created_at TIMESTAMP,
    updated_at TIMESTAMP, version INTEGER, last_propagated TIMESTAMP);
CREATE TABLE project_contexts (project_id TEXT PRIMARY KEY, parent_global_id TEXT,
    team_preferences JSONB NOT NULL, created_at TIMESTAMP, updated_at TIMESTAMP, version INTEGER,
    last_inherited TIMESTAMP, inheritance_disabled BOOLEAN);
CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT NOT NULL, description TEXT NOT NULL,
    git_branch_id TEXT NOT NULL, status TEXT, priority TEXT, details TEXT, estimated_effort TEXT,
    due_date TEXT, created_at DATETIME, updated_at DATETIME, context_id TEXT);
CREATE TABLE task_assignees (task_id TEXT NOT NULL, assignee TEXT NOT NULL, assigned_at DATETIME,
    PRIMARY KEY (task_id, assignee));
CREATE TABLE task_labels (task_id TEXT NOT NULL, label_id INTEGER NOT NULL, added_at TIMESTAMP,
    PRIMARY KEY (task_id, label_id));
CREATE TABLE task_subtasks (id TEXT PRIMARY KEY, task_id TEXT NOT NULL, title TEXT NOT NULL,
    assignees TEXT DEFAULT '[]', created_at DATETIME, updated_at DATETIME);
CREATE TABLE context_inheritance_cache (context_id TEXT NOT NULL, context_level TEXT NOT NULL
    CHECK (context_level IN ('task', 'project', 'global')), resolved_context JSONB NOT NULL,
    dependencies_hash TEXT NOT NULL, resolution_path TEXT NOT NULL, created_at TIMESTAMP,
    expires_at TIMESTAMP NOT NULL, hit_count INTEGER, last_hit TIMESTAMP,
    cache_size_bytes INTEGER NOT NULL, invalidated BOOLEAN,
    PRIMARY KEY (context_id, context_level));
CREATE TABLE checklists (id TEXT PRIMARY KEY, name TEXT NOT NULL, priority INTEGER);
CREATE TABLE work_handoffs (handoff_id TEXT PRIMARY KEY, task_id TEXT);
CREATE VIEW open_tasks AS SELECT * FROM tasks WHERE status <> 'done';
CREATE TRIGGER touch AFTER UPDATE ON labels BEGIN SELECT 1; END;
CREATE INDEX common_labels ON labels (label) WHERE is_common;
CREATE INDEX lower_labels ON labels (lower(label));
CREATE INDEX plain ON labels (category);

INSERT INTO projects VALUES ('default_project', 'P', '', '2025-07-16 07:44:51',
    '2025-07-16 07:44:51', 'anna', 'active', '{"k": [1, 2.50]}');
INSERT INTO project_task_trees VALUES ('main_branch', 'default_project', 'main', '',
    '2025-07-16 07:44:51', '2025-07-16 07:44:51', '@coding_agent', 'high', 'active', '{}', 0, 0);
INSERT INTO project_agents VALUES ('@coding_agent', 'default_project', 'Coding Agent', '',
    '@coding_agent', '["a"]', 'available', 99.5, '2025-07-16 07:44:51', '2025-07-16 07:44:51');
INSERT INTO labels VALUES (621, 'Bug', 'bug', 'type', 0, 1, '2025-07-16 07:44:51',
    '2025-07-16 07:44:51');
UPDATE sqlite_sequence SET seq = 651;
INSERT INTO global_contexts VALUES ('global_singleton', 'default_org', '{"ai": true, "n": 1.10}',
    '{}', '{}', '2025-07-16 07:44:51', '2025-07-16 07:44:51', 1, NULL);
INSERT INTO project_contexts VALUES ('default_project', 'global_singleton', '{}',
    '2025-07-16 07:44:51', '2025-07-16 07:44:51', 1, '2025-07-16 07:44:52', 0);
INSERT INTO tasks VALUES ('task_one', 'T', 'D', 'main_branch', 'todo', 'high', 'more', '', NULL,
    '2025-07-16 07:44:51', '2025-07-16 07:44:51', NULL);
INSERT INTO task_assignees VALUES ('task_one', '@coding_agent', '2025-07-16 07:44:51');
INSERT INTO task_labels VALUES ('task_one', 621, '2025-07-16 07:44:51');
INSERT INTO task_subtasks VALUES ('65b1cb5ed58d115fe854bcb513df11d1', 'task_one', 'S', '[]',
    '2025-07-16 07:44:51', '2025-07-16 07:44:51');
INSERT INTO context_inheritance_cache VALUES ('task_one', 'task', '{}', 'h', 'p',
    '2025-07-16 07:44:51', '2025-07-17 07:44:51', 0, '2025-07-16 07:44:51', 12, 0);
INSERT INTO checklists VALUES ('feature_checklist', 'Feature', 80);
"""

# After August 2025: every row has its own UUID and owner, and the names are those of the models.
NEWEST = """
CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT, description TEXT, created_at DATETIME,
    updated_at DATETIME, user_id TEXT, status TEXT, metadata JSON, model_metadata JSON);
CREATE TABLE project_git_branchs (id TEXT PRIMARY KEY, project_id TEXT, name TEXT,
    created_at DATETIME, updated_at DATETIME, agent_id TEXT, user_id TEXT);
CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT, description TEXT, git_branch_id TEXT,
    progress_state TEXT, progress_history JSON, user_id TEXT, created_at DATETIME,
    updated_at DATETIME);
CREATE TABLE subtasks (id TEXT PRIMARY KEY, task_id TEXT, title TEXT, progress_state TEXT,
    user_id TEXT, created_at DATETIME, updated_at DATETIME);
CREATE TABLE labels (id TEXT PRIMARY KEY, name TEXT UNIQUE, color TEXT, description TEXT,
    user_id TEXT, created_at DATETIME);
CREATE TABLE project_contexts (id TEXT PRIMARY KEY, project_id TEXT, data JSON, extra JSON,
    user_id TEXT, updated_at DATETIME);
INSERT INTO projects VALUES ('0d3f6c9e-6c43-4c51-9a53-5a1f0f6f4f10', 'P', '',
    '2025-09-01 00:00:00', '2025-09-01 00:00:00.5', 'ben', 'active', '{"a": 1}', '{"old": 1}');
INSERT INTO project_git_branchs VALUES ('78125f26-85f2-4f81-b148-43d082283d85',
    '0d3f6c9e-6c43-4c51-9a53-5a1f0f6f4f10', 'main', '2025-09-01 00:00:00', '2025-09-01 00:00:00',
    '00000000-0000-4000-8000-000000000001', 'carla');
INSERT INTO tasks VALUES ('e9fb3fc9-fec0-4209-a232-909c4cc043a4', 'T', 'D',
    '78125f26-85f2-4f81-b148-43d082283d85', 'IN_PROGRESS', '{"1": {"n": 1}}', 'carla',
    '2025-09-01 00:00:00', '2025-09-01 00:00:00');
INSERT INTO subtasks VALUES ('67951571-9d38-4feb-9259-52b27cc94dff',
    'e9fb3fc9-fec0-4209-a232-909c4cc043a4', 'S', 'COMPLETE', 'dora', '2025-09-01 00:00:00',
    '2025-09-01 00:00:00');
INSERT INTO labels VALUES ('bug', 'bug', '#cc0000', '', 'ben', '2025-09-01 00:00:00');
INSERT INTO project_contexts VALUES ('531e6d70-7ddc-4864-9040-dd70fb4cb7ed',
    '0d3f6c9e-6c43-4c51-9a53-5a1f0f6f4f10', '{"kept": true}', '{"x": 1}', 'ben',
    '2025-09-01 00:00:00');
"""
