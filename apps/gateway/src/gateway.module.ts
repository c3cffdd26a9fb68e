import { join } from 'node:path';
import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { AccessModule, AccessSnapshot, AdminKeyEntity, OrganizationEntity, ProjectEntity, ProxyKeyEntity, UserEntity } from '@weir/access';
import { type Clock } from '@weir/kernel';
import { LedgerModule, LedgerWriter, PriceTable, UsageRollups } from '@weir/ledger';
import { LimitsModule, type LimitsModuleOptions, Meter } from '@weir/limits';
import { CLOCK, CONFIGURATION, type Configuration, LOGGER, Metrics, PlatformModule, type PlatformParts, type Traces, type WeirLogger } from '@weir/platform';
import { ModelEntity, ModelTargetEntity, UpstreamEntity, UpstreamPool, UpstreamsModule, UpstreamTransport } from '@weir/upstreams';
import { type KeyRing, UpstreamKeyEntity, UpstreamKeyVault, VaultModule } from '@weir/vault';
import { Voices, VoicesModule } from '@weir/voices';
import { type Logger } from 'pino';
import { AdminModule } from './admin/admin.module';
import { AuditRecordEntity } from './admin/audit/audit-record.entity';
import { AlertsModule } from './alerts/alerts.module';
import { BudgetAlertEntity } from './alerts/budget-alert.entity';
import { BudgetAlerts } from './alerts/budget-alerts';
import { CallPlans } from './data-plane/call-plans';
import { Idempotency } from './data-plane/idempotency/idempotency';
import { IdempotencyModule } from './data-plane/idempotency/idempotency.module';
import { Meshes } from './data-plane/meshes/meshes';
import { MeshesModule } from './data-plane/meshes/meshes.module';
import { RequestLog } from './data-plane/request-log';
import { ROAD, type Road } from './data-plane/road';
import { RoutePrices } from './data-plane/route-prices';
import { UploadFolder } from './data-plane/multipart/upload-folder';
import { RouteTable } from './data-plane/route-table';
import { CallTraces } from './data-plane/traces/call-traces';
import { Watchdog } from './data-plane/watchdog';
import { SessionKey } from './admin/session/session-key';
import { HealthModule } from './health/health.module';
import { type Readiness } from './health/readiness';
import { UpstreamLatencies } from './health/upstream-latencies';
import { LedgerBudgetSource, LedgerWindowSource } from './meter-sources';
import { DEMO_HOST } from './setup/first-start';
import { StoredPoolState } from './stored-pool-state';

/** Every table that the control plane writes. */
export const ENTITIES = [
  OrganizationEntity,
  ProjectEntity,
  UserEntity,
  AdminKeyEntity,
  ProxyKeyEntity,
  UpstreamEntity,
  UpstreamKeyEntity,
  ModelEntity,
  ModelTargetEntity,
  AuditRecordEntity,
  BudgetAlertEntity,
];

export interface GatewayParts extends PlatformParts {
  readonly keyRing: KeyRing;
  /** Signs the console's sessions; derived from, never equal to, the encryption keys. */
  readonly installationSecret: string;
  /** Where `demo.weir.internal` listens in this process. */
  readonly demoPort: number;
  readonly readiness: Readiness;
  /** Null where there are none. */
  readonly traces: Traces | null;
}

/** The only place where the libs meet. */
@Module({})
export class GatewayModule {
  static forRoot(parts: GatewayParts): DynamicModule {
    const vault = VaultModule.forRoot(parts.keyRing);
    const upstreams = joinUpstreamsWithVault(vault, parts);
    const alerts = AlertsModule.forRoot(parts.keyRing);
    const idempotency = IdempotencyModule.forRoot(parts.keyRing, parts.configuration.dependencyTimeoutMs);
    const latencies = new UpstreamLatencies();
    const adminModule = AdminModule.forRoot({
      imports: [AccessModule, vault, LedgerModule],
      sessionKey: SessionKey.derive(parts.installationSecret),
    });
    return {
      module: GatewayModule,
      imports: [
        PlatformModule.forRoot(parts),
        AccessModule,
        vault,
        LedgerModule,
        upstreams,
        alerts,
        idempotency,
        VoicesModule.forRoot(),
        MeshesModule.forRoot(parts.keyRing),
        joinMeter([LedgerModule, upstreams, alerts], parts),
        adminModule,
        HealthModule.forRoot({ adminModule, readiness: parts.readiness, latencies }),
      ],
      providers: [
        {
          provide: ROAD,
          inject: [CONFIGURATION, CLOCK, LOGGER, Metrics, AccessSnapshot, Meter, UpstreamPool, UpstreamTransport, LedgerWriter, Idempotency, Voices, Meshes],
          useFactory: (...libs: RoadLibs) => toRoad(libs, latencies, parts.traces),
        },
      ],
      exports: [ROAD],
    };
  }
}

