/**
 * upstreams owns the pool: which upstream and which of its keys takes a call, what their failures
 * mean, when they are tried again, and the only transport that opens outbound connections.
 */
export { type BaseUrl, BaseUrlError, parseBaseUrl } from './base-url';
export * from './model-target.entity';
export * from './model.entity';
export * from './pool-contract';
export { PoolRefresher } from './pool-refresher';
export * from './pool-snapshot';
export { type LoaderLog, type OpenKeys, SnapshotLoader } from './snapshot-loader';
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
