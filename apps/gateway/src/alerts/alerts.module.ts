import { type DynamicModule, Inject, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Clock, type OrganizationId } from '@weir/kernel';
import { CLOCK, DATA_SOURCE, LOGGER, Metrics } from '@weir/platform';
import { type KeyRing, SealedTexts } from '@weir/vault';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { findAlertWebhook } from '../admin/organizations/find-alert-webhook';
import { AlertDeliveries } from './alert-deliveries';
import { AlertStore } from './alert-store';
import { BudgetAlerts } from './budget-alerts';
import { WebhookSender } from './webhook-sender';

/** Needs PlatformModule. It is closed when the data plane has drained, and before the data source is. */
@Module({})
export class AlertsModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(BudgetAlerts) private readonly alerts: BudgetAlerts,
    @Inject(AlertDeliveries) private readonly deliveries: AlertDeliveries,
  ) {}

  static forRoot(ring: KeyRing): DynamicModule {
    const texts = new SealedTexts(ring);
    const store = { provide: AlertStore, inject: [DATA_SOURCE], useFactory: (dataSource: DataSource) => new AlertStore(dataSource) };
    const deliveries = {
      provide: AlertDeliveries,
      inject: [AlertStore, DATA_SOURCE, CLOCK, LOGGER, Metrics],
      useFactory: (alerts: AlertStore, dataSource: DataSource, clock: Clock, logger: Logger, metrics: Metrics) => {
        const findWebhook = (organizationId: OrganizationId) => findAlertWebhook(dataSource.manager, texts, organizationId);
        return new AlertDeliveries({ store: alerts, sender: new WebhookSender(), findWebhook, clock, logger, metrics });
      },
    };
    const alerts = {
      provide: BudgetAlerts,
      inject: [AlertStore, AlertDeliveries, CLOCK, LOGGER, Metrics],
      useFactory: (alertStore: AlertStore, queue: AlertDeliveries, clock: Clock, logger: Logger, metrics: Metrics) =>
        new BudgetAlerts({ store: alertStore, clock, logger, metrics, onQueued: () => queue.wake() }),
    };
    return { module: AlertsModule, providers: [store, deliveries, alerts], exports: [BudgetAlerts] };
  }

  onApplicationBootstrap(): void {
    this.alerts.start();
    this.deliveries.wake();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.alerts.close();
    await this.deliveries.close();
  }
}
