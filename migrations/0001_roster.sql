-- The roster: one text for SQLite and PostgreSQL. Only TEXT, BIGINT, BOOLEAN, BYTEA. On PostgreSQL TEXT
-- becomes TEXT COLLATE "C"; /* keyed */ becomes WITHOUT ROWID on SQLite (rows that are their key).
-- Every key begins with the tenant: that is the isolation, and later the shard key. Times are unix
-- microseconds, UTC. The four look-ups that carry no tenant (host, connection id, token hash, session
-- hash) have plain indexes, never unique ones.

CREATE TABLE tenants (
    tenant_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    host TEXT,
    options TEXT NOT NULL DEFAULT '{}',
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX tenants_name ON tenants (name);
CREATE INDEX tenants_host ON tenants (host);

CREATE TABLE organizations (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    display_name TEXT,
    -- How pages look to its people.
    color TEXT,
    logo_url TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- A domain an organization has proven. One owner per tenant.
CREATE TABLE domains (
    tenant_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    verified_at BIGINT,
    PRIMARY KEY (tenant_id, domain),
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX domains_organization ON domains (tenant_id, organization_id);

CREATE TABLE connections (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    organization_id TEXT,
    options TEXT NOT NULL DEFAULT '{}',
    -- Options that are secrets, as one sealed JSON object.
    secrets BYTEA,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id)
);
CREATE INDEX connections_id ON connections (id);
CREATE INDEX connections_organization ON connections (tenant_id, organization_id);

-- Applications that log people in, or call the management API by themselves. options = JSON. hash = HMAC-SHA256 of a secret
-- under the configured key; former_hash still opens until former_until, so that a secret changes without a gap.
CREATE TABLE clients (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    options TEXT NOT NULL,
    hash BYTEA,
    former_hash BYTEA,
    former_until BIGINT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- Bearer tokens. connection_id NULL is a management token; with a client_id one that a client fetched for itself, for an hour.
-- hash = HMAC-SHA256 under the configured key.
CREATE TABLE tokens (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    connection_id TEXT,
    client_id TEXT,
    name TEXT NOT NULL,
    hash BYTEA NOT NULL,
    scopes TEXT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX tokens_hash ON tokens (hash);
CREATE INDEX tokens_connection ON tokens (tenant_id, connection_id);
CREATE INDEX tokens_client ON tokens (tenant_id, client_id, expires_at) WHERE client_id IS NOT NULL;

CREATE TABLE mapping_versions (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- mapping or javascript.
    language TEXT NOT NULL,
    text TEXT NOT NULL,
    -- What the text includes: a JSON object of path and contents.
    includes TEXT NOT NULL,
    checksum TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    published_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, name, version)
);

-- Schema extensions an administrator registered (RFC 7643 §3.3, §7). urn_key = the URN in lower case.
CREATE TABLE schema_extensions (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    urn_key TEXT NOT NULL,
    urn TEXT NOT NULL,
    -- User or Group.
    resource_type TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, urn_key)
);

-- Profiles. doc = what the write policy let through; provenance = per attribute path, why it is so.
CREATE TABLE users (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    organization_id TEXT,
    email TEXT,
    email_key TEXT,
    -- Verified, or fed by a directory: what on_email_match may see.
    email_trusted BOOLEAN NOT NULL DEFAULT FALSE,
    username_key TEXT,
    blocked BOOLEAN NOT NULL DEFAULT FALSE,
    doc TEXT NOT NULL,
    provenance TEXT NOT NULL,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_login_at BIGINT,
    logins_count BIGINT NOT NULL DEFAULT 0,
    -- email_key and last_login_at to sort by: an index goes on behind somebody only where nothing is NULL.
    email_order TEXT NOT NULL DEFAULT '',
    login_order BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, user_id)
);
CREATE INDEX users_email ON users (tenant_id, email_key);
CREATE INDEX users_username ON users (tenant_id, username_key);
-- What the management API sorts and searches by, beside user_values.
CREATE INDEX users_by_email ON users (tenant_id, email_order, id);
CREATE INDEX users_created ON users (tenant_id, created_at, id);
CREATE INDEX users_updated ON users (tenant_id, updated_at, id);
CREATE INDEX users_last_login ON users (tenant_id, login_order, id);
CREATE INDEX users_logins ON users (tenant_id, logins_count, id);
CREATE INDEX users_organization ON users (tenant_id, organization_id, id) WHERE organization_id IS NOT NULL;
CREATE INDEX users_blocked ON users (tenant_id, id) WHERE blocked;

-- One user at one connection. raw = what the connection says now (for a push the merged SCIM resource
-- without id, meta, groups, password); mapped = the mapping's result over the whole of it. An identity
-- that is both pushed and logged in with keeps both once per side. listed = pushed and not deleted:
-- what a SCIM client sees. position 0 = primary.
CREATE TABLE identities (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    profile_id TEXT,
    position BIGINT NOT NULL DEFAULT 0,
    external_id TEXT,
    user_name TEXT,
    user_name_key TEXT,
    -- What a group member list shows: displayName, else userName.
    label TEXT,
    state TEXT NOT NULL,
    listed BOOLEAN NOT NULL,
    -- What the pushed resource says, NULL where it says nothing; what counts then is state.
    active BOOLEAN,
    raw TEXT,
    raw_hash TEXT,
    mapped TEXT,
    mapping TEXT,
    mapping_version BIGINT,
    login_raw TEXT,
    login_raw_hash TEXT,
    login_mapped TEXT,
    login_mapping TEXT,
    login_mapping_version BIGINT,
    last_source TEXT NOT NULL,
    -- Of an entry of a directory: the key of its DN, by which groups name it; and in how many complete reads in a row it was not.
    dn_key TEXT,
    missing_runs BIGINT NOT NULL DEFAULT 0,
    version BIGINT NOT NULL DEFAULT 1,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, profile_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX identities_external ON identities (tenant_id, connection_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX identities_user_name ON identities (tenant_id, connection_id, user_name_key) WHERE listed;
CREATE INDEX identities_former_name ON identities (tenant_id, connection_id, user_name_key) WHERE NOT listed;
CREATE UNIQUE INDEX identities_listed ON identities (tenant_id, connection_id, id) WHERE listed;
-- Those the client gave no external id, in the order of creation: the end of a list that is sorted by it.
CREATE INDEX identities_unnamed ON identities (tenant_id, connection_id, external_id, id) WHERE listed AND external_id IS NULL;
-- Whom a login made, and who left: what goes over all of a connection reads them beside those that are listed.
CREATE INDEX identities_unlisted ON identities (tenant_id, connection_id, id) WHERE NOT listed;
CREATE INDEX identities_profile ON identities (tenant_id, profile_id);
-- The people of a connection in the order of their profiles. Expressions, so that no other question takes it for the better index.
CREATE INDEX identities_people ON identities (tenant_id, (connection_id || ''), coalesce(profile_id, ''));
CREATE INDEX identities_dn ON identities (tenant_id, connection_id, dn_key) WHERE dn_key IS NOT NULL;

-- What somebody of a database connection is known by, each once per connection. kind = email, username or phone_number;
-- handle_key = folded but for numbers.
CREATE TABLE handles (
    tenant_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    handle_key TEXT NOT NULL,
    identity_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, kind, handle_key),
    FOREIGN KEY (tenant_id, identity_id) REFERENCES identities (tenant_id, id) ON DELETE CASCADE
) /* keyed */;
CREATE INDEX handles_identity ON handles (tenant_id, identity_id);

-- Searchable values of identities (SCIM filters) and of users (API search; model::user_search says which): folded unless the
-- attribute is case-exact, capped at 512 bytes plus a hash.
CREATE TABLE identity_values (
    tenant_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value_key TEXT NOT NULL,
    identity_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, attribute, value_key, identity_id),
    FOREIGN KEY (tenant_id, identity_id) REFERENCES identities (tenant_id, id) ON DELETE CASCADE
) /* keyed */;
CREATE INDEX identity_values_identity ON identity_values (tenant_id, identity_id);

CREATE TABLE user_values (
    tenant_id TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value_key TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, attribute, value_key, profile_id),
    FOREIGN KEY (tenant_id, profile_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) /* keyed */;
CREATE INDEX user_values_profile ON user_values (tenant_id, profile_id);

-- Groups of one connection. raw = the SCIM resource without id, meta, members.
CREATE TABLE groups (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    external_id TEXT,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    raw TEXT NOT NULL,
    raw_hash TEXT NOT NULL,
    mapped TEXT,
    mapping TEXT,
    mapping_version BIGINT,
    listed BOOLEAN NOT NULL DEFAULT TRUE,
    -- As of identities.
    dn_key TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX groups_name ON groups (tenant_id, connection_id, name_key) WHERE listed;
CREATE UNIQUE INDEX groups_external ON groups (tenant_id, connection_id, external_id) WHERE listed AND external_id IS NOT NULL;
CREATE UNIQUE INDEX groups_listed ON groups (tenant_id, connection_id, id) WHERE listed;
CREATE INDEX groups_dn ON groups (tenant_id, connection_id, dn_key) WHERE dn_key IS NOT NULL;
CREATE INDEX groups_unnamed ON groups (tenant_id, connection_id, external_id, id) WHERE listed AND external_id IS NULL;

-- Who is in a group: an identity (kind User) or a group (kind Group) of the same connection.
CREATE TABLE members (
    tenant_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, group_id, member_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id) ON DELETE CASCADE
) /* keyed */;
CREATE INDEX members_of ON members (tenant_id, member_id, group_id);

-- Members that a group of a directory names and that nobody known bears: outside the base, or not seen yet.
CREATE TABLE unresolved_members (
    tenant_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    dn_key TEXT NOT NULL,
    dn TEXT NOT NULL,
    PRIMARY KEY (tenant_id, group_id, dn_key),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id) ON DELETE CASCADE
) /* keyed */;
CREATE INDEX unresolved_members_key ON unresolved_members (tenant_id, dn_key, group_id);

