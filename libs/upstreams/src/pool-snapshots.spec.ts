import { Secret } from '@weir/kernel';
import { openedKey, openedKeys, PoolFixture, snapshot, upstream } from '../test/pool-fixture';
import { type OpenedKey } from './pool-snapshot';

/** One upstream whose key rows are rewritten as the database would show them. */
class Rows {
  readonly only = upstream();
  keys: OpenedKey[];
  readonly fixture: PoolFixture;
  #revision = 1;

  constructor(count: number, changes: Partial<OpenedKey> = {}) {
    this.keys = openedKeys(this.only, count).map((key) => ({ ...key, ...changes }));
    this.fixture = new PoolFixture(snapshot([this.only], this.keys), () => 0);
  }

  apply() {
    this.fixture.pool.apply(snapshot([this.only], this.keys));
  }

  write(changes: Partial<OpenedKey>, index = 0) {
    this.#revision += 1;
    this.keys = this.keys.map((key, at) => (at === index ? { ...key, revision: String(this.#revision), ...changes } : key));
    this.apply();
  }

  /** What was told last comes back, as the database stored it. */
  echo() {
    const last = this.fixture.told.at(-1)?.change;
    if (last === undefined) throw new Error('nothing was told');
    this.write({ status: last.status, statusReason: last.reason, statusUntilMs: last.untilMs, failureCount: last.failureCount });
  }

  get status() {
    return this.fixture.statuses()[0];
  }
}

describe('UpstreamPool.apply', () => {
  it('keeps breakers, cooling and counts of what stays', () => {
    const rows = new Rows(2);
    rows.fixture.call('throttled', 60_000);
    for (let index = 0; index < 4; index += 1) rows.fixture.call('fault');
    rows.apply();
    const [described] = rows.fixture.pool.describe();
    expect(described.keys.map(({ status, failureCount }) => [status, failureCount])).toEqual([['cooling', 0], ['active', 4]]);
    rows.fixture.call('fault');
    expect(rows.fixture.pool.describe()[0].breaker.state).toBe('open');
  });

  it('keeps the key object while its secret stays, so that others can keep what they work out for it', () => {
    const rows = new Rows(1);
    const { key } = rows.fixture.candidate();
    rows.write({ label: 'renamed' });
    expect(rows.fixture.candidate().key).toBe(key);
    expect(key).toMatchObject({ label: 'renamed' });
    rows.write({ secret: new Secret('new') });
    expect(rows.fixture.candidate().key).not.toBe(key);
  });

  it('forgets rows that are gone, and calls them no more through an older route', () => {
    const first = upstream();
    const second = upstream();
    const keys = [openedKey(first), openedKey(second)];
    const fixture = new PoolFixture(snapshot([first, second], keys));
    const before = fixture.route();
    fixture.pool.apply(snapshot([second], [keys[1]]));
    for (let index = 0; index < 50; index += 1) {
      expect(fixture.pool.pick(before, [], fixture.nowMs)).toMatchObject({ key: { id: keys[1].id } });
    }
    fixture.pool.apply(snapshot([], []));
    expect(fixture.pool.pick(before, [], fixture.nowMs)).toMatchObject({ reason: 'disabled' });
    expect(fixture.pool.describe()).toEqual([]);
  });

  it('never takes a new host’s keys to the old host, and judges the new host anew', () => {
    const rows = new Rows(1);
    rows.fixture.calls(5, 'endpoint');
    const before = rows.fixture.route();
    const moved = { ...rows.only, address: { ...rows.only.address, origin: 'https://elsewhere.example' } };
    rows.fixture.pool.apply(snapshot([moved], [{ ...rows.keys[0], secret: new Secret('for elsewhere') }]));
    expect(rows.fixture.pool.pick(before, [], rows.fixture.nowMs)).toMatchObject({ refused: true });
    expect(rows.fixture.candidate().target.upstream.address.origin).toBe('https://elsewhere.example');
  });

  it('lets the late failure of a replaced secret say nothing of the new one', () => {
    const rows = new Rows(1);
    const late = rows.fixture.begin();
    rows.write({ secret: new Secret('new') });
    rows.fixture.end(late, 'bad_key');
    rows.fixture.clock.move(10_000);
    expect([rows.status, rows.fixture.told]).toEqual(['active', []]);
  });

  it.each<[string, Partial<OpenedKey>, string]>([
    ['disabled', { status: 'disabled' }, 'disabled'],
    ['exhausted', { status: 'exhausted', statusUntilMs: 1_800_000_060_000 }, 'exhausted'],
    ['cooling', { status: 'cooling', statusReason: 'throttled for model', statusUntilMs: 1_800_000_060_000 }, 'cooling'],
    ['cooling, long over', { status: 'cooling', statusUntilMs: 1_700_000_000_000 }, 'active'],
    ['exhausted, long over', { status: 'exhausted', statusUntilMs: 1_700_000_000_000 }, 'active'],
    ['ejected by another process', { status: 'ejected', statusUntilMs: 1_800_000_020_000 }, 'active'],
  ])('learns from a row that says %s, at the start and later', (_name, changes, expected) => {
    expect(new Rows(1, changes).status).toBe(expected);
    const rows = new Rows(1);
    rows.write(changes);
    expect(rows.status).toBe(expected);
  });

  it('cools for another process only the model that was throttled there', () => {
    const rows = new Rows(1);
    rows.write({ status: 'cooling', statusReason: 'throttled for something else', statusUntilMs: rows.fixture.nowMs + 60_000 });
    expect(rows.fixture.pick()).toHaveProperty('key');
    rows.write({ status: 'cooling', statusReason: 'throttled for model', statusUntilMs: rows.fixture.nowMs + 70_000 });
    expect(rows.fixture.refusal()).toEqual({ refused: true, reason: 'throttled', retryAfterMs: 70_000 });
  });

  it.each(['bad_key', 'throttled', 'quota_exhausted'] as const)('is not changed by the echo of its own %s, nor by an older row', (outcome) => {
    const rows = new Rows(2);
    rows.fixture.call(outcome, 60_000);
    const told = rows.fixture.told.length;
    const { status } = rows;
    rows.apply();
    expect(rows.status).toBe(status);
    rows.echo();
    rows.apply();
    rows.fixture.clock.move(5_000);
    expect([rows.status, rows.fixture.told.length, told]).toEqual([status, 1, 1]);
  });

  it('keeps an ejection when the echo of an earlier failure count arrives', () => {
    const rows = new Rows(3);
    const play = (calls: number) => {
      for (let index = 0; index < calls; index += 1) {
        const candidate = rows.fixture.begin();
        rows.fixture.end(candidate, candidate.key.label === 'key 0' ? 'fault' : 'success');
      }
    };
    play(1);
    expect(rows.fixture.told).toHaveLength(1);
    play(15);
    expect(rows.status).toBe('ejected');
    rows.echo();
    expect(rows.status).toBe('ejected');
  });

  it('enables a key that a person sets active again, by status or by a row written anew', () => {
    const rows = new Rows(1);
    rows.fixture.call('bad_key');
    rows.echo();
    rows.write({ status: 'active', failureCount: 0 });
    expect(rows.fixture.pool.describe()[0].keys[0]).toMatchObject({ status: 'active', failureCount: 0 });
    rows.fixture.clock.move(10_000);
    rows.fixture.call('bad_key');
    // Its own "disabled" and the person's "active" fell between two readings.
    rows.write({ status: 'active' });
    expect(rows.status).toBe('active');
  });

  it('does not enable a key by a row from before it was told disabled', () => {
    const rows = new Rows(1);
    rows.fixture.call('fault');
    rows.fixture.call('bad_key');
    expect(rows.fixture.told).toHaveLength(1);
    rows.echo();
    expect(rows.status).toBe('disabled');
    rows.fixture.clock.move(1_000);
    expect(rows.fixture.told.at(-1)?.change).toMatchObject({ status: 'disabled', newFailures: 1, failureCount: 2 });
  });

  it('enables a key whose secret was replaced, though its row still says disabled, and tells so', () => {
    const rows = new Rows(1);
    rows.fixture.call('bad_key');
    rows.echo();
    rows.write({ secret: new Secret('new') });
    expect(rows.status).toBe('active');
    expect(rows.fixture.told.at(-1)?.change.status).toBe('active');
  });

  it('starts a key afresh that was switched off and on again', () => {
    const rows = new Rows(2);
    rows.fixture.call('bad_key');
    rows.echo();
    rows.write({ enabled: false });
    rows.write({ enabled: true });
    expect(rows.status).toBe('active');
    rows.fixture.clock.move(1_000);
    expect(rows.fixture.told.at(-1)?.change.status).toBe('active');
  });

  it('never picks a key that was switched off while it was ejected or good', () => {
    const rows = new Rows(2);
    rows.write({ enabled: false });
    for (let index = 0; index < 20; index += 1) expect(rows.fixture.call('success').key.label).toBe('key 1');
    expect(rows.fixture.pool.describe()[0].keyCounts).toMatchObject({ active: 1, disabled: 1 });
  });

  it('adds up the failures that other processes counted', () => {
    const rows = new Rows(1);
    rows.fixture.call('fault');
    rows.echo();
    rows.fixture.call('fault');
    rows.write({ failureCount: 8 });
    expect(rows.fixture.pool.describe()[0].keys[0].failureCount).toBe(9);
    rows.fixture.clock.move(5_000);
    expect(rows.fixture.told.at(-1)?.change).toMatchObject({ failureCount: 9, newFailures: 1 });
  });
});

describe('what the pool tells of its keys', () => {
  it('tells a change at once, then at most once a second, and the latest of it', () => {
    const rows = new Rows(1);
    const { fixture } = rows;
    fixture.call('throttled', 2_000);
    expect(fixture.told.map(({ change }) => change.status)).toEqual(['cooling']);
    for (let index = 0; index < 9; index += 1) {
      fixture.clock.move(100);
      fixture.pool.report(fixture.pool.pick(fixture.route(), [], fixture.nowMs + 10_000) as never, { kind: 'failure', failureClass: 'throttled', retryAfterMs: 2_000 }, fixture.nowMs);
    }
    expect(fixture.told).toHaveLength(1);
    fixture.clock.move(100);
    expect(fixture.told).toHaveLength(2);
    expect(fixture.told[1].change).toEqual({
      status: 'cooling',
      reason: 'throttled for model',
      untilMs: fixture.nowMs - 100 + 2_000,
      failureCount: 0,
      lastFailureAtMs: null,
      newFailures: 0,
    });
  });

  it('tells that cooling is over, though no call comes', () => {
    const { fixture } = new Rows(1);
    fixture.call('throttled', 20_000);
    fixture.clock.move(20_000);
    expect(fixture.told.map(({ change }) => change.status)).toEqual(['cooling', 'active']);
  });

  it('tells nothing while all is well', () => {
    const { fixture } = new Rows(3);
    fixture.calls(100, 'success');
    fixture.calls(10, 'caller');
    fixture.calls(10, 'aborted');
    fixture.clock.move(60_000);
    fixture.pool.close();
    expect(fixture.told).toEqual([]);
  });

  it('gathers failure counts over five seconds', () => {
    const { fixture } = new Rows(1);
    for (let index = 0; index < 40; index += 1) {
      fixture.call('fault');
      fixture.clock.move(100);
    }
    expect(fixture.told.map(({ change }) => change.newFailures)).toEqual([1]);
    fixture.clock.move(1_000);
    expect(fixture.told.map(({ change }) => change.newFailures)).toEqual([1, 39]);
  });

  it('tells what it has not told yet when it closes', () => {
    const { fixture } = new Rows(1);
    fixture.call('fault');
    fixture.call('bad_key');
    fixture.pool.close();
    expect(fixture.told.map(({ change }) => [change.status, change.newFailures])).toEqual([['active', 1], ['disabled', 1]]);
  });
});
