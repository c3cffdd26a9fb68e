import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import {
  AccessModule,
  AdminIdentities,
  AdminKeyEntity,
  OrganizationEntity,
  ProjectEntity,
  ProxyKeyEntity,
  UserEntity,
} from '@weir/access';
import { type Clock, type OrganizationId, newId, type UserId } from '@weir/kernel';
import { LedgerModule } from '@weir/ledger';
import { LimitsModule } from '@weir/limits';
import { type Configuration, createDataSource, createLogger, loadConfiguration, LogDestination, Metrics, PlatformModule } from '@weir/platform';
import { ModelEntity, ModelTargetEntity, PoolRefresher, UpstreamEntity, UpstreamsModule } from '@weir/upstreams';
import { KeyRing, UpstreamKeyEntity, UpstreamKeyVault, VaultModule } from '@weir/vault';
import { type Redis } from 'ioredis';
import { type DataSource } from 'typeorm';
import { BudgetAlertEntity } from '../../apps/gateway/src/alerts/budget-alert.entity';
import { AdminModule } from '../../apps/gateway/src/admin/admin.module';
import { AuditRecordEntity } from '../../apps/gateway/src/admin/audit/audit-record.entity';
import { configureControlPlane } from '../../apps/gateway/src/admin/configure-control-plane';
import { SessionKey } from '../../apps/gateway/src/admin/session/session-key';
import { HealthModule } from '../../apps/gateway/src/health/health.module';
import { Readiness } from '../../apps/gateway/src/health/readiness';
import { UpstreamLatencies } from '../../apps/gateway/src/health/upstream-latencies';
import { createTestDatabase, type TestDatabase } from './postgres';

const ENTITIES = [
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

/** Whatever an answer held: a test says what it expects of it. */
export type JsonValue = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The parsed body; undefined when it is no JSON. */
  readonly body: JsonValue;
}

export interface Call {
  readonly key?: string;
  readonly headers?: Record<string, string>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, as application/json unless the headers say otherwise. */
  readonly raw?: string | Buffer;
}

/** A clock that stands wherever a test puts it. */
export class ShiftedClock implements Clock {
  shiftMs = 0;
  nowMs = (): number => Date.now() + this.shiftMs;
  monotonicMs = (): number => performance.now() + this.shiftMs;
}

export interface ControlPlaneOptions {
  readonly environment?: Record<string, string>;
  readonly redis?: Redis | null;
  /** For a test that takes the database away; otherwise one of its own is made. */
  readonly database?: { readonly url: string };
}

/** A whole control plane over a real database, with an owner. */
export class ControlPlane {
  readonly ownerKey: string;

  private constructor(
    readonly app: NestExpressApplication,
    readonly dataSource: DataSource,
    readonly database: TestDatabase | null,
    readonly clock: ShiftedClock,
    readonly readiness: Readiness,
    readonly latencies: UpstreamLatencies,
    readonly logLines: string[],
    readonly port: number,
    owner: string,
  ) {
    this.ownerKey = owner;
  }

  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const database = options.database === undefined ? await createTestDatabase() : null;
    const dataSource = createDataSource((options.database ?? database!).url, 4, ENTITIES);
    await dataSource.initialize();
    const clock = new ShiftedClock();
    const logLines: string[] = [];
    const readiness = new Readiness(['access', 'upstreams']);
    const latencies = new UpstreamLatencies();
    const app = await createApp({ options, dataSource, clock, logLines, readiness, latencies });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const admin = await app.get(AdminIdentities).createAdmin({ username: 'root', email: null, newKey: true });
    return new ControlPlane(app, dataSource, database, clock, readiness, latencies, logLines, port, admin.issued!.key.expose());
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.dataSource.destroy();
    await this.database?.drop();
  }

  call(method: string, path: string, call: Call = {}): Promise<Answer> {
    const payload = call.raw ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
    const headers: Record<string, string> = {
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...(call.key === undefined ? {} : { authorization: `Bearer ${call.key}` }),
      ...call.headers,
    };
    return new Promise((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port: this.port, method, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve(toAnswer(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString())));
      });
      request.on('error', reject);
      request.end(payload);
    });
  }

  /** As the owner. */
  owner(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.call(method, path, { key: this.ownerKey, body });
  }

  /** An organization with an admin and a viewer, and a key for each. */
  async addOrganization(name: string): Promise<{ id: OrganizationId; adminId: UserId; adminKey: string; viewerKey: string }> {
    const id = newId<OrganizationId>();
    await this.dataSource.getRepository(OrganizationEntity).insert({ id, name });
    const admin = await this.addUser(`${name}-admin`, 'admin', id);
    const viewer = await this.addUser(`${name}-viewer`, 'viewer', id);
    return { id, adminId: admin.id, adminKey: admin.key, viewerKey: viewer.key };
  }

  async addUser(username: string, role: 'owner' | 'admin' | 'viewer', organizationId: OrganizationId | null): Promise<{ id: UserId; key: string }> {
    const id = newId<UserId>();
    await this.dataSource.getRepository(UserEntity).insert({ id, username, role, organizationId });
    const { key } = await this.app.get(AdminIdentities).issueKey(id);
    return { id, key: key.expose() };
  }

  /** Reads the database into the pool, as the change feed would. */
  async refreshPool(): Promise<void> {
    await this.app.get(PoolRefresher).takeChanges('everything');
  }

  /** Forgets what this process believes of admins for a second. */
  passSecond(): void {
    this.clock.shiftMs += 1_500;
  }
}

interface AppParts {
  options: ControlPlaneOptions;
  dataSource: DataSource;
  clock: Clock;
  logLines: string[];
  readiness: Readiness;
  latencies: UpstreamLatencies;
}

async function createApp({ options, dataSource, clock, logLines, readiness, latencies }: AppParts): Promise<NestExpressApplication> {
  const configuration: Configuration = loadConfiguration({ ENCRYPTION_KEY: 'ab'.repeat(32), ...options.environment });
  const logger = createLogger({ ...configuration.log, level: 'debug' }, new LogDestination({ ...configuration.log, file: null }, (text) => logLines.push(text)));
  const vault = VaultModule.forRoot(KeyRing.parse(`k1:${'ab'.repeat(32)}`));
  const adminModule = AdminModule.forRoot({
    imports: [AccessModule, vault, LedgerModule],
    sessionKey: SessionKey.derive('an installation secret of the tests'),
  });
  const root = {
    module: class TestRoot {},
    imports: [
      PlatformModule.forRoot({ configuration, clock, logger, dataSource, redis: options.redis ?? null, metrics: new Metrics() }),
      AccessModule,
      vault,
      LimitsModule.forRoot({ redis: null, clock }),
      LedgerModule,
      UpstreamsModule.forRootAsync({
        imports: [vault],
        inject: [UpstreamKeyVault],
        useFactory: (keys: UpstreamKeyVault) => ({
          openKeys: (origins) =>
            keys.openAll(origins, (error) => {
              throw error;
            }),
          sink: { keyChanged: () => undefined },
        }),
      }),
      adminModule,
      HealthModule.forRoot({ adminModule, readiness, latencies }),
    ],
  };
  const app = await NestFactory.create<NestExpressApplication>(root, { bodyParser: false, abortOnError: false, logger: false });
  configureControlPlane(app, configuration, logger);
  return app;
}

function toAnswer(status: number, headers: IncomingHttpHeaders, text: string): Answer {
  try {
    return { status, headers, text, body: JSON.parse(text) };
  } catch {
    return { status, headers, text, body: undefined };
  }
}
