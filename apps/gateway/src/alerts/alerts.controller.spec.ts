import { newId, type OrganizationId, toBudgetSpan, type UserId, uuidV7 } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { insertRow } from '@weir/testing';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres';
import { type AdminPrincipal } from '../admin/access/admin-principal';
import { AlertStore } from './alert-store';
import { AlertsController } from './alerts.controller';
import { BudgetAlertEntity } from './budget-alert.entity';

const AT_MS = Date.UTC(2026, 10, 21, 12);

let database: TestDatabase;
let dataSource: DataSource;
let ours: OrganizationId;
let theirs: OrganizationId;

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = createDataSource(database.url, 2, [BudgetAlertEntity]);
  await dataSource.initialize();
  [ours, theirs] = await Promise.all([insertRow.organization(dataSource), insertRow.organization(dataSource)]);
  const store = new AlertStore(dataSource);
  for (const organizationId of [ours, theirs]) {
    for (const percent of [50, 80, 100]) {
      const span = toBudgetSpan('total', AT_MS);
      const budget = { scope: 'organization', subject: organizationId, model: null, period: 'total', span, resetAtMs: null, limit: 2_000_000_001, alerts: [] } as const;
      await store.insert({ id: uuidV7(AT_MS + percent), organizationId, budget, percent, spentNanos: percent * 20_000_000, heldNanos: 1, atMs: AT_MS });
    }
  }
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

function principal(role: AdminPrincipal['role'], organizationId: OrganizationId | null): AdminPrincipal {
  return { userId: newId<UserId>(), username: 'u', role, organizationId } as AdminPrincipal;
}

describe('GET /admin/alerts', () => {
  it('shows what was told, newest first, page by page', async () => {
    const controller = new AlertsController(dataSource);
    const first = await controller.list(principal('owner', null), { organization_id: ours, limit: 2 });
    expect(first.data.map(({ percent }) => percent)).toEqual([100, 80]);
    expect(first.has_more).toBe(true);
    const second = await controller.list(principal('owner', null), { organization_id: ours, limit: 2, cursor: first.next_cursor ?? undefined });
    expect(second.data).toEqual([
      {
        object: 'budget_alert',
        id: expect.any(String),
        at: '2026-11-21T12:00:00.000Z',
        organization_id: ours,
        scope: 'organization',
        subject_id: ours,
        model: null,
        period: 'total',
        span_from: '1970-01-01T00:00:00.000Z',
        span_to: null,
        percent: 50,
        amount_usd: '2.000000001',
        spent_usd: '1',
        held_usd: '0.000000001',
        delivery: 'none',
        attempts: 0,
        next_attempt_at: null,
        delivered_at: null,
        last_status: null,
        last_error: null,
      },
    ]);
  });

  it('shows nobody the alerts of another organization', async () => {
    const controller = new AlertsController(dataSource);
    const organizationsOf = async (of: AdminPrincipal, query: { organization_id?: string; subject_id?: string } = {}): Promise<string[]> => {
      const { data } = await controller.list(of, query);
      return [...new Set(data.map(({ organization_id }) => organization_id))];
    };
    expect(await organizationsOf(principal('viewer', ours))).toEqual([ours]);
    expect(await organizationsOf(principal('admin', ours), { organization_id: theirs })).toEqual([]);
    expect(await organizationsOf(principal('admin', ours), { subject_id: theirs })).toEqual([]);
    expect((await organizationsOf(principal('owner', null))).toSorted()).toEqual([ours, theirs].toSorted());
  });
});
