import { randomUUID } from 'node:crypto';
import cluster from 'node:cluster';
import { hostname } from 'node:os';
import { type Configuration, ConfigurationError, type Metrics, openTraces, type OpenTraces, toTracesWarning, type WeirLogger } from '@weir/platform';
import { warnOfConfiguration } from './warn-of-configuration';

/** Begins to export traces, if any are wanted. Where they cannot be, that is said and does not end the start. */
export async function startTraces({ traces }: Pick<Configuration, 'traces'>, logger: WeirLogger, metrics: Metrics): Promise<OpenTraces | null> {
  if (traces === null) return null;
  const identity = { hostName: hostname(), processId: process.pid, instanceId: randomUUID(), workerNumber: cluster.worker?.id ?? null };
  try {
    return await openTraces(traces, { logger, metrics, identity });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    warnOfConfiguration(logger, [toTracesWarning(error)]);
    return null;
  }
}
