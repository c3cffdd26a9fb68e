import { type EntityManager } from 'typeorm';
import { applyModels } from './apply-models';
import { applyOrganizations } from './apply-organizations';
import { type ApplyParts, ApplyRun } from './apply-run';
import { applyUpstreams } from './apply-upstreams';
import { type Declaration } from './declaration';
import { type ApplyReport } from './difference';
import { prune } from './prune';

export interface ApplyOptions {
  /** Everything is done and then undone: what would be refused is refused, and nothing is changed. */
  readonly isDryRun?: boolean;
  /** Also deletes what a file made and this one does not name. */
  readonly prunes?: boolean;
}

/** Names the application of files among a database's advisory locks: the number after that of migrations. */
const APPLY_LOCK = 0x77656973;

/**
 * Makes the database as declared, in one transaction, by the admin API's own writers. Of several
 * processes one does it and the others wait, then find nothing to change.
 * @throws ConfigurationError for the first thing that is refused; nothing is changed then
 */
export async function applyDeclaration(declaration: Declaration, parts: ApplyParts, { isDryRun = false, prunes = false }: ApplyOptions = {}): Promise<ApplyReport> {
  const runner = parts.dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    try {
      const run = new ApplyRun(parts, runner.manager, prunes);
      await lock(runner.manager);
      await applyAll(run, declaration);
      if (isDryRun) await runner.rollbackTransaction();
      else await runner.commitTransaction();
      return { differences: run.differences, kept: run.kept };
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction();
      throw error;
    }
  } finally {
    await runner.release();
  }
}

async function applyAll(run: ApplyRun, { upstreams, models, organizations }: Declaration): Promise<void> {
  await applyUpstreams(run, upstreams);
  await applyModels(run, models);
  await applyOrganizations(run, organizations);
  if (run.prunes) await prune(run);
}

/** Until the transaction's end. Waiting for another process may take longer than any statement should. */
async function lock(manager: EntityManager): Promise<void> {
  const [{ timeout }] = await manager.query<{ timeout: string }[]>(`SELECT current_setting('statement_timeout') AS timeout`);
  await manager.query(`SELECT set_config('statement_timeout', '0', true)`);
  await manager.query('SELECT pg_advisory_xact_lock($1)', [APPLY_LOCK]);
  await manager.query(`SELECT set_config('statement_timeout', $1, true)`, [timeout]);
}
