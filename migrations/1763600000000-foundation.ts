import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * The foundation: tenants and their keys, upstreams and their encrypted keys, models, the ledger,
 * the audit log, and the feed of changes that every process's snapshots follow.
 */
export class Foundation1763600000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of [TENANTS, UPSTREAMS, LEDGER, AUDIT, CHANGE_FEED]) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE IF EXISTS audit_records, usage_records, model_targets, models, upstream_keys, upstreams,
        proxy_keys, admin_keys, users, projects, organizations, snapshot_changes CASCADE;
      DROP FUNCTION IF EXISTS weir_record_change CASCADE;
    `);
  }
}

const TENANTS = `
  CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE UNIQUE INDEX organizations_name ON organizations (lower(name));

  CREATE TABLE projects (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL CHECK (name <> ''),
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, id)
  );
  CREATE UNIQUE INDEX projects_name ON projects (organization_id, lower(name));

  -- People and scripts of the control plane. An owner belongs to the installation, not to an organization.
  CREATE TABLE users (
    id uuid PRIMARY KEY,
    organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    username text NOT NULL CHECK (username <> ''),
    email text,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((role = 'owner') = (organization_id IS NULL))
  );
  CREATE UNIQUE INDEX users_username ON users (lower(username));
  CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE email IS NOT NULL;

  CREATE TABLE admin_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    public_id text NOT NULL UNIQUE,
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX admin_keys_user ON admin_keys (user_id);

  CREATE TABLE proxy_keys (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    project_id uuid,
    name text NOT NULL CHECK (name <> ''),
    public_id text NOT NULL UNIQUE,
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    models text[] NOT NULL DEFAULT '{}',
    limits jsonb NOT NULL DEFAULT '{}',
    expires_at timestamptz,
    revoked_at timestamptz,
    rotated_from uuid,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (organization_id, project_id) REFERENCES projects (organization_id, id) ON DELETE CASCADE
  );
  CREATE INDEX proxy_keys_organization ON proxy_keys (organization_id, id);
  CREATE INDEX proxy_keys_project ON proxy_keys (project_id) WHERE project_id IS NOT NULL;
`;

const UPSTREAMS = `
  CREATE TABLE upstreams (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    provider text NOT NULL,
    base_url text NOT NULL,
    timeout_ms integer CHECK (timeout_ms > 0),
    stream_timeout_ms integer CHECK (stream_timeout_ms > 0),
    concurrency integer CHECK (concurrency > 0),
    weight integer NOT NULL DEFAULT 100 CHECK (weight >= 0),
    enabled boolean NOT NULL DEFAULT true,
    options jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE UNIQUE INDEX upstreams_name ON upstreams (lower(name));

  -- envelope: a JWE (flattened JSON) whose additional data names this row, its upstream and its host.
  -- encryption_key_id: which key of the ring wrapped it. fingerprint: keyed hash, to find the same secret again.
  CREATE TABLE upstream_keys (
    id uuid PRIMARY KEY,
    upstream_id uuid NOT NULL REFERENCES upstreams ON DELETE CASCADE,
    label text NOT NULL DEFAULT '',
    envelope jsonb NOT NULL,
    encryption_key_id text NOT NULL,
    fingerprint text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'cooling', 'exhausted', 'disabled', 'ejected')),
    status_reason text,
    status_until timestamptz,
    failure_count bigint NOT NULL DEFAULT 0,
    last_failure_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (upstream_id, fingerprint)
  );
  CREATE INDEX upstream_keys_encryption_key ON upstream_keys (encryption_key_id);

  CREATE TABLE models (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name <> ''),
    operation text NOT NULL,
    strategy text NOT NULL DEFAULT 'weighted',
    price jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
  );

  CREATE TABLE model_targets (
    id uuid PRIMARY KEY,
    model_id uuid NOT NULL REFERENCES models ON DELETE CASCADE,
    upstream_id uuid NOT NULL REFERENCES upstreams ON DELETE CASCADE,
    upstream_model text NOT NULL CHECK (upstream_model <> ''),
    weight integer NOT NULL DEFAULT 100 CHECK (weight >= 0),
    priority integer NOT NULL DEFAULT 0,
    position integer NOT NULL DEFAULT 0,
    UNIQUE (model_id, upstream_id, upstream_model)
  );
  CREATE INDEX model_targets_upstream ON model_targets (upstream_id);
