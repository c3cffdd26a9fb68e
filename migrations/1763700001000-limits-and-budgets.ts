import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Limits and budgets of organizations, projects, keys and models, and where the alerts of an
 * organization's budgets go. Only adds columns with defaults, so that the version before this one
 * works on.
 */
export class LimitsAndBudgets1763700001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // alert_webhook_secret: encrypted by the vault, bound to this row.
    await queryRunner.query(`
      ALTER TABLE organizations
        ADD COLUMN limits jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN budgets jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN alert_webhook_url text,
        ADD COLUMN alert_webhook_secret bytea,
        ADD COLUMN alert_webhook_allow_private boolean NOT NULL DEFAULT false,
        ADD CONSTRAINT organizations_alert_webhook CHECK ((alert_webhook_url IS NULL) = (alert_webhook_secret IS NULL));
      ALTER TABLE projects
        ADD COLUMN limits jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN budgets jsonb NOT NULL DEFAULT '[]';
      ALTER TABLE proxy_keys ADD COLUMN budgets jsonb NOT NULL DEFAULT '[]';
      ALTER TABLE models ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE organizations
        DROP CONSTRAINT organizations_alert_webhook,
        DROP COLUMN limits,
        DROP COLUMN budgets,
        DROP COLUMN alert_webhook_url,
        DROP COLUMN alert_webhook_secret,
        DROP COLUMN alert_webhook_allow_private;
      ALTER TABLE projects DROP COLUMN limits, DROP COLUMN budgets;
      ALTER TABLE proxy_keys DROP COLUMN budgets;
      ALTER TABLE models DROP COLUMN limits;
    `);
  }
}
