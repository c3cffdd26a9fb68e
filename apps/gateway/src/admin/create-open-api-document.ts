import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type OpenAPIObject } from '@nestjs/swagger';
import { AdminIdentities, ProxyKeys } from '@weir/access';
import { LedgerReader } from '@weir/ledger';
import { LimiterThrottlerStorage, Meter } from '@weir/limits';
import { CLOCK, CONFIGURATION, DATA_SOURCE } from '@weir/platform';
import { UpstreamPool } from '@weir/upstreams';
import { SealedTexts, UpstreamKeyVault } from '@weir/vault';
import { AdminModule } from './admin.module';
import { toOpenApiDocument } from './open-api-document';
import { SessionKey } from './session/session-key';

const NO_SECRET = 'only read, never signed with: no session is made';

/** What the control plane asks for by name, and in preview mode never gets to use. */
const providers = [
  CLOCK,
  CONFIGURATION,
  DATA_SOURCE,
  AdminIdentities,
  ProxyKeys,
  LedgerReader,
  LimiterThrottlerStorage,
  Meter,
  UpstreamPool,
  SealedTexts,
  UpstreamKeyVault,
].map((provide) => ({ provide, useValue: null }));

@Global()
@Module({ providers, exports: providers.map(({ provide }) => provide) })
class NothingModule {}

/** The document without a database or anything else: in preview mode Nest makes none of the classes. */
export async function createOpenApiDocument(): Promise<OpenAPIObject> {
  const root = AdminModule.forRoot({ imports: [NothingModule], sessionKey: SessionKey.derive(NO_SECRET) });
  const app = await NestFactory.create(root, { preview: true, logger: false, abortOnError: false });
  return toOpenApiDocument(app);
}
