import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Answers kept for requests with an Idempotency-Key. All times in it are PostgreSQL's own: the
 * processes that share it need not agree on what time it is.
 */
export class Idempotency1763700003000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(RECORDS);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE IF EXISTS idempotency_records');
  }
}

// name_hash: SHA-256 of what the caller wrote into the header, which is nobody's business.
// run_id: the request that owns the row; a row that was taken over has another.
// body: sealed, so compressing it would only take time.
const RECORDS = `
  CREATE TABLE idempotency_records (
    key_id uuid NOT NULL REFERENCES proxy_keys ON DELETE CASCADE,
    name_hash bytea NOT NULL CHECK (octet_length(name_hash) = 32),
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    run_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'finished', 'not_kept')),
    lease_until timestamptz CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    status smallint,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, name_hash),
    CHECK ((state = 'finished') = (status IS NOT NULL AND headers IS NOT NULL AND body IS NOT NULL))
  );
  ALTER TABLE idempotency_records ALTER COLUMN body SET STORAGE EXTERNAL;
  CREATE INDEX idempotency_records_expires_at ON idempotency_records (expires_at);
`;
