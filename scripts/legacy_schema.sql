-- A legacy file of the application exactly as SQLAlchemy declared it in August 2025: all 17 tables
-- with their indexes, parents first. `legacy_data.py` fills it.

CREATE TABLE projects (
    id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    description TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    user_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    model_metadata JSON NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_project_user UNIQUE (id, user_id)
);

CREATE TABLE agents (
    id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    description TEXT NOT NULL,
    capabilities JSON NOT NULL,
    status VARCHAR NOT NULL,
    availability_score FLOAT NOT NULL,
    last_active_at DATETIME,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    model_metadata JSON NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX idx_agent_availability ON agents (availability_score);
CREATE INDEX idx_agent_status ON agents (status);

CREATE TABLE hierarchical_context (
    id VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    context_id VARCHAR NOT NULL,
    parent_level VARCHAR,
    parent_context_id VARCHAR,
    patterns JSON NOT NULL,
    architectures JSON NOT NULL,
    constraints JSON NOT NULL,
    decisions JSON NOT NULL,
    insights JSON NOT NULL,
    relationships JSON NOT NULL,
    custom_data JSON NOT NULL,
    last_accessed_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    access_count INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_level_context UNIQUE (level, context_id)
);
CREATE INDEX idx_context_level ON hierarchical_context (level);
CREATE INDEX idx_context_accessed ON hierarchical_context (last_accessed_at);
CREATE INDEX idx_context_parent ON hierarchical_context (parent_level, parent_context_id);

CREATE TABLE labels (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    color VARCHAR NOT NULL,
    description TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE templates (
    id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    content JSON NOT NULL,
    category VARCHAR NOT NULL,
    tags JSON NOT NULL,
    usage_count INTEGER NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    created_by VARCHAR NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX idx_template_type ON templates (type);
CREATE INDEX idx_template_category ON templates (category);

CREATE TABLE global_contexts (
    id VARCHAR NOT NULL,
    organization_id VARCHAR NOT NULL,
    autonomous_rules JSON NOT NULL,
    security_policies JSON NOT NULL,
    coding_standards JSON NOT NULL,
    workflow_templates JSON NOT NULL,
    delegation_rules JSON NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE context_delegations (
    id VARCHAR NOT NULL,
    source_level VARCHAR NOT NULL,
    source_id VARCHAR NOT NULL,
    target_level VARCHAR NOT NULL,
    target_id VARCHAR NOT NULL,
    delegated_data JSON NOT NULL,
    delegation_reason VARCHAR NOT NULL,
    trigger_type VARCHAR NOT NULL,
    auto_delegated BOOLEAN NOT NULL,
    confidence_score FLOAT,
    processed BOOLEAN NOT NULL,
    approved BOOLEAN,
    processed_by VARCHAR,
    rejected_reason VARCHAR,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    processed_at DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT chk_source_level CHECK (source_level IN ('task', 'project', 'global')),
    CONSTRAINT chk_target_level CHECK (target_level IN ('task', 'project', 'global')),
    CONSTRAINT chk_trigger_type CHECK (trigger_type IN ('manual', 'auto_pattern', 'auto_threshold'))
);
CREATE INDEX idx_delegation_processed ON context_delegations (processed);
CREATE INDEX idx_delegation_target ON context_delegations (target_level, target_id);
CREATE INDEX idx_delegation_source ON context_delegations (source_level, source_id);

CREATE TABLE context_inheritance_cache (
    context_id VARCHAR NOT NULL,
    context_level VARCHAR NOT NULL,
    resolved_context JSON NOT NULL,
    dependencies_hash VARCHAR NOT NULL,
    resolution_path VARCHAR NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    expires_at DATETIME NOT NULL,
    hit_count INTEGER NOT NULL,
    last_hit DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    cache_size_bytes INTEGER NOT NULL,
    invalidated BOOLEAN NOT NULL,
    invalidation_reason VARCHAR,
    PRIMARY KEY (context_id, context_level),
    CONSTRAINT chk_cache_context_level CHECK (context_level IN ('task', 'project', 'global'))
);
CREATE INDEX idx_cache_level ON context_inheritance_cache (context_level);
CREATE INDEX idx_cache_expires ON context_inheritance_cache (expires_at);
CREATE INDEX idx_cache_invalidated ON context_inheritance_cache (invalidated);

CREATE TABLE project_git_branchs (
    id VARCHAR NOT NULL,
    project_id VARCHAR NOT NULL,
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
    PRIMARY KEY (id),
    CONSTRAINT uq_branch_project UNIQUE (id, project_id),
    FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE project_contexts (
    project_id VARCHAR NOT NULL,
    parent_global_id VARCHAR NOT NULL,
    team_preferences JSON NOT NULL,
    technology_stack JSON NOT NULL,
    project_workflow JSON NOT NULL,
    local_standards JSON NOT NULL,
    global_overrides JSON NOT NULL,
    delegation_rules JSON NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    version INTEGER NOT NULL,
    inheritance_disabled BOOLEAN NOT NULL,
    PRIMARY KEY (project_id),
    FOREIGN KEY(parent_global_id) REFERENCES global_contexts (id)
);

CREATE TABLE tasks (
    id VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    description TEXT NOT NULL,
    git_branch_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    priority VARCHAR NOT NULL,
    details TEXT NOT NULL,
    estimated_effort VARCHAR NOT NULL,
    due_date VARCHAR,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    context_id VARCHAR,
    PRIMARY KEY (id),
    FOREIGN KEY(git_branch_id) REFERENCES project_git_branchs (id) ON DELETE CASCADE
);
CREATE INDEX idx_task_branch ON tasks (git_branch_id);
CREATE INDEX idx_task_priority ON tasks (priority);
CREATE INDEX idx_task_created ON tasks (created_at);
CREATE INDEX idx_task_status ON tasks (status);

CREATE TABLE task_subtasks (
    id VARCHAR NOT NULL,
    task_id VARCHAR NOT NULL,
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
    completed_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);
CREATE INDEX idx_subtask_status ON task_subtasks (status);
CREATE INDEX idx_subtask_task ON task_subtasks (task_id);

CREATE TABLE task_assignees (
    id INTEGER NOT NULL,
    task_id VARCHAR NOT NULL,
    assignee_id VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    assigned_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_task_assignee UNIQUE (task_id, assignee_id),
    FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);
CREATE INDEX idx_assignee_id ON task_assignees (assignee_id);
CREATE INDEX idx_assignee_task ON task_assignees (task_id);

CREATE TABLE task_dependencies (
    id INTEGER NOT NULL,
    task_id VARCHAR NOT NULL,
    depends_on_task_id VARCHAR NOT NULL,
    dependency_type VARCHAR NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_task_dependency UNIQUE (task_id, depends_on_task_id),
    CONSTRAINT chk_no_self_dependency CHECK (task_id != depends_on_task_id),
    FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    FOREIGN KEY(depends_on_task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

CREATE TABLE task_labels (
    task_id VARCHAR NOT NULL,
    label_id INTEGER NOT NULL,
    applied_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (task_id, label_id),
    FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE CASCADE
);
CREATE INDEX idx_task_label_label ON task_labels (label_id);
CREATE INDEX idx_task_label_task ON task_labels (task_id);

CREATE TABLE branch_contexts (
    branch_id VARCHAR NOT NULL,
    parent_project_id VARCHAR NOT NULL,
    parent_project_context_id VARCHAR NOT NULL,
    branch_workflow JSON NOT NULL,
    branch_standards JSON NOT NULL,
    agent_assignments JSON NOT NULL,
    local_overrides JSON NOT NULL,
    delegation_rules JSON NOT NULL,
    inheritance_disabled BOOLEAN NOT NULL,
    force_local_only BOOLEAN NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (branch_id),
    FOREIGN KEY(branch_id) REFERENCES project_git_branchs (id),
    FOREIGN KEY(parent_project_id) REFERENCES projects (id),
    FOREIGN KEY(parent_project_context_id) REFERENCES project_contexts (project_id)
);

CREATE TABLE task_contexts (
    task_id VARCHAR NOT NULL,
    parent_branch_id VARCHAR NOT NULL,
    parent_branch_context_id VARCHAR NOT NULL,
    task_data JSON NOT NULL,
    local_overrides JSON NOT NULL,
    implementation_notes JSON NOT NULL,
    delegation_triggers JSON NOT NULL,
    inheritance_disabled BOOLEAN NOT NULL,
    force_local_only BOOLEAN NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (task_id),
    FOREIGN KEY(task_id) REFERENCES tasks (id),
    FOREIGN KEY(parent_branch_id) REFERENCES project_git_branchs (id),
    FOREIGN KEY(parent_branch_context_id) REFERENCES branch_contexts (branch_id)
);
