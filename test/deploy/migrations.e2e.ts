import { type QueryRunner } from 'typeorm';
import { MIGRATIONS } from '../../migrations';
import { findContractions } from './find-contractions';

/**
 * What a person has looked at: a change that is more than an addition, and why the version before goes on working all
 * the same. A migration with another such change fails here until it stands in this list, or better, until it is made
 * in two releases: add in one, remove in the next.
 */
const REVIEWED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  UsageRollups1763700000000: {
    'LOCK TABLE usage_records IN SHARE ROW EXCLUSIVE MODE': 'rows of the version before wait in its spool until the sums are made (CHANGELOG.md says how long)',
    'CREATE TRIGGER roll_up_usage AFTER INSERT ON usage_records REFERENCING NEW TABLE AS new_ro': 'counts the rows of the version before, too; that is what it is a trigger for',
  },
  LimitsAndBudgets1763700001000: {
    'ALTER TABLE organizations ADD CONSTRAINT organizations_alert_webhook CHECK ((alert_webhook': 'over columns that are new here: the version before leaves both null, which passes',
  },
  DemoPrices1763700004000: {
    "UPDATE models SET price = '' WHERE name IN ('', '') AND price IS NULL": 'a price of zero, in the form that the version before reads',
  },
};

/** The SQL that a migration runs, without running it. */
async function readSql(Migration: (typeof MIGRATIONS)[number]): Promise<string[]> {
  const sql: string[] = [];
  const recorder = { query: (statement: string) => Promise.resolve(sql.push(statement)) };
  await new Migration().up(recorder as unknown as QueryRunner);
  return sql;
}

describe('the migrations', () => {
  it.each(MIGRATIONS.map((Migration) => [Migration.name, Migration] as const))('only add: the version before survives %s', async (name, Migration) => {
    const sql = await readSql(Migration);
    expect(sql.length).toBeGreaterThan(0);
    expect(findContractions(sql)).toEqual(Object.keys(REVIEWED[name] ?? {}));
  });

  it('stand in the order of their times, each in a file of its own name', () => {
    const times = MIGRATIONS.map(({ name }) => Number(name.slice(-13)));
    expect(times).toEqual([...times].sort((one, other) => one - other));
    expect(Object.keys(REVIEWED).filter((name) => !MIGRATIONS.some((migration) => migration.name === name))).toEqual([]);
  });
});

describe('what is no addition', () => {
  it.each([
    'DROP TABLE models',
    'ALTER TABLE models DROP COLUMN price',
    'ALTER TABLE models RENAME COLUMN price TO rate',
    'ALTER TABLE models RENAME TO routes',
    'ALTER TABLE models ALTER COLUMN price TYPE text',
    'ALTER TABLE models ALTER COLUMN price SET NOT NULL',
    'ALTER TABLE models ALTER COLUMN strategy DROP DEFAULT',
    'ALTER TABLE models ADD COLUMN owner uuid NOT NULL',
    'ALTER TABLE models ADD COLUMN owner uuid UNIQUE',
    'ALTER TABLE models ADD COLUMN owner uuid REFERENCES users',
    'ALTER TABLE models ADD CONSTRAINT cheap CHECK (price IS NOT NULL)',
    'CREATE UNIQUE INDEX models_owner ON models (owner)',
    'CREATE TRIGGER refuse BEFORE INSERT ON models FOR EACH ROW EXECUTE FUNCTION refuse()',
    'CREATE OR REPLACE FUNCTION weir_record_change() RETURNS trigger LANGUAGE plpgsql AS \'\'',
    'INSERT INTO models (id) VALUES (1)',
    'UPDATE models SET price = NULL',
    'DELETE FROM models',
    'TRUNCATE models',
    'LOCK TABLE models',
    'REVOKE SELECT ON models FROM weir',
  ])('is found: %s', (statement) => {
    expect(findContractions([statement])).toEqual([statement]);
  });

  it('is found among what is: the second action of a statement, the second statement of a text, in small letters', () => {
    expect(findContractions(["ALTER TABLE models ADD COLUMN a text DEFAULT 'x, y; z', drop column b;\n drop table c;"])).toEqual(['ALTER TABLE models drop column b', 'drop table c']);
  });

  it.each([
    'ALTER TABLE models ADD COLUMN owner uuid',
    "ALTER TABLE models ADD COLUMN note text NOT NULL DEFAULT 'DROP TABLE; x'",
    'ALTER TABLE models ADD COLUMN n integer NOT NULL DEFAULT 1 CHECK (n IN (1, 2)), ADD COLUMN m numeric(3, 1)',
    'ALTER TABLE models ALTER COLUMN name DROP NOT NULL',
    'CREATE INDEX models_owner ON models (owner)',
    'CREATE TABLE drafts (id uuid PRIMARY KEY); CREATE UNIQUE INDEX drafts_id ON drafts (id); INSERT INTO drafts VALUES (1); ALTER TABLE drafts ADD PRIMARY KEY (id)',
    'CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM models; END $$',
    '-- DROP TABLE models\n/* TRUNCATE models; */ SELECT 1',
  ])('is not found in an addition: %s', (statement) => {
    expect(findContractions([statement])).toEqual([]);
  });
});
