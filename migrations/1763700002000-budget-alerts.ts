import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** What was told of budgets, so that it is told once, and how far its delivery has come. */
export class BudgetAlerts1763700002000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(ALERTS);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE IF EXISTS budget_alerts');
  }
}

// counter: the budget and its span, in one text, because NULLs are never equal in a unique key.
// at: when the percentage was crossed. created_at: when PostgreSQL heard of it; retries count from there.
// next_attempt_at: while an attempt is under way, when another process may take it for lost.
const ALERTS = `
  CREATE TABLE budget_alerts (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    counter text NOT NULL,
    scope text NOT NULL CHECK (scope IN ('key', 'project', 'organization')),
    subject_id uuid NOT NULL,
    model text,
    period text NOT NULL,
    span_from timestamptz NOT NULL,
    span_to timestamptz,
    percent double precision NOT NULL,
    amount_nanos bigint NOT NULL,
    spent_nanos bigint NOT NULL,
    held_nanos bigint NOT NULL,
    at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    delivery text NOT NULL CHECK (delivery IN ('none', 'queued', 'delivered', 'given_up')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz CHECK ((delivery = 'queued') = (next_attempt_at IS NOT NULL)),
    delivered_at timestamptz,
    last_status smallint,
    last_error text,
    UNIQUE (organization_id, counter, amount_nanos, percent)
  );
  CREATE INDEX budget_alerts_organization ON budget_alerts (organization_id, id);
  CREATE INDEX budget_alerts_due ON budget_alerts (next_attempt_at) WHERE delivery = 'queued';
  CREATE INDEX budget_alerts_span_to ON budget_alerts (span_to);
`;
