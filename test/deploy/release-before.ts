import { execFileSync } from 'node:child_process';
import { MIGRATIONS } from '../../migrations';

/** What counts as the release before this one, until there are tags: a commit that was whole, and its last migration. */
export const RELEASE_BEFORE = { commit: '8270f0a84d087995cd6ef0c145a9b7781abc15f7', lastMigration: 'DemoPrices1763700004000' } as const;

/** The migrations that it knows. */
export function findReleasedMigrations(): typeof MIGRATIONS {
  return MIGRATIONS.slice(0, MIGRATIONS.findIndex(({ name }) => name === RELEASE_BEFORE.lastMigration) + 1);
}

/** Whether its code is at hand: not in an unpacked archive, nor in a clone of depth 1. */
export function hasReleasedCode(): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${RELEASE_BEFORE.commit}^{commit}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
