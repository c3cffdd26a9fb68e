import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { AccessSnapshot, AdminIdentities, ProxyKeys } from '@weir/access';
import { systemClock } from '@weir/kernel';
import { LedgerWriter } from '@weir/ledger';
import { Meter } from '@weir/limits';
import {
  ChangeFeed,
  type Configuration,
  ConfigurationError,
  connectRedis,
  createDataSource,
  createLogger,
  DataDirectory,
  EmbeddedPostgres,
  Metrics,
  NestLogger,
  runMigrations,
  type Traces,
  type WeirLogger,
} from '@weir/platform';
import { PoolRefresher } from '@weir/upstreams';
import { KeyRing, UpstreamKeyVault } from '@weir/vault';
import { type DataSource } from 'typeorm';
import { MIGRATIONS } from '../../../migrations';
import { configureControlPlane } from './admin/configure-control-plane';
import { applyFileAtStart } from './apply/apply-file-at-start';
import { BreakerGauges } from './breaker-gauges';
import { DataPlaneServer } from './data-plane/data-plane-server';
import { sweepUploads } from './data-plane/multipart/upload-folder';
import { MeshRunner } from './data-plane/meshes/mesh-runner';
import { DataPlaneListener } from './data-plane/listener';
import { ROAD, type Road } from './data-plane/road';
import { DemoServer } from './demo/demo-server';
import { ENTITIES, GatewayModule, type GatewayParts } from './gateway.module';
import { Readiness } from './health/readiness';
import { type FirstStart, prepareFirstStart } from './setup/first-start';
import { startTraces } from './start-traces';
import { warnOfConfiguration } from './warn-of-configuration';
import { toKnownPasswordWarnings } from './setup/to-known-password-warnings';

/** For the last calls of a drain to reach the ledger. */
const SETTLE_TIMEOUT_MS = 5_000;
/** For their spans to reach the collector; less where a drain may take less. */
const FLUSH_TIMEOUT_MS = 5_000;

/** A Weir that serves. */
export interface RunningGateway {
  readonly firstStart: FirstStart | null;
  /**
   * Refuses new connections, lets open requests finish for at most SHUTDOWN_TIMEOUT_MS, writes the
   * last usage rows and closes everything. Calling it again changes nothing.
   */
  stop(): Promise<void>;
}

/** What was opened on the way, to be closed in the opposite order, also when the start fails half-way. */
type Closers = (() => Promise<void> | void)[];

