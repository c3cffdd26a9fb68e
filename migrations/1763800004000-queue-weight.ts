import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * An organization's share of an upstream's places when calls wait for it. The version before this one
 * knows nothing of the column: its organizations are all alike.
 */
export class QueueWeight1763800004000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE organizations ADD COLUMN queue_weight integer NOT NULL DEFAULT 1 CHECK (queue_weight BETWEEN 1 AND 100)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE organizations DROP COLUMN queue_weight');
  }
}
