import 'reflect-metadata';
import cluster from 'node:cluster';
import { ConfigurationError, DataDirectoryInUseError, describeError, loadConfiguration, readEnvironment } from '@weir/platform';
import { toBanner } from './setup/banner';
import { endByUncaught } from './setup/end-by-uncaught';
import { type RunningGateway, startGateway } from './start-gateway';
import { runWorkers } from './workers/run-workers';
import { WorkerStartError } from './workers/worker-pool';

/** A wrong configuration and a failed start end with one line and this exit code. */
const FAILED = 1;

async function main(): Promise<void> {
  const startedMs = performance.now();
  const environment = readEnvironment();
  const configuration = loadConfiguration(environment);
  if (configuration.workers > 1 && cluster.isPrimary) {
    await runWorkers(configuration, () => {
      process.stdout.write(toBanner(configuration, environment, null, performance.now() - startedMs));
      tellParentReady();
    });
    process.exit(0);
  }
  const stopper = new Stopper();
  const gateway = await startGateway(configuration, environment);
  // A worker serves what the first process has announced.
  if (cluster.isPrimary) process.stdout.write(toBanner(configuration, environment, gateway.firstStart, performance.now() - startedMs));
  tellParentReady();
  await stopper.stopWhenAsked(gateway);
}

/** For whoever waits for it (the first process of several, PM2, a test): the word that PM2's wait_ready wants, if there is a channel. */
function tellParentReady(): void {
  if (process.send !== undefined) process.send('ready');
}

/** A terminal's Ctrl-C reaches this process twice under npm, which forwards what the terminal has sent already. */
const SAME_SIGNAL_MS = 1000;

/**
 * Turns SIGTERM and SIGINT into an orderly stop; a later one of them ends the process at once. Before
 * anything is served there is nothing to drain: then the first one ends it, and the embedded
 * database, tied to this process, goes with it.
 */
class Stopper {
  private readonly asked: Promise<void>;
  private isServing = false;

  constructor() {
    this.asked = new Promise((resolve) => {
      let firstMs: number | null = null;
      const onSignal = (): void => {
        const nowMs = performance.now();
        if (!this.isServing || (firstMs !== null && nowMs - firstMs > SAME_SIGNAL_MS)) process.exit(FAILED);
        firstMs ??= nowMs;
        resolve();
      };
      process.on('SIGTERM', onSignal);
      process.on('SIGINT', onSignal);
    });
  }

  async stopWhenAsked(gateway: RunningGateway): Promise<void> {
    this.isServing = true;
    await this.asked;
    await gateway.stop();
    process.exit(0);
  }
}

function toDescription(error: unknown): string {
  const { type, code, message } = describeError(error);
  return [type, code, message].filter((part) => part !== undefined).join(': ');
}

// A rejection that nobody handles comes here, too.
process.on('uncaughtException', (error) => endByUncaught(error, (line) => process.stderr.write(line), (code) => process.exit(code)));

main().catch((error: unknown) => {
  // The worker itself has said why, in one line.
  if (error instanceof WorkerStartError) process.exit(FAILED);
  const isPlain = error instanceof ConfigurationError || error instanceof DataDirectoryInUseError;
  // Whatever else it is may quote an address with a password: only its description is shown.
  const text = isPlain ? error.message : `the start failed: ${toDescription(error)}`;
  process.stderr.write(`weir: ${text}\n`);
  process.exit(FAILED);
});
