import { type Configuration, ConfigurationError, createLogger } from '@weir/platform';
import { WorkerPool } from './worker-pool';

/**
 * Runs WEIR_WORKERS processes that share the ports, until SIGTERM or SIGINT: then all of them drain.
 * This process serves nothing but the metrics; it hands out connections and replaces who dies. Resolves
 * when the last worker has ended. If this process is killed, its workers end at once.
 * @throws ConfigurationError with the embedded database, which belongs to one process; WorkerStartError when a worker cannot start.
 */
export async function runWorkers(configuration: Configuration, onReady: () => void): Promise<void> {
  if (configuration.database.kind === 'embedded') {
    throw new ConfigurationError('WEIR_WORKERS is more than 1, which needs DATABASE_URL: the embedded database belongs to one process');
  }
  const logger = createLogger(configuration.log);
  const pool = new WorkerPool(configuration, logger);
  process.on('SIGTERM', () => pool.signal('SIGTERM'));
  process.on('SIGINT', () => pool.signal('SIGINT'));
  try {
    await pool.start();
    onReady();
  } catch (error) {
    pool.signal('SIGTERM');
    await pool.whenEnded();
    throw error;
  }
  await pool.whenEnded();
  logger.closeDestination();
}
