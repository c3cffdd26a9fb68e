import { type Caller } from '@weir/access';
import { type Clock, type ProxyKeyId } from '@weir/kernel';
import { type LedgerWriter } from '@weir/ledger';
import { type Meter } from '@weir/limits';
import { type Configuration, type Metrics } from '@weir/platform';
import { type UpstreamPool, type UpstreamTransport } from '@weir/upstreams';
import { type Voices } from '@weir/voices';
import { type UpstreamLatencies } from '../health/upstream-latencies';
import { type CallPlans } from './call-plans';
import { type Idempotency } from './idempotency/idempotency';
import { type Meshes } from './meshes/meshes';
import { type UploadFolder } from './multipart/upload-folder';
import { type RequestLog } from './request-log';
import { type RoutePrices } from './route-prices';
import { type RouteTable } from './route-table';
import { type CallTracer } from './traces/call-tracer';
import { type Watchdog } from './watchdog';

/** Nest hands out the road under this name. */
export const ROAD = Symbol('ROAD');

/** Everything that the road of a request touches. Made once, by the composition root. */
export interface Road {
  readonly configuration: Pick<
    Configuration,
    'maxBodyBytes' | 'maxUploadBytes' | 'requestTimeoutMs' | 'streamTimeoutMs' | 'corsOrigins' | 'abortedCallCharge'
  >;
  readonly clock: Clock;
  readonly routes: RouteTable;
  /** @throws WeirError invalid_api_key, key_expired or permission_denied */
  readonly authenticate: (presentedKey: string, nowMs: number) => Caller;
  /** Who a key belongs to that was presented before; null when it is not known here. @throws as `authenticate` */
  readonly findCaller: (keyId: ProxyKeyId, nowMs: number) => Caller | null;
  readonly meter: Meter;
  readonly plans: CallPlans;
  readonly prices: RoutePrices;
  readonly idempotency: Idempotency;
  readonly pool: UpstreamPool;
  readonly transport: UpstreamTransport;
  readonly ledger: LedgerWriter;
  readonly metrics: Metrics;
  /** Null where there are none. */
  readonly traces: CallTracer | null;
  readonly latencies: UpstreamLatencies;
  readonly requestLog: RequestLog;
  readonly watchdog: Watchdog;
  readonly voices: Voices;
  readonly meshes: Meshes;
  /** Where uploads are kept while they are sent on. */
  readonly uploads: UploadFolder;
}