`;

// No foreign keys: a row of the ledger outlives what it names. "at" is the request's start, fixed
// before its first attempt, so (request_id, attempt, at) is unique exactly when (request_id, attempt) is.
const LEDGER = `
  CREATE TABLE usage_records (
    request_id uuid NOT NULL,
    attempt smallint NOT NULL,
    at timestamptz NOT NULL,
    organization_id uuid NOT NULL,
    project_id uuid,
    key_id uuid NOT NULL,
    operation text NOT NULL,
    model text NOT NULL,
    upstream_id uuid,
    upstream_key_id uuid,
    upstream_model text,
    status text NOT NULL CHECK (status IN ('succeeded', 'failed', 'aborted', 'unknown')),
    http_status smallint,
    error_code text,
    input_tokens bigint NOT NULL DEFAULT 0,
    cached_input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    units jsonb,
    estimated boolean NOT NULL DEFAULT false,
    cost_nanos bigint,
    duration_ms integer NOT NULL,
    first_byte_ms integer,
    PRIMARY KEY (request_id, attempt, at)
  ) PARTITION BY RANGE (at);
  CREATE TABLE usage_records_default PARTITION OF usage_records DEFAULT;
  CREATE INDEX usage_records_at ON usage_records (at);
  CREATE INDEX usage_records_organization ON usage_records (organization_id, at);
  CREATE INDEX usage_records_key ON usage_records (key_id, at);
`;

const AUDIT = `
  CREATE TABLE audit_records (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor_id uuid,
    actor text NOT NULL,
    organization_id uuid,
    action text NOT NULL,
    collection text NOT NULL,
    object_id text NOT NULL,
    changes jsonb NOT NULL DEFAULT '{}',
    remote_address text
  );
  CREATE INDEX audit_records_organization ON audit_records (organization_id, id);
`;

// A notification only wakes a process up; what changed is read from the table. Rows are found by
// transaction id and not by their number, because numbers are handed out before commit: a reader
// could see number 6, and number 5 would commit behind its back.
const CHANGE_FEED = `
  CREATE TABLE snapshot_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    kind text NOT NULL,
    object_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX snapshot_changes_transaction ON snapshot_changes (transaction_id);
  CREATE INDEX snapshot_changes_at ON snapshot_changes (at);

  CREATE FUNCTION weir_record_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'DELETE' THEN
      INSERT INTO snapshot_changes (kind, object_id) VALUES (TG_ARGV[0], OLD.id);
    ELSE
      INSERT INTO snapshot_changes (kind, object_id) VALUES (TG_ARGV[0], NEW.id);
    END IF;
    PERFORM pg_notify('weir_changes', '');
    RETURN NULL;
  END $$;

  CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON organizations
    FOR EACH ROW EXECUTE FUNCTION weir_record_change('organization');
  CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON projects
    FOR EACH ROW EXECUTE FUNCTION weir_record_change('project');
  CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION weir_record_change('user');
  CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON admin_keys
    FOR EACH ROW EXECUTE FUNCTION weir_record_change('admin_key');
  CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON proxy_keys
    FOR EACH ROW EXECUTE FUNCTION weir_record_change('proxy_key');
  CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON upstreams
    FOR EACH ROW EXECUTE FUNCTION weir_record_change('upstream');
  CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON upstream_keys
    FOR EACH ROW EXECUTE FUNCTION weir_record_change('upstream_key');
  CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON models
    FOR EACH ROW EXECUTE FUNCTION weir_record_change('model');
  CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON model_targets
    FOR EACH ROW EXECUTE FUNCTION weir_record_change('model_target');
`;
