import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Meshes that were asked for, and what became of them. All times in it are PostgreSQL's own: the
 * processes that share it need not agree on what time it is.
 */
export class MeshJobs1763800003000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(JOBS);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE IF EXISTS mesh_jobs');
  }
}

// COLLATE "C": ids sort by their bytes, which is by the time they were made.
// key_id: the proxy key that asked; a job whose key is gone fails when its turn comes.
// request: sealed, and only for as long as it is needed.
// run_id: the run that owns the row while it is in progress, and whose file holds the mesh when it is completed.
// attempts: runs that were begun and not called off.
// error: of a failed job what its owner is told, of a queued one why it waits.
const JOBS = `
  CREATE TABLE mesh_jobs (
    id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^mesh_[0-9a-f]{32}$'),
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    key_id uuid REFERENCES proxy_keys ON DELETE SET NULL,
    model text NOT NULL,
    request bytea,
    status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'in_progress', 'completed', 'failed')),
    progress smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    attempts smallint NOT NULL DEFAULT 0,
    run_id uuid,
    lease_until timestamptz CHECK ((status = 'in_progress') = (lease_until IS NOT NULL)),
    due_at timestamptz NOT NULL DEFAULT now(),
    error_code text,
    error_message text,
    bytes integer CHECK ((status = 'completed') = (bytes IS NOT NULL)),
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz CHECK ((status IN ('completed', 'failed')) = (ended_at IS NOT NULL)),
    expires_at timestamptz NOT NULL,
    CHECK ((status IN ('queued', 'in_progress')) = (request IS NOT NULL)),
    CHECK (status NOT IN ('in_progress', 'completed') OR run_id IS NOT NULL),
    CHECK (status <> 'failed' OR (error_code IS NOT NULL AND error_message IS NOT NULL))
  );
  ALTER TABLE mesh_jobs ALTER COLUMN request SET STORAGE EXTERNAL;
  CREATE INDEX mesh_jobs_organization_id ON mesh_jobs (organization_id, id);
  CREATE INDEX mesh_jobs_key_id ON mesh_jobs (key_id);
  CREATE INDEX mesh_jobs_open ON mesh_jobs (due_at) WHERE status IN ('queued', 'in_progress');
  CREATE INDEX mesh_jobs_expires_at ON mesh_jobs (expires_at);
`;
