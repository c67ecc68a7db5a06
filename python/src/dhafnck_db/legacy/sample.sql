-- A legacy file of the application as of August 2025: word ids next to UUIDs, both shapes of time,
-- JSON, Unicode, and columns that the newest schema has no place for (tasks.details, the rules of
-- the contexts). Column order, types and constraints are as the application declared them.
PRAGMA foreign_keys = ON;
BEGIN;

CREATE TABLE projects (
    id VARCHAR NOT NULL PRIMARY KEY,
    name VARCHAR NOT NULL,
    description TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    user_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    model_metadata JSON NOT NULL,
    CONSTRAINT uq_project_user UNIQUE (id, user_id)
);
CREATE TABLE agents (
    id VARCHAR NOT NULL PRIMARY KEY,
    name VARCHAR NOT NULL,
    description TEXT NOT NULL,
    capabilities JSON NOT NULL,
    status VARCHAR NOT NULL,
    availability_score FLOAT NOT NULL,
    last_active_at DATETIME,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    model_metadata JSON NOT NULL
);
CREATE TABLE hierarchical_context (
    id VARCHAR NOT NULL PRIMARY KEY,
    level VARCHAR NOT NULL,
    context_id VARCHAR NOT NULL,
    parent_level VARCHAR,
    parent_context_id VARCHAR,
    patterns JSON NOT NULL,
    custom_data JSON NOT NULL,
    access_count INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT uq_level_context UNIQUE (level, context_id)
);
CREATE TABLE labels (
    id INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR NOT NULL UNIQUE,
    color VARCHAR NOT NULL,
    description TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE templates (
    id VARCHAR NOT NULL PRIMARY KEY,
    name VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    content JSON NOT NULL,
    category VARCHAR NOT NULL,
    tags JSON NOT NULL,
    usage_count INTEGER NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    created_by VARCHAR NOT NULL
);
CREATE TABLE global_contexts (
    id VARCHAR NOT NULL PRIMARY KEY,
    organization_id VARCHAR NOT NULL,
    autonomous_rules JSON NOT NULL,
    security_policies JSON NOT NULL,
    coding_standards JSON NOT NULL,
    workflow_templates JSON NOT NULL,
    delegation_rules JSON NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    version INTEGER NOT NULL
);
CREATE TABLE project_git_branchs (
    id VARCHAR NOT NULL PRIMARY KEY,
    project_id VARCHAR NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name VARCHAR NOT NULL,
    description TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    assigned_agent_id VARCHAR,
    priority VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    model_metadata JSON NOT NULL,
    task_count INTEGER NOT NULL,
    completed_task_count INTEGER NOT NULL,
    CONSTRAINT uq_branch_project UNIQUE (id, project_id)
);
CREATE TABLE project_contexts (
    project_id VARCHAR NOT NULL PRIMARY KEY,
    parent_global_id VARCHAR NOT NULL REFERENCES global_contexts (id),
    team_preferences JSON NOT NULL,
    technology_stack JSON NOT NULL,
    project_workflow JSON NOT NULL,
    local_standards JSON NOT NULL,
    global_overrides JSON NOT NULL,
    delegation_rules JSON NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    version INTEGER NOT NULL,
    inheritance_disabled BOOLEAN NOT NULL
);
CREATE TABLE branch_contexts (
    branch_id VARCHAR NOT NULL PRIMARY KEY REFERENCES project_git_branchs (id),
    parent_project_id VARCHAR NOT NULL REFERENCES projects (id),
    parent_project_context_id VARCHAR NOT NULL REFERENCES project_contexts (project_id),
    branch_workflow JSON NOT NULL,
    branch_standards JSON NOT NULL,
    agent_assignments JSON NOT NULL,
    local_overrides JSON NOT NULL,
    delegation_rules JSON NOT NULL,
    inheritance_disabled BOOLEAN NOT NULL,
    force_local_only BOOLEAN NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    version INTEGER NOT NULL
);
CREATE TABLE tasks (
    id VARCHAR NOT NULL PRIMARY KEY,
    title VARCHAR NOT NULL,
    description TEXT NOT NULL,
    git_branch_id VARCHAR NOT NULL REFERENCES project_git_branchs (id) ON DELETE CASCADE,
    status VARCHAR NOT NULL,
    priority VARCHAR NOT NULL,
    details TEXT NOT NULL,
    estimated_effort VARCHAR NOT NULL,
    due_date VARCHAR,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    context_id VARCHAR
);
CREATE TABLE task_subtasks (
    id VARCHAR NOT NULL PRIMARY KEY,
    task_id VARCHAR NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    title VARCHAR NOT NULL,
    description TEXT NOT NULL,
    status VARCHAR NOT NULL,
    priority VARCHAR NOT NULL,
    assignees JSON NOT NULL,
    estimated_effort VARCHAR,
    progress_percentage INTEGER NOT NULL,
    progress_notes TEXT NOT NULL,
    blockers TEXT NOT NULL,
    completion_summary TEXT NOT NULL,
    impact_on_parent TEXT NOT NULL,
    insights_found JSON NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    completed_at DATETIME
);
CREATE TABLE task_assignees (
    id INTEGER NOT NULL PRIMARY KEY,
    task_id VARCHAR NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    assignee_id VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    assigned_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT uq_task_assignee UNIQUE (task_id, assignee_id)
);
CREATE TABLE task_dependencies (
    id INTEGER NOT NULL PRIMARY KEY,
    task_id VARCHAR NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    depends_on_task_id VARCHAR NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    dependency_type VARCHAR NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT uq_task_dependency UNIQUE (task_id, depends_on_task_id),
    CONSTRAINT chk_no_self_dependency CHECK (task_id != depends_on_task_id)
);
CREATE TABLE task_labels (
    task_id VARCHAR NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
    applied_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (task_id, label_id)
);
CREATE TABLE task_contexts (
    task_id VARCHAR NOT NULL PRIMARY KEY REFERENCES tasks (id),
    parent_branch_id VARCHAR NOT NULL REFERENCES project_git_branchs (id),
    parent_branch_context_id VARCHAR NOT NULL REFERENCES branch_contexts (branch_id),
    task_data JSON NOT NULL,
    local_overrides JSON NOT NULL,
    implementation_notes JSON NOT NULL,
    delegation_triggers JSON NOT NULL,
    inheritance_disabled BOOLEAN NOT NULL,
    force_local_only BOOLEAN NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    version INTEGER NOT NULL
);

INSERT INTO projects VALUES
    ('default_project', 'Küche umbauen 🛠', 'Alles, was "fertig" heißt', '2025-08-01 09:15:00',
     '2025-08-18 17:03:29.839639', 'user-1', 'active', '{"color": "#0a7", "ratio": 1.10}'),
    ('0d3f6c9e-6c43-4c51-9a53-5a1f0f6f4f10', 'Second project', '', '2025-08-02 00:00:00',
     '2025-08-02 00:00:00', 'user-2', 'archived', '{}');
INSERT INTO agents VALUES
    ('@coding_agent', 'Coding Agent', 'Writes code', '["python", "sql"]', 'available', 0.1,
     '2025-08-18 16:59:59.000001', '2025-08-01 09:15:00', '2025-08-01 09:15:00', '{}');
INSERT INTO hierarchical_context VALUES
    ('6f9619ff8b86d011b42d00cf4fc964ff', 'global', 'global_singleton', NULL, NULL, '{}',
     '{"note": "kept in the archive"}', 3, 1, '2025-08-01 09:15:00', '2025-08-01 09:15:00');
INSERT INTO labels VALUES
    (1, 'bug', '#cc0000', 'Something is broken', '2025-08-01 09:15:00'),
    (7, 'größer', '#0066cc', '', '2025-08-01 09:15:00');
INSERT INTO templates VALUES
    ('bug_fix_template', 'Bug fix', 'task', '{"steps": ["reproduce", "fix", "test"]}', 'general',
     '["bug"]', 12, '2025-08-01 09:15:00', '2025-08-01 09:15:00', 'system');
INSERT INTO global_contexts VALUES
    ('global_singleton', 'default_org', '{"ai_enabled": true}', '{"mfa_required": false}',
     '{"line_length": 100}', '{}', '{"threshold": 0.3}', '2025-08-01 09:15:00',
     '2025-08-01 09:15:00', 1);
INSERT INTO project_git_branchs VALUES
    ('main_branch', 'default_project', 'main', 'Main line', '2025-08-01 09:15:00',
     '2025-08-01 09:15:00', '@coding_agent', 'high', 'active', '{"protected": true}', 2, 1),
    ('ae72fa41-61bc-43e3-8e70-614a758ad1f5', '0d3f6c9e-6c43-4c51-9a53-5a1f0f6f4f10', 'main', '',
     '2025-08-02 00:00:00', '2025-08-02 00:00:00', NULL, 'medium', 'todo', '{}', 1, 0);
INSERT INTO project_contexts VALUES
    ('default_project', 'global_singleton', '{"team": ["Ann", "Bø"]}', '{"db": "sqlite"}', '{}',
     '{}', '{}', '{}', '2025-08-01 09:15:00', '2025-08-01 09:15:00', 2, 0);
INSERT INTO branch_contexts VALUES
    ('main_branch', 'default_project', 'default_project', '{"flow": "trunk"}',
     '{"reviews": 1}', '{"@coding_agent": "lead"}', '{}', '{}', 0, 1, '2025-08-01 09:15:00',
     '2025-08-01 09:15:00', 1);
INSERT INTO tasks VALUES
    ('e9fb3fc9-fec0-4209-a232-909c4cc043a4', 'Measure the room', 'twice', 'main_branch', 'done',
     'high', 'Line one' || char(10) || 'line two' || char(9) || 'with a tab and a \ backslash',
     '2 hours', '2025-08-20', '2025-08-03 10:24:20.210685', '2025-08-18 08:00:00', NULL),
    ('67951571-9d38-4feb-9259-52b27cc94dff', 'Order the sink', '', 'main_branch', 'todo', 'medium',
     '', '', NULL, '2025-08-03 10:24:20.210685', '2025-08-03 10:24:20.210685',
     '67951571-9d38-4feb-9259-52b27cc94dff'),
    ('531e6d707ddc486490400dd70fb4cb7e', 'Task of another user', '',
     'ae72fa41-61bc-43e3-8e70-614a758ad1f5', 'todo', 'low', '', '1 day', NULL,
     '2025-08-04 00:00:00', '2025-08-04 00:00:00', NULL);
INSERT INTO task_subtasks VALUES
    ('a3c1f3f2-8d5a-4a2e-8f0a-0f9f4f5b6c7d', '67951571-9d38-4feb-9259-52b27cc94dff',
     'Compare prices', '', 'todo', 'medium', '["@coding_agent"]', NULL, 40, 'two shops left', '',
     '', '', '["prices differ by 30 %"]', '2025-08-03 11:00:00', '2025-08-05 12:30:45.5', NULL);
INSERT INTO task_assignees VALUES
    (1, '67951571-9d38-4feb-9259-52b27cc94dff', '@coding_agent', 'contributor',
     '2025-08-03 11:00:00');
INSERT INTO task_dependencies VALUES
    (5, '67951571-9d38-4feb-9259-52b27cc94dff', 'e9fb3fc9-fec0-4209-a232-909c4cc043a4', 'blocks',
     '2025-08-03 11:00:00');
INSERT INTO task_labels VALUES
    ('67951571-9d38-4feb-9259-52b27cc94dff', 7, '2025-08-03 11:00:00');
INSERT INTO task_contexts VALUES
    ('67951571-9d38-4feb-9259-52b27cc94dff', 'main_branch', 'main_branch',
     '{"title": "Order the sink", "size": [60, 40.50]}', '{}', '{}', '{}', 0, 0,
     '2025-08-03 11:00:00', '2025-08-03 11:00:00', 1);

COMMIT;
