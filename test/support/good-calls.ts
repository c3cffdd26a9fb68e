import { type TestGateway } from './test-gateway';
import { waitFor } from './wait-for';

/** Good requests between bad ones: that they are answered, and that they alone are charged. */
export class GoodCalls {
  #count = 0;
  #forgotten: string[] = [];
  #last: string | null = null;
  #remaining = Number.NaN;

  constructor(
    private readonly gateway: TestGateway,
    private readonly model: string,
  ) {}

  /** One that a test has made itself. */
  count(): void {
    this.#count += 1;
  }

  /** A request that reached an upstream and failed there: it has rows and took from the limit, as it should. */
  async forget(requestId: string | null): Promise<void> {
    await this.gateway.rows(requestId);
    this.#forgotten.push(requestId ?? '');
  }

  async expectNextIsFine(): Promise<void> {
    const { weir, key } = this.gateway;
    expect(weir.exitCode).toBeNull();
    const response = await weir.post('/v1/chat/completions', key, { model: this.model, messages: [{ role: 'user', content: 'still there?' }] });
    expect([response.status, (await response.text()).includes('still there?')]).toEqual([200, true]);
    this.#count += 1;
    this.#last = response.headers.get('x-request-id');
    this.#remaining = Number(response.headers.get('x-ratelimit-remaining-requests'));
  }

  async expectNothingElseCharged(): Promise<void> {
    await this.expectNextIsFine();
    // Rows are written in the order of the requests: what came before the last one is there with it.
    await this.gateway.rows(this.#last);
    const found = await waitFor(async () => this.gateway.database.query<{ id: string }>('SELECT DISTINCT request_id AS id FROM usage_records WHERE NOT request_id = ANY($1)', [this.#forgotten]));
    expect(found).toHaveLength(this.#count);
    // The window may have moved on; it may never hold more than the good ones.
    expect(this.#remaining).toBeGreaterThanOrEqual(100_000 - this.#count - this.#forgotten.length);
  }
}

/** OpenAI's error object and nothing else, with all four keys. */
export function expectErrorBody(text: string): { message: string; type: string; param: string | null; code: string | null } {
  const body = JSON.parse(text);
  expect(Object.keys(body)).toEqual(['error']);
  expect(Object.keys(body.error)).toEqual(['message', 'type', 'param', 'code']);
  expect(body.error.message.length).toBeGreaterThan(5);
  return body.error;
}
