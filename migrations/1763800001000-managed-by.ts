import { type MigrationInterface, type QueryRunner } from 'typeorm';

const TABLES = ['organizations', 'projects', 'upstreams', 'upstream_keys', 'models'] as const;

/**
 * Who made a row: `file` for weir.yaml, `environment` for the variables of GPU services, null for an
 * admin. What a file did not make, no file takes away. The version before this one knows nothing of
 * the column and leaves it null.
 */
export class ManagedBy1763800001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const table of TABLES) await queryRunner.query(`ALTER TABLE ${table} ADD COLUMN managed_by text`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of TABLES) await queryRunner.query(`ALTER TABLE ${table} DROP COLUMN managed_by`);
  }
}
