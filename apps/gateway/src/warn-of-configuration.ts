import cluster from 'node:cluster';
import { type WeirLogger } from '@weir/platform';

/** Of several processes that share one environment, the first one says what is wrong with it. */
export function warnOfConfiguration(logger: Pick<WeirLogger, 'warn'>, warnings: readonly string[]): void {
  if (cluster.worker !== undefined && cluster.worker.id !== 1) return;
  for (const warning of warnings) logger.warn(warning);
}
