import { respond } from '@weir/testing';
import { chatUntil, repeat } from './support/chat';
import { statuses, usePoolScene } from './support/pool-scene';
import { waitFor } from './support/wait-for';

describe('keys of a provider', () => {
  const pool = usePoolScene();
  const { simulator } = pool;

  it('one of three keys revoked at the provider costs the caller nothing', async () => {
    const { model, upstreamId, keyIds, secrets } = await pool.makeModel(3);
    simulator.forKey(secrets[1], respond.openAiError('invalid_api_key'));
    expect(statuses(await repeat(50, () => pool.chat(model)))).toEqual([200]);
    const revoked = await pool.waitForKeyStatus(upstreamId, keyIds[1], 'disabled');
    expect(revoked.failure_count).toBeGreaterThanOrEqual(1);
    expect(revoked.last_failure_at).toEqual(expect.any(String));
    expect(JSON.stringify(revoked)).not.toContain(secrets[1]);
    // From now on it is not even tried, and the other two share the load.
    simulator.calls.length = 0;
    expect(statuses(await pool.chatInTurn(10, model))).toEqual([200]);
    expect(secrets.map(pool.callsOf)).toEqual([5, 0, 5]);
    expect(await pool.upstreamKey(upstreamId, keyIds[0])).toMatchObject({ status: 'active', failure_count: 0 });
    expect(await pool.weir.admin('GET', `/upstreams/${upstreamId}`)).toMatchObject({ state: { breaker: 'closed', keys: { active: 2, disabled: 1 } } });
  });

  it('six of ten keys revoked cost the caller nothing either, and each is asked once', async () => {
    const { model, upstreamId, keyIds, secrets } = await pool.makeModel(10);
    for (const secret of secrets.slice(0, 6)) simulator.forKey(secret, respond.openAiError('invalid_api_key'));
    expect(statuses(await pool.chatInTurn(20, model))).toEqual([200]);
    expect(secrets.slice(0, 6).map(pool.callsOf)).toEqual([1, 1, 1, 1, 1, 1]);
    for (const keyId of keyIds.slice(0, 6)) {
      expect(await pool.waitForKeyStatus(upstreamId, keyId, 'disabled')).toMatchObject({ failure_count: 1 });
    }
  });

  it('takes a key back when an admin enables it again', async () => {
    const { model, upstreamId, keyIds, secrets } = await pool.makeModel(2);
    simulator.forKey(secrets[0], respond.openAiError('invalid_api_key'), respond.echo());
    expect(statuses(await pool.chatInTurn(4, model))).toEqual([200]);
    await pool.waitForKeyStatus(upstreamId, keyIds[0], 'disabled');
    const view = await pool.weir.admin('PATCH', `/upstreams/${upstreamId}/keys/${keyIds[0]}`, { enabled: true });
    expect(view).toMatchObject({ status: 'active', failure_count: 0 });
    simulator.calls.length = 0;
    await waitFor(async () => (await pool.chat(model)).status === 200 && pool.callsOf(secrets[0]) > 0, { what: 'a call with the key' });
    expect(await pool.upstreamKey(upstreamId, keyIds[0])).toMatchObject({ status: 'active', failure_count: 0 });
  });

  it('all keys revoked: 503 that names no key, and no further call to the provider', async () => {
    const { model, secrets } = await pool.makeModel(2);
    for (const secret of secrets) simulator.forKey(secret, respond.openAiError('invalid_api_key'));
    const answer = await pool.chat(model);
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'no_upstream_available' } } });
    expect(answer.text).not.toContain('sk-');
    expect((await pool.chat(model)).status).toBe(503);
    expect(simulator.calls).toHaveLength(2);
  });

  it('a throttled key cools for the throttled model alone, and another key takes over', async () => {
    const { model, upstreamId, keyIds, secrets } = await pool.makeModel(2);
    const sibling = pool.nextName();
    await pool.offer(sibling, [upstreamId]);
    simulator.forKey(secrets[0], respond.rateLimited({ retryAfterSeconds: 30 }), respond.echo());
    expect(statuses(await pool.chatInTurn(6, model))).toEqual([200]);
    expect(secrets.map(pool.callsOf)).toEqual([1, 6]);
    const cooling = await pool.waitForKeyStatus(upstreamId, keyIds[0], 'cooling');
    expect(cooling.failure_count).toBe(0);
    expect(Date.parse(cooling.status_until) - Date.now()).toBeGreaterThan(20_000);
    expect(Date.parse(cooling.status_until) - Date.now()).toBeLessThanOrEqual(30_000);
    simulator.calls.length = 0;
    expect(statuses(await pool.chatInTurn(4, sibling))).toEqual([200]);
    expect(secrets.map(pool.callsOf)).toEqual([2, 2]);
  });

  it('all keys throttled: 503 with the time of the first that is free again, and works from then on', async () => {
    const { model, secrets } = await pool.makeModel(2);
    simulator.forKey(secrets[0], respond.rateLimited({ retryAfterMs: 30_000 }));
    simulator.forKey(secrets[1], respond.rateLimited({ retryAfterMs: 600 }), respond.echo());
    const answer = await pool.chat(model);
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'no_upstream_available', type: 'server_error' } } });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(Number(answer.headers.get('retry-after-ms'))).toBeGreaterThan(0);
    expect(Number(answer.headers.get('retry-after-ms'))).toBeLessThanOrEqual(600);
    expect(answer.headers.get('x-should-retry')).toBeNull();
    await chatUntil(pool.weir, pool.key, model, 200);
    expect(secrets.map(pool.callsOf)).toEqual([1, 2]);
  });

  it('parks a key whose quota is used up, and says until when if there is no other', async () => {
    const { model, upstreamId, keyIds, secrets } = await pool.makeModel(2);
    simulator.forKey(secrets[0], respond.openAiError('insufficient_quota'));
    expect(statuses(await pool.chatInTurn(6, model))).toEqual([200]);
    expect(secrets.map(pool.callsOf)).toEqual([1, 6]);
    const parked = await pool.waitForKeyStatus(upstreamId, keyIds[0], 'exhausted');
    expect(parked.failure_count).toBe(1);
    expect(Date.parse(parked.status_until) - Date.now()).toBeGreaterThan(3_500_000);
    simulator.forKey(secrets[1], respond.openAiError('insufficient_quota'));
    const answer = await pool.chat(model);
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'no_upstream_available' } } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(3_500);
  });

  it('a deleted key is not used any more', async () => {
    const { model, upstreamId, keyIds, secrets } = await pool.makeModel(2);
    expect(statuses(await pool.chatInTurn(4, model))).toEqual([200]);
    await pool.weir.admin('DELETE', `/upstreams/${upstreamId}/keys/${keyIds[0]}`);
    await waitFor(async () => {
      simulator.calls.length = 0;
      return statuses(await pool.chatInTurn(4, model)).includes(200) && pool.callsOf(secrets[0]) === 0;
    });
    await pool.weir.admin('DELETE', `/upstreams/${upstreamId}/keys/${keyIds[1]}`);
    const answer = await chatUntil(pool.weir, pool.key, model, 503);
    expect(answer.body.error.code).toBe('no_upstream_available');
  });

  it('another secret is used without a restart, and what was held against the old one is forgotten', async () => {
    const { model, upstreamId, keyIds, secrets } = await pool.makeModel(1);
    simulator.forKey(secrets[0], respond.openAiError('invalid_api_key'));
    expect((await pool.chat(model)).status).toBe(503);
    await pool.waitForKeyStatus(upstreamId, keyIds[0], 'disabled');
    await pool.weir.admin('PATCH', `/upstreams/${upstreamId}/keys/${keyIds[0]}`, { secret: 'sk-the-next-secret' });
    await chatUntil(pool.weir, pool.key, model, 200);
    simulator.calls.length = 0;
    expect(statuses(await pool.chatInTurn(3, model))).toEqual([200]);
    expect(simulator.calls.map((call) => call.key)).toEqual(['sk-the-next-secret', 'sk-the-next-secret', 'sk-the-next-secret']);
    expect(await pool.upstreamKey(upstreamId, keyIds[0])).toMatchObject({ status: 'active', failure_count: 0 });
  });
});
