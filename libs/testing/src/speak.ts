import { type OutgoingHttpHeaders } from 'node:http';
import { findRequestFault } from './find-request-fault';
import { type ProviderErrorKind, readProviderError, type SimulatedProvider } from './provider-errors';
import { readBrokenStream, readScene, readStreamBrokenAtStart, type Scene, type SpokenFormat, toSceneEvents } from './provider-scenes';
import { type Exchange, Reply } from './reply';
import { respond } from './respond';
import { type SimulatorCall } from './simulator-call';
import { cutInto, dialects } from './sse-dialects';
import { type Step } from './step';

/** How a call asks. */
interface Asked {
  readonly format: SpokenFormat;
  readonly isStream: boolean;
  readonly model: string;
}

/** Finds the dialect by the path, as the providers have it. */
function findAsked({ path, json }: SimulatorCall): Asked | null {
  const [place] = path.split('?', 1);
  const model = String(json?.model ?? '');
  const isStream = json?.stream === true;
  const deployment = /\/openai\/deployments\/([^/]+)\/chat\/completions$/.exec(place);
  if (deployment !== null) return { format: 'openai-chat', isStream, model: decodeURIComponent(deployment[1]) };
  if (place.endsWith('/chat/completions')) return { format: 'openai-chat', isStream, model };
  if (place.endsWith('/responses')) return { format: 'openai-responses', isStream, model };
  if (place.endsWith('/v1/messages')) return { format: 'anthropic', isStream, model };
  const google = /\/v1(?:beta)?\/models\/([^/:]+):(generateContent|streamGenerateContent)$/.exec(place);
  return google === null ? null : { format: 'gemini', isStream: google[2] === 'streamGenerateContent', model: decodeURIComponent(google[1]) };
}

const EVENT_STREAM = 'text/event-stream; charset=utf-8';

/** Plays what `choose` makes of the way in which a call asks; 400, as the provider would, where it asks wrongly. */
function inItsDialect(choose: (asked: Asked) => Reply): Reply {
  return new Reply(async (exchange: Exchange, headers: OutgoingHttpHeaders) => {
    const { call } = exchange;
    const asked = findAsked(call);
    const fault = asked === null ? `nothing is at ${call.path}` : findRequestFault(asked.format, call);
    if (asked === null || fault !== null) await respond.json(toFaultBody(fault ?? ''), 400).play(exchange);
    else await choose(asked).withHeaders(headers).play(exchange);
  });
}

/** An error in the words of all dialects at once: whoever reads it finds its own. */
function toFaultBody(message: string): object {
  return { type: 'error', error: { type: 'invalid_request_error', message, code: 400, status: 'INVALID_ARGUMENT', param: null } };
}

const whole = (bytes: Buffer): Reply => respond.pieces('application/json', bytes);

/** How a scene's stream comes: as the fixture has it, or rewritten. */
export interface StreamForm {
  readonly pieces?: 'event' | 'byte' | 'random';
  readonly lineEnd?: 'lf' | 'crlf';
}

/** A provider that answers in the dialect, and whole or streamed, as it is asked. */
export const speak = {
  scene: (scene: Scene): Reply =>
    inItsDialect(({ format, isStream, model }) => {
      const bytes = readScene(format, scene, model, isStream);
      return isStream ? respond.pieces(EVENT_STREAM, bytes) : whole(bytes);
    }),

  /** The scene's stream, cut and written in another way. */
  streamed: (scene: Scene, { pieces = 'event', lineEnd = 'lf' }: StreamForm = {}): Reply =>
    inItsDialect(({ format, model }) => {
      const events = toSceneEvents(format, scene, model);
      const written = lineEnd === 'crlf' ? dialects.crlf(events) : events;
      return respond.pieces(EVENT_STREAM, ...toPieces(written, pieces));
    }),

  /** Begins well, and ends with an error event. */
  brokenStream: (): Reply => inItsDialect(({ format }) => respond.pieces(EVENT_STREAM, readBrokenStream(format))),

  /** Says only how it begins, and then what is wrong. */
  streamBrokenAtStart: (): Reply => inItsDialect(({ format }) => respond.pieces(EVENT_STREAM, readStreamBrokenAtStart(format))),

  /** Ends its stream cleanly, as HTTP has it, in the middle of what it says. */
  endingEarly: (scene: Scene): Reply =>
    inItsDialect(({ format, model }) => {
      const events = toSceneEvents(format, scene, model);
      return respond.pieces(EVENT_STREAM, events.slice(0, Math.ceil(events.length / 2)).join(''));
    }),

  error: (provider: SimulatedProvider, kind: ProviderErrorKind): Reply => {
    const { status, headers, body } = readProviderError(provider, kind);
    return respond.status(status, body.toString('utf8')).withHeaders({ 'content-type': 'application/json', ...headers });
  },
};

function toPieces(events: readonly string[], pieces: NonNullable<StreamForm['pieces']>): readonly Step[] {
  switch (pieces) {
    case 'event':
      return events;
    case 'byte':
      return cutInto.bytes(events);
    case 'random':
      return cutInto.randomPieces(events, events.length, 40);
  }
}