/** Starts everything that the configuration asks for; on failure nothing is left running. */
export async function startGateway(configuration: Configuration, environment: NodeJS.ProcessEnv): Promise<RunningGateway> {
  const closers: Closers = [];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };
  try {
    const firstStart = await open(configuration, environment, closers);
    let stopping: Promise<void> | null = null;
    return { firstStart, stop: () => (stopping ??= close()) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(configuration: Configuration, environment: NodeJS.ProcessEnv, closers: Closers): Promise<FirstStart | null> {
  const logger = createLogger(configuration.log);
  closers.push(() => logger.closeDestination());
  warnOfConfiguration(logger, [...configuration.warnings, ...toKnownPasswordWarnings(configuration)]);
  const database = await openDatabase(configuration, logger, closers);
  const dataSource = await openDataSource(configuration, database.url, logger, closers);
  const parts = await makeParts(configuration, logger, dataSource, database.encryptionKeys, closers);
  await applyFileAtStart(parts, environment);
  await sweepUploads(join(configuration.dataDirectory, 'uploads'), parts.clock.nowMs());
  const application = await NestFactory.create<NestExpressApplication>(GatewayModule.forRoot(parts), {
    logger: new NestLogger(logger),
    bodyParser: false,
    abortOnError: false,
  });
  configureControlPlane(application, configuration, logger);
  await application.init();
  closers.push(() => application.close());
  await followChanges(application, database.url, parts, closers);
  await recoverMeter(application, parts);
  await listen(application, configuration, parts, closers);
  return configuration.database.kind === 'embedded' ? makeFirstStart(application, environment, dataSource) : null;
}

/** After the ports are bound: a start that fails on one must not have made keys that nobody was shown. */
async function makeFirstStart(application: NestExpressApplication, environment: NodeJS.ProcessEnv, dataSource: DataSource): Promise<FirstStart> {
  const firstStart = await prepareFirstStart(
    environment,
    dataSource,
    application.get(AdminIdentities),
    application.get(ProxyKeys),
    application.get(UpstreamKeyVault),
  );
  // The change feed would bring it in a moment; the first curl may be quicker.
  await Promise.all([application.get(AccessSnapshot).load(), application.get(PoolRefresher).refresh()]);
  return firstStart;
}

async function openDatabase(configuration: Configuration, logger: WeirLogger, closers: Closers): Promise<{ url: string; encryptionKeys: string }> {
  if (configuration.database.kind === 'url') {
    if (configuration.encryptionKeys === null) throw new ConfigurationError('ENCRYPTION_KEY is missing');
    return { url: configuration.database.url, encryptionKeys: configuration.encryptionKeys };
  }
  const dataDirectory = await DataDirectory.open(configuration.dataDirectory);
  closers.push(() => dataDirectory.close());
  const server = await EmbeddedPostgres.start({ dataDirectory: dataDirectory.path, logger });
  closers.push(() => server.stop());
  const encryptionKeys =
    configuration.encryptionKeys ?? (await dataDirectory.getOrCreateSecret('encryption-keys', () => `k1:${randomBytes(32).toString('hex')}`));
  return { url: server.url, encryptionKeys };
}

async function openDataSource(configuration: Configuration, url: string, logger: WeirLogger, closers: Closers): Promise<DataSource> {
  const dataSource = createDataSource(url, configuration.databasePoolSize, ENTITIES, MIGRATIONS);
  const migrations = await runMigrations(dataSource);
  if (migrations.length > 0) logger.info({ migration: migrations }, 'migrated the database');
  await dataSource.initialize();
  closers.push(() => dataSource.destroy());
  return dataSource;
}

async function makeParts(
  configuration: Configuration,
  logger: WeirLogger,
  dataSource: DataSource,
  encryptionKeys: string,
  closers: Closers,
): Promise<GatewayParts> {
  const redis = configuration.redis === null ? null : connectRedis(configuration.redis, logger);
  if (redis !== null) closers.push(() => redis.disconnect());
  const demo = new DemoServer({ clock: systemClock });
  await demo.start();
  closers.push(() => demo.stop());
  const metrics = new Metrics();
  metrics.collectProcessMetrics();
  return {
    configuration,
    clock: systemClock,
    logger,
    dataSource,
    redis,
    metrics,
    keyRing: KeyRing.parse(encryptionKeys),
    installationSecret: encryptionKeys,
    demoPort: Number(new URL(demo.origin).port),
    readiness: new Readiness(['access', 'upstreams']),
    traces: await openTracesOf(configuration, logger, metrics, closers),
  };
}

/** Closed after the drain: the spans of its calls are among those that are sent then. */
async function openTracesOf(configuration: Configuration, logger: WeirLogger, metrics: Metrics, closers: Closers): Promise<Traces | null> {
  const traces = await startTraces(configuration, logger, metrics);
  if (traces !== null) closers.push(() => traces.close(Math.min(FLUSH_TIMEOUT_MS, configuration.shutdownTimeoutMs)));
  return traces;
}

/** Fills the snapshots and keeps them at what the database says. */
async function followChanges(application: NestExpressApplication, url: string, parts: GatewayParts, closers: Closers): Promise<void> {
  const feed = new ChangeFeed({ url, clock: parts.clock, logger: parts.logger });
  const access = application.get(AccessSnapshot);
  const { takeChanges } = application.get(PoolRefresher);
  feed.subscribe((changes) => access.apply(changes));
  feed.subscribe(takeChanges);
  closers.push(() => feed.stop());
  await feed.start();
  parts.metrics.observe('weir_proxy_keys', 'Keys of callers in memory.', () => access.size);
  parts.metrics.observe('weir_snapshot_fresh', '1 while what is in memory is some seconds old at most.', () => (feed.isFresh ? 1 : 0));
  parts.readiness.snapshotLoaded('access');
  parts.readiness.snapshotLoaded('upstreams');
}

/**
 * What processes that died have left is stored and settled before the first request is admitted: a
 * budget that nobody has counted yet is counted from the ledger.
 */
async function recoverMeter(application: NestExpressApplication, { redis, logger }: GatewayParts): Promise<void> {
  const meter = application.get(Meter);
  const writer = application.get(LedgerWriter);
  if (redis !== null) writer.tellLanded((requestId) => meter.landed(requestId));
  await writer.recover(async (calls) => {
    await Promise.all(calls.map((call) => meter.settleRecovered(call)));
  });
  if (redis !== null) return;
  const windows = await meter.preloadDayWindows();
  if (windows > 0) logger.info({ rows: windows }, 'counted the windows of a day from the ledger');
}

async function listen(application: NestExpressApplication, configuration: Configuration, { logger, metrics, readiness }: GatewayParts, closers: Closers): Promise<void> {
  const express = application.getHttpAdapter().getInstance() as Express;
  const road = application.get<Road>(ROAD);
  const listener = new DataPlaneListener(road, express);
  const dataPlane = new DataPlaneServer((request, response) => listener.handle(request, response), road.clock);
  const runner = new MeshRunner({ road, logger });
  const admin = createServer(express);
  const breakers = new BreakerGauges(metrics, road.pool);
  const scrapes = createServer((request, response) => {
    answerScrape(metrics, breakers, request.url ?? '').then(
      ({ status, headers, body }) => response.writeHead(status, headers).end(body),
      // A gauge that cannot be read must not end the process.
      () => response.writeHead(500).end(),
    );
  });
  closers.push(() => road.watchdog.close());
  closers.push(() => closeServer(scrapes), () => closeServer(admin));
  await listenOn(scrapes, configuration.metricsPort, configuration.metricsHost, 'METRICS_PORT');
  await listenOn(admin, configuration.adminPort, configuration.adminHost, 'ADMIN_PORT');
  closers.push(async () => {
    readiness.drain();
    runner.takeNoMore();
    await dataPlane.drain(configuration.shutdownTimeoutMs);
    // What was cut is settled only after its socket's end is heard of.
    await listener.whenIdle(SETTLE_TIMEOUT_MS);
    await runner.stop(SETTLE_TIMEOUT_MS);
    await road.meter.whenSettled(SETTLE_TIMEOUT_MS);
  });
  await dataPlane.listen(configuration.port, configuration.host).catch((error: unknown) => {
    throw toListenError(error, 'PORT', configuration.port);
  });
  runner.start();
}

type Express = (request: IncomingMessage, response: ServerResponse) => void;

async function answerScrape(metrics: Metrics, breakers: BreakerGauges, url: string): Promise<{ status: number; headers: Record<string, string>; body: string }> {
  if (url.split('?', 1)[0] !== '/metrics') return { status: 404, headers: { 'content-type': 'text/plain' }, body: 'The metrics are at /metrics.\n' };
  breakers.show();
  const { contentType, body } = await metrics.scrape();
  return { status: 200, headers: { 'content-type': contentType }, body };
}

function listenOn(server: Server, port: number, host: string, variable: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(toListenError(error, variable, port)));
    server.listen(port, host, () => resolve());
  });
}

function toListenError(error: unknown, variable: string, port: number): Error {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : null;
  if (code === 'EADDRINUSE') return new ConfigurationError(`${variable}: port ${port} is in use by another process (ss -ltnp shows which); stop that, or set ${variable} to another port`);
  if (code === 'EACCES') return new ConfigurationError(`${variable}: this user may not listen on port ${port}; take one above 1023, and let Nginx have the others`);
  return error instanceof Error ? error : new Error('cannot listen');
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
