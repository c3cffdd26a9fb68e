import { type JsonValue } from './control-plane';
import { waitFor } from './wait-for';
import { type Weir } from './weir';

export interface ChatOptions {
  readonly content?: string;
  readonly stream?: boolean;
  readonly signal?: AbortSignal;
  /** More members of the body. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A whole answer of the data plane. */
export interface ChatAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; undefined when it is no JSON. */
  readonly body: JsonValue;
}

/** Begins a chat completion; resolves with the head of the answer. */
export function openChat(weir: Pick<Weir, 'url'>, key: string, model: string, options: ChatOptions = {}): Promise<Response> {
  const messages = [{ role: 'user', content: options.content ?? 'Hello, Weir!' }];
  return fetch(`${weir.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...options.headers },
    body: JSON.stringify({ model, messages, ...(options.stream === true ? { stream: true } : {}), ...options.fields }),
    signal: options.signal,
  });
}

/** A chat completion, read to its end. */
export async function chat(weir: Pick<Weir, 'url'>, key: string, model: string, options: ChatOptions = {}): Promise<ChatAnswer> {
  return readAnswer(await openChat(weir, key, model, options));
}

export async function readAnswer(response: Response): Promise<ChatAnswer> {
  const { status, headers } = response;
  const text = await response.text();
  try {
    return { status, headers, text, body: JSON.parse(text) };
  } catch {
    return { status, headers, text, body: undefined };
  }
}

/** One after the other, until one has the status; other answers before that are no failure. */
export async function chatUntil(weir: Pick<Weir, 'url'>, key: string, model: string, status: number): Promise<ChatAnswer> {
  return waitFor(
    async () => {
      const answer = await chat(weir, key, model);
      return answer.status === status ? answer : null;
    },
    { what: `a chat with ${model} to be answered with ${status}` },
  );
}

export function repeat<Value>(times: number, run: (index: number) => Promise<Value>): Promise<Value[]> {
  return Promise.all(Array.from({ length: times }, (_, index) => run(index)));
}

/** The usage rows that the filter names, oldest first, once there are at least so many of them. */
export async function waitForUsageRows(weir: Weir, filter: string, count: number): Promise<JsonValue[]> {
  return waitFor(
    async () => {
      const page = await weir.admin<{ data: JsonValue[] }>('GET', `/requests?limit=200&${filter}`);
      return page.data.length >= count ? page.data.reverse() : null;
    },
    { what: `${count} usage rows of ${filter}` },
  );
}
