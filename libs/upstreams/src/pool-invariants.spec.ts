import { type FailureClass } from '@weir/providers';
import { openedKeys, PoolFixture, seededRandom, snapshot, target, upstream } from '../test/pool-fixture';
import { type Candidate } from './pool-contract';
import { PoolCandidate } from './pool-route';
import { type ModelInput, type OpenedKey, type UpstreamInput } from './pool-snapshot';
import { AFFINITIES, STRATEGIES } from './strategy';

const SEQUENCES = 2_000;
const EVENTS = 120;

const OUTCOMES: readonly (FailureClass | 'success')[] = [
  'success', 'success', 'success', 'success', 'fault', 'fault', 'fault', 'endpoint', 'throttled', 'quota_exhausted', 'bad_key', 'caller', 'aborted',
];

interface OpenCall {
  candidate: Candidate;
  upstreamId: string;
  /** Holds the one place of the half-open breaker as it is now. */
  isProbe: boolean;
}

/** As expect(), without its cost: it is asked some million times. */
function hold(isHeld: boolean, promise: string): void {
  if (!isHeld) throw new Error(`broken: ${promise}`);
}

/** A random life of a pool, the same for the same seed, with the invariants looked at after every event. */
class Life {
  readonly random: () => number;
  readonly upstreams: UpstreamInput[];
  readonly fixture: PoolFixture;
  readonly routing: Pick<ModelInput, 'strategy' | 'affinity'>;
  keys: OpenedKey[];
  open: OpenCall[] = [];
  /** How many keys are ejected now. */
  ejected = 0;
  /** Keys that a provider refused and nobody switched on since. */
  readonly refused = new Set<string | null>();
  /** Outcomes of a stretch come from a part of the list, so that runs of one kind occur. */
  #mood: readonly (FailureClass | 'success')[] = OUTCOMES;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.routing = { strategy: STRATEGIES[seed % STRATEGIES.length], affinity: AFFINITIES[seed % AFFINITIES.length] };
    this.upstreams = Array.from({ length: 1 + this.below(3) }, () => upstream({ concurrency: this.below(3) === 0 ? 4 : null }));
    this.keys = this.upstreams.flatMap((to) => openedKeys(to, 1 + this.below(6)));
    this.fixture = new PoolFixture(this.contents(), this.random);
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  contents() {
    return snapshot(this.upstreams, this.keys, this.upstreams.map((to, index) => target(to, { priority: index % 2 })), this.routing);
  }

  step(): void {
    const dice = this.below(100);
    if (dice < 42) this.begin();
    else if (dice < 86) this.end(this.#mood[this.below(this.#mood.length)]);
    else if (dice < 92) this.fixture.clock.move(this.below(20_000));
    else if (dice < 95) this.fixture.clock.move(this.below(400_000));
    else if (dice < 98) this.#mood = OUTCOMES.slice(this.below(6), 6 + this.below(8));
    else this.toggle(this.below(this.keys.length));
    this.check();
  }

  begin(): void {
    const tried = this.random() < 0.3 ? this.open.slice(-2).map(({ candidate }) => candidate) : [];
    const { pool, nowMs } = this.fixture;
    const picked = pool.pick(this.fixture.route(), tried, nowMs, false, this.below(5));
    if ('refused' in picked) {
      hold(picked.retryAfterMs === null || picked.retryAfterMs > 0, 'a time to come again lies ahead');
      return;
    }
    const { key, target: to } = picked;
    hold(!this.refused.has(key.id), 'a refused key is never picked');
    hold(this.keys.find(({ id }) => id === key.id)?.enabled === true, 'a key that is switched off is never picked');
    hold(!tried.some((other) => other.key.id === key.id), 'nothing is tried twice in a request');
    if (!(picked instanceof PoolCandidate)) throw new Error('not of the pool');
    this.fixture.pool.started(picked);
    this.open.push({ candidate: picked, upstreamId: to.upstream.id, isProbe: picked.endpointTicket > 0 });
  }

  end(outcome: FailureClass | 'success'): void {
    const [call] = this.open.splice(this.below(this.open.length), 1);
    if (call === undefined) return;
    // A call may also end without a word, when whoever made it breaks.
    if (this.random() < 0.05) this.fixture.pool.finished(call.candidate);
    else {
      if (outcome === 'bad_key') this.refused.add(call.candidate.key.id);
      this.fixture.end(call.candidate, outcome, this.random() < 0.5 ? null : this.below(120_000));
    }
  }

  toggle(index: number): void {
    const { id, enabled } = this.keys[index];
    if (!enabled) this.refused.delete(id);
    this.keys = this.keys.map((key, at) => (at === index ? { ...key, enabled: !enabled } : key));
    this.fixture.pool.apply(this.contents());
  }

  check(): void {
    this.ejected = 0;
    for (const described of this.fixture.pool.describe()) {
      const working = described.keys.filter(({ enabled, status }) => enabled && status !== 'disabled');
      const ejected = working.filter(({ status }) => status === 'ejected');
      hold(ejected.length * 2 <= working.length, 'no more than half of the keys are ejected');
      this.ejected += ejected.length;
      const calls = this.open.filter(({ upstreamId }) => upstreamId === described.id);
      hold(described.openCalls === calls.length, 'open calls are counted right');
      hold(calls.length <= (described.concurrency ?? Infinity), 'a concurrency limit holds');
      // A probe of an earlier half-open time holds no place in the next.
      if (described.breaker.state !== 'half_open') for (const call of calls) call.isProbe = false;
      hold(calls.filter(({ isProbe }) => isProbe).length <= 1, 'one probe at a time');
    }
  }

  /** All is well again: providers answer, people have switched every key on. */
  heal(): void {
    while (this.open.length > 0) this.end('aborted');
    for (let index = 0; index < this.keys.length; index += 1) {
      if (this.keys[index].enabled) this.toggle(index);
      this.toggle(index);
    }
    for (let round = 0; round < 40; round += 1) {
      this.fixture.clock.move(60_000);
      for (let index = 0; index < 30; index += 1) this.fixture.call('success');
      this.check();
    }
  }
}

describe('UpstreamPool, whatever happens', () => {
  it(`keeps its promises over ${SEQUENCES} random lives of ${EVENTS} events`, () => {
    let picks = 0;
    let ejections = 0;
    let probes = 0;
    for (let seed = 1; seed <= SEQUENCES; seed += 1) {
      const life = new Life(seed);
      for (let event = 0; event < EVENTS; event += 1) {
        life.step();
        picks += life.open.length;
        ejections += life.ejected;
        probes += life.open.some(({ isProbe }) => isProbe) ? 1 : 0;
      }
    }
    // The lives must really come to the places where a promise could break.
    expect(Math.min(picks, ejections, probes)).toBeGreaterThan(1_000);
  });

  it('recovers from everything once all is well again', () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const life = new Life(seed);
      for (let event = 0; event < EVENTS; event += 1) life.step();
      life.heal();
      expect(life.fixture.pick()).toHaveProperty('key');
      const first = life.fixture.pool.describe()[0];
      expect([first.breaker.state, new Set(first.keys.map(({ status }) => status))]).toEqual(['closed', new Set(['active'])]);
    }
  });
});
