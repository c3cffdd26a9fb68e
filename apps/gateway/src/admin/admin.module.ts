import { type DynamicModule, Module, type ModuleMetadata, type OnModuleInit, type Type } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import { type Clock } from '@weir/kernel';
import { LimiterThrottlerStorage } from '@weir/limits';
import { CLOCK } from '@weir/platform';
import { AlertsController } from '../alerts/alerts.controller';
import { AdminAuthenticator } from './access/admin-authenticator';
import { getAdminRoutes } from './access/get-admin-routes';
import { SessionHolders } from './access/session-holders';
import { AuditController } from './audit/audit.controller';
import { AuditedTransactions } from './audit/audited-transactions';
import { Keys } from './keys/keys';
import { KeysController } from './keys/keys.controller';
import { LimitsController } from './limits/limits.controller';
import { Models } from './models/models';
import { ModelsController } from './models/models.controller';
import { AlertWebhooks } from './organizations/alert-webhooks';
import { AlertWebhooksController } from './organizations/alert-webhooks.controller';
import { Organizations } from './organizations/organizations';
import { OrganizationsController } from './organizations/organizations.controller';
import { Projects } from './projects/projects';
import { ProjectsController } from './projects/projects.controller';
import { SessionController } from './session/session.controller';
import { SessionKey } from './session/session-key';
import { SessionTokens } from './session/session-tokens';
import { toThrottlerOptions } from './throttling/admin-throttler.guard';
import { UpstreamKeys } from './upstreams/upstream-keys';
import { UpstreamKeysController } from './upstreams/upstream-keys.controller';
import { Upstreams } from './upstreams/upstreams';
import { UpstreamsController } from './upstreams/upstreams.controller';
import { OpenAiUsageController } from './usage/open-ai-usage.controller';
import { RequestsController } from './usage/requests.controller';
import { UsageController } from './usage/usage.controller';
import { UserKeys } from './users/user-keys';
import { UserKeysController } from './users/user-keys.controller';
import { Users } from './users/users';
import { UsersController } from './users/users.controller';

export const ADMIN_CONTROLLERS: readonly Type[] = [
  SessionController,
  OrganizationsController,
  AlertWebhooksController,
  ProjectsController,
  UsersController,
  UserKeysController,
  KeysController,
  UpstreamsController,
  UpstreamKeysController,
  ModelsController,
  LimitsController,
  AlertsController,
  UsageController,
  RequestsController,
  OpenAiUsageController,
  AuditController,
];

export interface AdminModuleOptions {
  /** Modules that hand out what is not global: AccessModule, VaultModule and LedgerModule. */
  readonly imports: NonNullable<ModuleMetadata['imports']>;
  /** Made from the installation's secret by `SessionKey.derive`. */
  readonly sessionKey: SessionKey;
}

/** The control plane. Call `configureControlPlane` on the application that holds it. */
@Module({})
export class AdminModule implements OnModuleInit {
  static forRoot({ imports, sessionKey }: AdminModuleOptions): DynamicModule {
    return {
      module: AdminModule,
      imports: [
        ...imports,
        ThrottlerModule.forRootAsync({ inject: [LimiterThrottlerStorage], useFactory: toThrottlerOptions }),
      ],
      controllers: [...ADMIN_CONTROLLERS],
      providers: [
        { provide: SessionKey, useValue: sessionKey },
        { provide: SessionTokens, inject: [SessionKey, CLOCK], useFactory: (key: SessionKey, clock: Clock) => new SessionTokens(key, clock) },
        SessionHolders,
        AdminAuthenticator,
        AuditedTransactions,
        Organizations,
        AlertWebhooks,
        Projects,
        Users,
        UserKeys,
        Keys,
        Upstreams,
        UpstreamKeys,
        Models,
      ],
      exports: [AdminAuthenticator],
    };
  }

  /** A route that nobody is asked for, or that no guard watches, must not be served. */
  onModuleInit(): void {
    getAdminRoutes(ADMIN_CONTROLLERS);
  }
}
