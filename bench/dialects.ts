import { readFileSync } from 'node:fs';
import { type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type Dialect } from '@weir/wire';
import { type AnswerStream } from '../apps/gateway/src/data-plane/exchange/answer-stream';
import { CALLER_DIALECTS, type CallerContext } from '../apps/gateway/src/data-plane/exchange/caller-dialects';
import { openPassingRelay } from '../apps/gateway/src/data-plane/exchange/open-passing-relay';
import { TranslatedRelay } from '../apps/gateway/src/data-plane/exchange/translated-relay';
import { UPSTREAM_DIALECTS } from '../apps/gateway/src/data-plane/exchange/upstream-dialects';

/**
 * What an event of a stream costs this process between the upstream's connection and the caller's,
 * sockets left out: passed where both speak the same dialect, translated where they do not. By the
 * operating system's account of processor time. Reports, and asserts nothing.
 */
const STREAMS = Number(process.env.STREAMS ?? 3_000);
const ROUNDS = Number(process.env.ROUNDS ?? 5);

const FIXTURES: Readonly<Record<Dialect, string>> = {
  'openai-chat': 'chat-tools.reference.sse',
  anthropic: 'anthropic-tools.reference.sse',
  gemini: 'gemini-tools.reference.sse',
  'openai-responses': 'responses-tools.reference.sse',
};

const nowhere = { write: () => true } as unknown as ServerResponse;
const ignore = (): void => undefined;

/** A caller's context that asks for what every dialect can say. */
function toContext(dialect: Dialect): CallerContext {
  const body = { model: 'm', input: 'x', messages: [{ role: 'user', content: 'x' }], contents: [{ parts: [{ text: 'x' }] }], max_tokens: 10 };
  const said = { 'openai-chat': ['model', 'messages'], anthropic: ['model', 'messages', 'max_tokens'], gemini: ['contents'], 'openai-responses': ['model', 'input'] }[dialect];
  const facts = { model: 'm', format: dialect, isStream: true, wantsStreamUsage: true } as CallerContext['facts'];
  const chosen = Object.fromEntries(Object.entries(body).filter(([name]) => said.includes(name)));
  const conversation = CALLER_DIALECTS[dialect].readRequest(chosen, facts);
  return { facts, body: chosen, conversation, requestId: '018f0000-0000-7000-8000-000000000000', startedAtMs: 1_763_700_000_000 };
}

function toEvents(bytes: Buffer): Buffer[] {
  return bytes.toString('utf8').split(/(?<=\r?\n\r?\n)/).filter((event) => event.trim() !== '').map((event) => Buffer.from(event));
}

function measure(open: () => AnswerStream, events: readonly Buffer[]): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let index = 0; index < STREAMS; index += 1) {
      const stream = open();
      for (const event of events) stream.push(event);
      stream.finish();
    }
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / (STREAMS * events.length));
  }
  return best;
}

const dialects = Object.keys(FIXTURES).filter((name): name is Dialect => Object.hasOwn(CALLER_DIALECTS, name));
process.stdout.write(`microseconds of processor time an event, one event a chunk; best of ${ROUNDS} rounds of ${STREAMS} streams\n\n`);
process.stdout.write(`| from the upstream | ${dialects.join(' | ')} |\n| --- |${' --- |'.repeat(dialects.length)}\n`);
for (const upstream of dialects) {
  const events = toEvents(readFileSync(join('libs/wire/src/dialects/fixtures', FIXTURES[upstream])));
  const cells = dialects.map((caller) => {
    if (caller === upstream) return `${measure(() => openPassingRelay(upstream, true, nowhere, ignore), events).toFixed(1)} (passed)`;
    const spoken = UPSTREAM_DIALECTS[upstream];
    if (spoken === undefined) return '–';
    const context = toContext(caller);
    return measure(() => new TranslatedRelay(nowhere, ignore, spoken.openReader(context), CALLER_DIALECTS[caller].openWriter(context)), events).toFixed(1);
  });
  process.stdout.write(`| ${upstream} | ${cells.join(' | ')} |\n`);
}
