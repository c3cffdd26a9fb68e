import { UpstreamSimulator } from '@weir/testing';
import { chat, type ChatAnswer } from './chat';
import { type JsonValue } from './control-plane';
import { createTestDatabase, type TestDatabase } from './postgres';
import { waitFor } from './wait-for';
import { findFreePort } from './find-free-port';
import { addKey, addModel, addUpstream, type UpstreamSetup, waitForModel, Weir } from './weir';

export interface MadeModel {
  readonly model: string;
  readonly upstreamId: string;
  readonly keyIds: string[];
  readonly secrets: string[];
}

/** An upstream of one key. */
export interface PlaceSetup {
  readonly baseUrl: string;
  readonly weight?: number;
  readonly priority?: number;
  readonly settings?: UpstreamSetup['settings'];
}

let names = 0;

/** A running Weir with two simulated providers, and what tests of the pool say of them. */
export class PoolScene {
  readonly simulator = new UpstreamSimulator();
  readonly other = new UpstreamSimulator();
  database: TestDatabase;
  weir: Weir;
  /** Of a caller without limits. */
  key: string;

  async start(): Promise<void> {
    await Promise.all([this.simulator.start(), this.other.start()]);
    this.database = await createTestDatabase();
    this.weir = await Weir.start({ databaseUrl: this.database.url });
    ({ key: this.key } = await addKey(this.weir));
  }

  async stop(): Promise<void> {
    await this.weir.stop();
    await Promise.all([this.simulator.stop(), this.other.stop(), this.database.drop()]);
  }

  reset(): void {
    this.simulator.reset();
    this.other.reset();
  }

  /** A model with one upstream at the simulator and so many keys. */
  async makeModel(keyCount: number, setup: Partial<UpstreamSetup> = {}): Promise<MadeModel> {
    const model = this.nextName();
    const secrets = Array.from({ length: keyCount }, (_, index) => `sk-${model}-secret-${index + 1}`);
    const upstream = await addUpstream(this.weir, { name: `upstream of ${model}`, baseUrl: this.simulator.baseUrl, secrets, ...setup });
    await this.offer(model, [upstream.id]);
    return { model, upstreamId: upstream.id, keyIds: upstream.keyIds, secrets };
  }

  /** Another model at an upstream that is there. */
  async offer(model: string, upstreamIds: readonly string[], fields: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await addModel(this.weir, model, upstreamIds, fields);
    await waitForModel(this.weir, this.key, model);
  }

  /** A model with several upstreams, in the order given. */
  async makeModelAt(places: readonly PlaceSetup[]): Promise<{ model: string; upstreamIds: string[]; keyIds: string[] }> {
    const model = this.nextName();
    const upstreams: Awaited<ReturnType<typeof addUpstream>>[] = [];
    for (const [index, { baseUrl, settings }] of places.entries()) {
      const secrets = [`sk-${model}-place-${index + 1}`];
      upstreams.push(await addUpstream(this.weir, { name: `${model} place ${index + 1}`, baseUrl, secrets, settings }));
    }
    const targets = upstreams.map(({ id }, index) => ({
      upstream_id: id,
      upstream_model: `upstream-${model}`,
      weight: places[index].weight ?? 100,
      priority: places[index].priority ?? 0,
    }));
    await this.offer(model, [], { targets });
    return { model, upstreamIds: upstreams.map(({ id }) => id), keyIds: upstreams.flatMap(({ keyIds }) => keyIds) };
  }

  nextName(): string {
    return `pool-${(names += 1)}`;
  }

  upstreamKey(upstreamId: string, keyId: string): Promise<JsonValue> {
    return this.weir.admin('GET', `/upstreams/${upstreamId}/keys/${keyId}`);
  }

  /** What people see is written behind the requests' backs. */
  async waitForKeyStatus(upstreamId: string, keyId: string, status: string): Promise<JsonValue> {
    return waitFor(
      async () => {
        const view = await this.upstreamKey(upstreamId, keyId);
        return view.status === status ? view : null;
      },
      { what: `the key to be ${status}` },
    );
  }

  chat(model: string, options?: Parameters<typeof chat>[3]): Promise<ChatAnswer> {
    return chat(this.weir, this.key, model, options);
  }

  async chatInTurn(times: number, model: string): Promise<ChatAnswer[]> {
    const answers: ChatAnswer[] = [];
    for (let index = 0; index < times; index += 1) answers.push(await this.chat(model));
    return answers;
  }

  /** How often the simulator was called with a secret. */
  callsOf = (secret: string): number => this.simulator.calls.filter((call) => call.key === secret).length;
}

/** A scene of its own for the tests of a describe: retries draw on a budget of the whole process. */
export function usePoolScene(): PoolScene {
  const scene = new PoolScene();
  beforeAll(() => scene.start());
  afterAll(() => scene.stop());
  beforeEach(() => scene.reset());
  return scene;
}

/** Where nobody listens. */
export const refusedPlace = async (): Promise<string> => `http://127.0.0.1:${await findFreePort()}/v1`;

export const statuses = (answers: readonly { status: number }[]): number[] => [...new Set(answers.map(({ status }) => status))];
export const attempts = (answer: ChatAnswer): string | null => answer.headers.get('x-weir-attempts');
