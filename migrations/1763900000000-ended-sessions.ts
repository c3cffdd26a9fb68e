import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * The console's sessions that were signed out of, so that every process refuses them. The version before
 * this one knows nothing of the table, and goes on keeping its own in memory.
 */
export class EndedSessions1763900000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(SESSIONS);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE IF EXISTS ended_sessions');
  }
}

// ends_at: from then on no token of the session can be good, and the row is of no use.
const SESSIONS = `
  CREATE TABLE ended_sessions (
    id uuid PRIMARY KEY,
    ends_at timestamptz NOT NULL
  );
`;