type RoadLibs = [Configuration, Clock, WeirLogger, Metrics, AccessSnapshot, Meter, UpstreamPool, UpstreamTransport, LedgerWriter, Idempotency, Voices, Meshes];

/** Only one process has a number of its own at a time: what is in its folder is of one that had it before. */
function openUploads({ dataDirectory }: Configuration): UploadFolder {
  return new UploadFolder(join(dataDirectory, 'uploads', String(process.pid)));
}

function toRoad(
  [configuration, clock, logger, metrics, access, meter, pool, transport, ledger, idempotency, voices, meshes]: RoadLibs,
  latencies: UpstreamLatencies,
  traces: Traces | null,
): Road {
  const prices = new RoutePrices(new PriceTable());
  pool.join({
    processCount: () => meter.shared?.processCount ?? 1,
    organizationWeight: (organizationId) => access.findQueueWeight(organizationId),
    priceOf: (route, target) => prices.findComparableNanos(route, target, clock.nowMs()),
  });
  return {
    configuration,
    clock,
    routes: new RouteTable({ embedModel: configuration.defaultEmbed, rerankModel: configuration.defaultRerank }),
    authenticate: (presentedKey, nowMs) => access.authenticate(presentedKey, nowMs),
    findCaller: (keyId, nowMs) => access.findCaller(keyId, nowMs),
    meter,
    plans: new CallPlans(configuration),
    prices,
    idempotency,
    pool,
    transport,
    ledger,
    metrics,
    traces: traces === null ? null : new CallTraces(traces),
    latencies,
    requestLog: new RequestLog(logger),
    watchdog: new Watchdog(() => clock.monotonicMs()),
    voices,
    meshes,
    uploads: openUploads(configuration),
  };
}

/** The pool gets its keys opened by the vault, and has the vault store what it learns of them. */
function joinUpstreamsWithVault(vaultModule: DynamicModule, { demoPort }: GatewayParts): DynamicModule {
  return UpstreamsModule.forRootAsync({
    imports: [vaultModule],
    inject: [UpstreamKeyVault, LOGGER],
    useFactory: (vault: UpstreamKeyVault, logger: Logger) => ({
      openKeys: (origins) => vault.openAll(origins, (error) => logger.error({ err: error }, 'an upstream key cannot be opened and is not used')),
      sink: new StoredPoolState(vault, logger),
      transport: { builtIns: new Map([[DEMO_HOST, demoPort]]) },
    }),
  });
}

/** The meter asks the ledger where a counter is missing, tells it when a hold is settled, and has alerts raised. */
function joinMeter(imports: NonNullable<ModuleMetadata['imports']>, parts: GatewayParts): DynamicModule {
  const { configuration, clock, redis } = parts;
  return LimitsModule.forRootAsync({
    imports,
    inject: [LedgerWriter, UsageRollups, UpstreamPool, BudgetAlerts],
    useFactory: (writer: LedgerWriter, rollups: UsageRollups, pool: UpstreamPool, alerts: BudgetAlerts): LimitsModuleOptions => {
      return {
        redis,
        clock,
        longestAdmissionMs: configuration.dependencyTimeoutMs,
        withoutRedis: {
          limits: configuration.limitsWithoutRedis,
          concurrency: configuration.concurrencyWithoutRedis,
          budgets: configuration.budgetsWithoutRedis,
        },
        budgetSource: new LedgerBudgetSource(writer, rollups),
        windowSource: new LedgerWindowSource(rollups, pool, clock),
        onAvailability: toAvailabilityLog(parts),
        tellsLanded: redis !== null,
        beforeSend: () => writer.writePending(),
        onSettled: (requestId) => writer.releaseHold(requestId),
        onBudget: (organizationId, limit, state) => alerts.noticeSpent(organizationId, limit, state),
      };
    },
  });
}

function toAvailabilityLog({ logger, metrics, redis }: GatewayParts): (available: boolean, reason: string) => void {
  let isShared = true;
  if (redis !== null) metrics.observe('weir_limiter_shared', '1 while limits are counted in Redis, 0 while Redis is away.', () => (isShared ? 1 : 0));
  return (available, reason) => {
    isShared = available;
    if (available) logger.info({ reason }, 'limits are shared through Redis again');
    else {
      logger.warn({ reason }, 'Redis does not answer: limits are kept by each process for itself');
      metrics.limiterFellBack();
    }
  };
}
