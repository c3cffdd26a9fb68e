import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * How a model's calls are routed beside its targets: which other models may answer in its place,
 * and whether calls of a session stay together. The version before reads and writes neither column.
 */
export class Routing1763800000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE models
        ADD COLUMN affinity text NOT NULL DEFAULT 'none',
        ADD COLUMN fallbacks text[] NOT NULL DEFAULT '{}';
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE models DROP COLUMN IF EXISTS affinity, DROP COLUMN IF EXISTS fallbacks');
  }
}
