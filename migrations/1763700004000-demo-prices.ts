import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** The demo's models are free on purpose; without a price they could not be used under a budget. */
export class DemoPrices1763700004000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`UPDATE models SET price = '{"per_request_usd": 0}' WHERE name IN ('demo/echo', 'demo/embedding') AND price IS NULL`);
  }

  /** A price of zero harms no older version. */
  down(): Promise<void> {
    return Promise.resolve();
  }
}
