import { type OutgoingHttpHeaders } from 'node:http';
import { WeirError } from '@weir/kernel';
import {
  type DemoStamp,
  parseDemoChatRequest,
  parseDemoCompletionRequest,
  parseDemoEmbeddingsRequest,
  toDemoChatAnswer,
  toDemoChatChunks,
  toDemoCompletionAnswer,
  toDemoCompletionChunks,
  toDemoEmbeddingsAnswer,
  toDemoErrorBody,
  toDemoEvents,
  toDemoModelList,
} from '@weir/providers';
import { type Exchange } from './reply';
import { type SimulatorCall } from './simulator-call';

type Answer = { readonly status: number; readonly body: object } | { readonly events: Iterable<string> };

/** The same for every call but the id, so that a test can tell two answers apart and expect the rest. */
const toStamp = (call: SimulatorCall, prefix: string): DemoStamp => ({
  id: `${prefix}-simulated-${call.index}`,
  createdSeconds: 1_763_600_000,
});

/** Azure's deployment paths carry the model, and their bodies need not. */
function toAzureModel(path: string): string | null {
  const deployment = /\/openai\/deployments\/([^/]+)\//.exec(path);
  return deployment ? decodeURIComponent(deployment[1]) : null;
}

function toAnswer(call: SimulatorCall): Answer {
  const path = call.path.split('?', 1)[0];
  const model = toAzureModel(path);
  const body: unknown = model === null ? call.json : { model, ...call.json };
  if (path.endsWith('/chat/completions')) {
    const request = parseDemoChatRequest(body);
    const stamp = toStamp(call, 'chatcmpl');
    return request.stream
      ? { events: toDemoEvents(toDemoChatChunks(request, stamp)) }
      : { status: 200, body: toDemoChatAnswer(request, stamp) };
  }
  if (path.endsWith('/completions')) {
    const request = parseDemoCompletionRequest(body);
    const stamp = toStamp(call, 'cmpl');
    return request.stream
      ? { events: toDemoEvents(toDemoCompletionChunks(request, stamp)) }
      : { status: 200, body: toDemoCompletionAnswer(request, stamp) };
  }
  if (path.endsWith('/embeddings')) return { status: 200, body: toDemoEmbeddingsAnswer(parseDemoEmbeddingsRequest(body)) };
  if (path.endsWith('/models')) return { status: 200, body: toDemoModelList(1_763_600_000) };
  throw new WeirError('not_found');
}

function toAnswerOrRefusal(call: SimulatorCall): Answer {
  try {
    return toAnswer(call);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return { status: error.status, body: toDemoErrorBody(error) };
  }
}

/** Answers as demo/echo does, on OpenAI's paths and on both of Azure's. */
export async function echo(exchange: Exchange, headers: OutgoingHttpHeaders): Promise<void> {
  const answer = toAnswerOrRefusal(exchange.call);
  const { response } = exchange;
  if ('events' in answer) {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', ...headers });
    for (const event of answer.events) await exchange.write(event);
    await new Promise<void>((resolve) => response.end(resolve));
    return;
  }
  const bytes = Buffer.from(JSON.stringify(answer.body));
  response.writeHead(answer.status, { 'content-type': 'application/json', 'content-length': bytes.length, ...headers });
  await new Promise<void>((resolve) => response.end(bytes, resolve));
}
