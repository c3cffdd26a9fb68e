/**
 * upstreams owns the pool: which upstream and which of its keys takes a call, what their failures
 * mean, when they are tried again, and the only transport that opens outbound connections.
 */
export { type BaseUrl, BaseUrlError, parseBaseUrl } from './base-url';
export { HealthProber } from './health-prober';
export * from './model-target.entity';
export * from './model.entity';
export * from './pool-contract';
export { type PoolJoints } from './pool-joints';
export { PoolRefresher } from './pool-refresher';
export * from './pool-snapshot';
export {
  isProbePath,
  PROBE_INTERVAL_MAX_MS,
  PROBE_INTERVAL_MIN_MS,
  QUEUE_LENGTH_MAX,
  QUEUE_TIMEOUT_MAX_MS,
} from './routing-options';
export { type LoaderLog, type OpenKeys, SnapshotLoader } from './snapshot-loader';
export { AFFINITIES, type Affinity, STRATEGIES, type Strategy } from './strategy';
export { toProxyNames } from './to-proxy-models';
export { toUpstreamModel } from './to-upstream-model';
export { AttemptAbortedError, type AttemptPhase, toFailureClass, type TransportFailure } from './transport-failure';
export { UpstreamPool, type UpstreamPoolOptions } from './upstream-pool';
export {
  type TransportController,
  type TransportHandler,
  UpstreamTransport,
  type UpstreamTransportOptions,
} from './upstream-transport';
export * from './upstream.entity';
export { UpstreamsModule, type UpstreamsModuleAsyncOptions, type UpstreamsModuleOptions } from './upstreams.module';