-- One reason a profile is blocked. origin = the identity whose source says so, '' for an administrator.
CREATE TABLE blocks (
    tenant_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    since BIGINT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (tenant_id, profile_id, kind, origin),
    FOREIGN KEY (tenant_id, profile_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

-- The inbox: what needs a person's decision or attention.
CREATE TABLE conflicts (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    -- What the conflict is about, so that a repeated push opens it once.
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    occurrences BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    resolved_at BIGINT,
    -- `sync` where the reason went by itself, else who decided; resolution = what was decided, NULL where nobody had to.
    resolved_by TEXT,
    resolution TEXT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, connection_id, kind, subject)
);
CREATE INDEX conflicts_state ON conflicts (tenant_id, state, id);
CREATE INDEX conflicts_connection ON conflicts (tenant_id, connection_id, state, id);

-- What must not come back: user_ids of deleted people, salted hashes of erased external ids.
CREATE TABLE tombstones (
    tenant_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, kind, subject)
);

-- One row per event that changed a profile: the values before and their provenance. Lives as long as the user.
CREATE TABLE history (
    tenant_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    event TEXT NOT NULL,
    connection_id TEXT,
    identity_id TEXT,
    mapping TEXT,
    mapping_version BIGINT,
    actor TEXT NOT NULL,
    changes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- In the order of what happened: ids of two replicas may not be.
    PRIMARY KEY (tenant_id, profile_id, version, id),
    FOREIGN KEY (tenant_id, profile_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

-- Profiles that were linked to another, as they were: what an undo puts back, for as long as the log is kept. id = what the
-- profile's was; primary_id = the profile that has its identities now; identities, blocks, merged = JSON: whose they were, in
-- order, what barred it, and what of its metadata the other one took, with the values before.
CREATE TABLE linked_profiles (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    primary_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    organization_id TEXT,
    email TEXT,
    email_key TEXT,
    email_trusted BOOLEAN NOT NULL,
    username_key TEXT,
    blocked BOOLEAN NOT NULL,
    doc TEXT NOT NULL,
    provenance TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_login_at BIGINT,
    logins_count BIGINT NOT NULL,
    identities TEXT NOT NULL,
    blocks TEXT NOT NULL,
    merged TEXT NOT NULL,
    history_id TEXT NOT NULL,
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, primary_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX linked_profiles_primary ON linked_profiles (tenant_id, primary_id, linked_at, id);
CREATE INDEX linked_profiles_age ON linked_profiles (tenant_id, linked_at);

-- Their history meanwhile.
CREATE TABLE linked_history (
    tenant_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    event TEXT NOT NULL,
    connection_id TEXT,
    identity_id TEXT,
    mapping TEXT,
    mapping_version BIGINT,
    actor TEXT NOT NULL,
    changes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, profile_id, id),
    FOREIGN KEY (tenant_id, profile_id) REFERENCES linked_profiles (tenant_id, id) ON DELETE CASCADE
);

-- Who did what with which outcome. position is given after the commit, in an order readers can follow.
CREATE TABLE log (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    position BIGINT,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    -- What kind and outcome are called outside; rare = no type of what a source does by the thousand.
    type TEXT NOT NULL DEFAULT '',
    rare BOOLEAN NOT NULL DEFAULT FALSE,
    connection_id TEXT,
    identity_id TEXT,
    group_id TEXT,
    profile_id TEXT,
    -- The public name of somebody who is gone with this row: there is no profile to ask any more.
    user_id TEXT,
    client_id TEXT,
    ip TEXT,
    user_agent TEXT,
    actor TEXT NOT NULL,
    request_id TEXT NOT NULL,
    history_id TEXT,
    detail TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX log_position ON log (tenant_id, position) WHERE position IS NOT NULL;
CREATE INDEX log_waiting ON log (tenant_id, id) WHERE position IS NULL;
CREATE INDEX log_age ON log (tenant_id, created_at);
-- What is searched by. Ids are in the order of time, so that each of them ends in the order of pages.
CREATE INDEX log_profile ON log (tenant_id, profile_id, id) WHERE profile_id IS NOT NULL;
CREATE INDEX log_connection ON log (tenant_id, connection_id, id) WHERE connection_id IS NOT NULL;
CREATE INDEX log_type ON log (tenant_id, type, id) WHERE rare;
CREATE INDEX log_gone ON log (tenant_id, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX log_client ON log (tenant_id, client_id, id) WHERE client_id IS NOT NULL;
CREATE INDEX log_ip ON log (tenant_id, ip, id) WHERE ip IS NOT NULL;

CREATE TABLE outbox (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    position BIGINT,
    kind TEXT NOT NULL,
    profile_id TEXT,
    group_id TEXT,
    connection_id TEXT,
    version BIGINT NOT NULL,
    changed TEXT NOT NULL,
    log_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_position ON outbox (tenant_id, position) WHERE position IS NOT NULL;
CREATE INDEX outbox_waiting ON outbox (tenant_id, id) WHERE position IS NULL;
CREATE INDEX outbox_age ON outbox (tenant_id, created_at);

-- Where events are sent. types = separated by blanks, '' = all. Secrets are sealed; the former one signs too until former_until.
-- position = up to where everything was taken or stands in webhook_deliveries. failures = tries in a row that came to nothing; while
-- the receiver seems to be away, nothing is tried before paused_until.
CREATE TABLE webhooks (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    types TEXT NOT NULL,
    allow_plaintext BOOLEAN NOT NULL,
    enabled BOOLEAN NOT NULL,
    disabled_because TEXT,
    secret BYTEA NOT NULL,
    former_secret BYTEA,
    former_until BIGINT,
    position BIGINT NOT NULL,
    failures BIGINT NOT NULL DEFAULT 0,
    paused_until BIGINT,
    delivered_at BIGINT,
    failed_at BIGINT,
    last_error TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- Events that a webhook did not take at once, and those of the same person or group behind them. next_at NULL = it waits for the one
-- before it, or is dead: given up, until somebody has it sent again.
CREATE TABLE webhook_deliveries (
    tenant_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    -- Of the event.
    position BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    -- Whose order is kept: a profile or a group.
    subject TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT,
    next_at BIGINT,
    dead_at BIGINT,
    status BIGINT,
    error TEXT,
    PRIMARY KEY (tenant_id, webhook_id, position),
    FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhooks (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (tenant_id, webhook_id, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_subject ON webhook_deliveries (tenant_id, webhook_id, subject, position) WHERE dead_at IS NULL;
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (tenant_id, webhook_id, position) WHERE dead_at IS NOT NULL;
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (tenant_id, dead_at) WHERE dead_at IS NOT NULL;

-- What clients asked and were answered: the flight recorder. Bounded, written after the answer, never part of a change.
-- Bodies are redacted and cut. signs = what gave the client away. A row goes with its connection.
CREATE TABLE traffic (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    refused BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    token_id TEXT,
    request_id TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    query TEXT,
    status BIGINT NOT NULL,
    scim_type TEXT,
    cause TEXT,
    detail TEXT,
    duration_us BIGINT NOT NULL,
    user_agent TEXT,
    content_type TEXT,
    signs TEXT NOT NULL,
    request_bytes BIGINT NOT NULL,
    response_bytes BIGINT NOT NULL,
    request_body TEXT,
    response_body TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX traffic_connection ON traffic (tenant_id, connection_id, refused, id);

-- Who is signed in. hash = HMAC-SHA256 of the cookie's secret under the configured key. data = what the mapping gave as
-- session.*. A session of somebody who is blocked or left is none, whatever stands here.
CREATE TABLE sessions (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    hash BYTEA NOT NULL,
    profile_id TEXT NOT NULL,
    identity_id TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When the person proved who they are; an identity provider may have let them in by a proof from before.
    auth_time BIGINT NOT NULL,
    -- How, as JSON: acr and amr.
    proof TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, profile_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_profile ON sessions (tenant_id, profile_id, id);
CREATE INDEX sessions_age ON sessions (tenant_id, expires_at);

-- What we sign tokens for applications with. state = next, active or retired; public = JWK; key = its DER, sealed. One signs and
-- one waits per algorithm; a retired one still verifies. Numbered, so that the same one is not made twice.
CREATE TABLE provider_keys (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    kid TEXT NOT NULL,
    alg TEXT NOT NULL,
    number BIGINT NOT NULL,
    state TEXT NOT NULL,
    public TEXT NOT NULL,
    key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    state_since BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, kid),
    UNIQUE (tenant_id, alg, number)
);

-- Codes that an application exchanges for tokens, once. What used it began is grant_id: a second use ends that.
CREATE TABLE codes (
    tenant_id TEXT NOT NULL,
    hash BYTEA NOT NULL,
    client_id TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    identity_id TEXT NOT NULL,
    -- On whose behalf: whose connection the person came by.
    organization_id TEXT,
    redirect_uri TEXT NOT NULL,
    -- NULL for an application that was let go without PKCE.
    challenge TEXT,
    nonce TEXT,
    scope TEXT NOT NULL,
    -- JSON: names of claims that were asked for one by one.
    asked TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    proof TEXT NOT NULL DEFAULT '{}',
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant_id, hash),
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, profile_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX codes_age ON codes (tenant_id, expires_at);
CREATE INDEX codes_client ON codes (tenant_id, client_id, expires_at);
CREATE INDEX codes_profile ON codes (tenant_id, profile_id, client_id, expires_at);

-- What a person let an application have. Its tokens go with it. One that is not offline counts for as long as its session does,
-- and none for somebody who is blocked or left.
CREATE TABLE grants (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    identity_id TEXT NOT NULL,
    organization_id TEXT,
    offline BOOLEAN NOT NULL,
    scope TEXT NOT NULL,
    asked TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    proof TEXT NOT NULL DEFAULT '{}',
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, profile_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX grants_profile ON grants (tenant_id, profile_id, client_id, id);
CREATE INDEX grants_client ON grants (tenant_id, client_id, id);
CREATE INDEX grants_age ON grants (tenant_id, expires_at);

CREATE TABLE access_tokens (
    tenant_id TEXT NOT NULL,
    hash BYTEA NOT NULL,
    id TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hash),
    FOREIGN KEY (tenant_id, grant_id) REFERENCES grants (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX access_tokens_grant ON access_tokens (tenant_id, grant_id);
CREATE INDEX access_tokens_age ON access_tokens (tenant_id, expires_at);

-- A family of refresh tokens is its grant. Each is used once; for a moment the same use gets the same successor, which is kept
-- sealed for that.
CREATE TABLE refresh_tokens (
    tenant_id TEXT NOT NULL,
    hash BYTEA NOT NULL,
    grant_id TEXT NOT NULL,
    parent BYTEA,
    used_at BIGINT,
    successor BYTEA,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hash),
    FOREIGN KEY (tenant_id, grant_id) REFERENCES grants (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (tenant_id, grant_id);
CREATE INDEX refresh_tokens_age ON refresh_tokens (tenant_id, expires_at);

-- What people said an application may know, of those that have to ask.
CREATE TABLE consents (
    tenant_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, profile_id, client_id),
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, profile_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX consents_client ON consents (tenant_id, client_id, profile_id);

-- Failed logins in a row: per connection and person (keyed hashes of what was typed and of who was found), and per address
-- (scope ''). A row says nothing any more once it is older than the window, and goes.
CREATE TABLE login_failures (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    subject TEXT NOT NULL,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, scope, subject)
) /* keyed */;
CREATE INDEX login_failures_age ON login_failures (tenant_id, last_at);

-- Our own keys towards the identity provider of a connection, numbered as they were made, so that the same one is not made
-- twice. state = current, next or former; certificate = DER; key = the private key as PEM, sealed.
CREATE TABLE saml_keys (
    tenant_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    state TEXT NOT NULL,
    certificate BYTEA NOT NULL,
    key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, number),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);

-- What of a login may be used once and was: assertions, answers to a request of ours, requests to log out, and the state of one by
-- OAuth. digest = SHA-256 of who issued it and how it is called, which may be long. Until expires_at it would still be taken.
CREATE TABLE login_used (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, digest)
) /* keyed */;
CREATE INDEX login_used_age ON login_used (tenant_id, expires_at);

-- What the identity provider calls a session it began here: by that it ends it. subject = JSON; digest = SHA-256 of the NameID.
CREATE TABLE saml_sessions (
    tenant_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (tenant_id, session_id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX saml_sessions_subject ON saml_sessions (tenant_id, connection_id, digest, session_id);

-- What the last complete run over a directory saw, which the next one is compared with; and how long it waits after failures.
-- server = the URL that answered; newest_mark, newest_id = the latest change seen in it, and whose.
CREATE TABLE sync_state (
    tenant_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    area TEXT,
    id_attribute TEXT,
    server TEXT,
    newest_mark TEXT,
    newest_id TEXT,
    completed_at BIGINT,
    failures BIGINT NOT NULL DEFAULT 0,
    failed_at BIGINT,
    last_error TEXT,
    next_at BIGINT NOT NULL DEFAULT 0,
    -- When everything was last read in its turn; and from where changes are read since, sealed.
    full_at BIGINT,
    question TEXT,
    people_place BYTEA,
    groups_place BYTEA,
    -- A hash of the folders people lie in, where a renamed folder says nothing of those in it.
    folders TEXT,
    -- JSON: external ids of whom the mapping says something else of before the next complete read, though their entry stays.
    restless TEXT,
    -- How many were let go, barred and taken out of groups by deltas since.
    spent BIGINT NOT NULL DEFAULT 0,
    -- The last delta that found nothing, whose row the next such takes away.
    idle_run TEXT,
    -- The run that undid another: nothing begins by itself until somebody runs one.
    paused_by TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);

-- What is known of the identity provider of a SAML connection: the last good document and the certificates that count, those
-- that are on their way out included. asked = where the document comes from and which entity of it is meant: another one is
-- an administrator's word. A document that waits for somebody's word is kept beside the one in force.
CREATE TABLE saml_metadata (
    tenant_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    asked TEXT,
    -- file, url or paste: where the document in force came from. NULL until there is one.
    origin TEXT,
    entity_id TEXT,
    document TEXT,
    -- JSON.
    certificates TEXT NOT NULL DEFAULT '[]',
    valid_until BIGINT,
    taken_at BIGINT,
    -- What the place said of the document that was read last, and when it was last asked and answered.
    etag TEXT,
    last_modified TEXT,
    fetched_at BIGINT,
    next_at BIGINT NOT NULL DEFAULT 0,
    waiting_document TEXT,
    waiting_reason TEXT,
    waiting_since BIGINT,
    failures BIGINT NOT NULL DEFAULT 0,
    failed_at BIGINT,
    last_error TEXT,
    -- When it was last fetched out of turn, for a signature that no certificate verified.
    refetched_at BIGINT,
    -- Moves when what counts moves, and not when it was only looked at again.
    version BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE runs (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    summary TEXT NOT NULL,
    list_hash TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX runs_connection ON runs (tenant_id, connection_id, id);
CREATE INDEX runs_open ON runs (tenant_id, id) WHERE state IN ('running', 'confirmed');

-- The changes a run made or holds, one row each.
CREATE TABLE run_items (
    tenant_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    id TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) ON DELETE CASCADE
);

-- What goes over the people of connections, a preview or a replay: what was asked, and how far it is, both JSON. Saved with
-- what it writes, so that it goes on where it was killed. hash = what a publication names, once a preview came to its end.
CREATE TABLE walks (
    tenant_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    request TEXT NOT NULL,
    progress TEXT NOT NULL,
    hash TEXT,
    PRIMARY KEY (tenant_id, run_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX walks_hash ON walks (tenant_id, hash) WHERE hash IS NOT NULL;

-- Whom a replay changed: by which side, what of the identity was before (JSON), and the history row with the rest. It goes with
-- the person, and with the run.
CREATE TABLE replayed (
    tenant_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    identity_id TEXT NOT NULL,
    side TEXT NOT NULL,
    history_id TEXT,
    before TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, identity_id, side),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, identity_id) REFERENCES identities (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX replayed_identity ON replayed (tenant_id, identity_id);

-- Totals in slots, so that creates do not queue for one row. scope = connection id; '' for the profiles of the tenant.
CREATE TABLE counters (
    tenant_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    slot BIGINT NOT NULL,
    total BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, scope, kind, slot)
) /* keyed */;

-- Work that one replica at a time does. tenant_id '' = the installation's own.
CREATE TABLE leases (
    tenant_id TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    fencing BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
