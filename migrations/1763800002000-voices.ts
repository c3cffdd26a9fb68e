import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** The voices of organizations. Their recordings lie in the voice store, named by these ids alone. */
export class Voices1763800002000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(FOLDER);
    await queryRunner.query(VOICES);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE IF EXISTS voices');
    await queryRunner.query('DROP TABLE IF EXISTS voice_folder');
  }
}

// This installation's folder in a voice store. Files that no row knows are deleted, so two
// installations must never share one: not in a bucket they share, and not when a data folder meets a new database.
const FOLDER = `
  CREATE TABLE voice_folder (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    id uuid NOT NULL DEFAULT gen_random_uuid()
  );
  INSERT INTO voice_folder DEFAULT VALUES;
`;

// name_key: the name as it is compared, made by Weir and not by the database's idea of letters.
// COLLATE "C": ids sort by their bytes, which is by the time they were made.
const VOICES = `
  CREATE TABLE voices (
    id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^voice_[0-9a-f]{32}$'),
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL,
    name_key text NOT NULL,
    consent text NOT NULL,
    ref_text text,
    media_type text NOT NULL,
    bytes integer NOT NULL CHECK (bytes > 0),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    created_at timestamptz NOT NULL,
    created_by uuid REFERENCES proxy_keys ON DELETE SET NULL,
    UNIQUE (organization_id, name_key)
  );
  CREATE INDEX voices_organization_id ON voices (organization_id, id);
  CREATE INDEX voices_created_by ON voices (created_by);
`;
