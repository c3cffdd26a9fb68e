import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The dialects in which a simulated provider can be asked. */
export type SpokenFormat = 'openai-chat' | 'openai-responses' | 'anthropic' | 'gemini';

/**
 * What a provider says:
 * - `text`: a short text, with tokens from the cache and tokens of thinking
 * - `tools`: it thinks where it shows that, says a word, and calls two tools at once, one without arguments
 * - `refusal`: it will not answer
 * - `cut_off`: the text, ended by the cap of the output
 */
export type Scene = 'text' | 'tools' | 'refusal' | 'cut_off';

/** Where the bytes are, from the repository's root, without `.json` (whole) and `.sse` (streamed). */
const WIRE = 'libs/wire/src/dialects/fixtures';
const OWN = 'libs/testing/src/fixtures';

interface SceneFiles {
  readonly whole: string;
  readonly stream: string;
}

const own = (name: string): SceneFiles => ({ whole: `${OWN}/${name}.reference.json`, stream: `${OWN}/${name}.reference.sse` });

const FILES: Readonly<Record<SpokenFormat, Readonly<Record<Exclude<Scene, 'cut_off'>, SceneFiles>>>> = {
  'openai-chat': {
    text: own('chat-text'),
    tools: { whole: `${WIRE}/chat-answer.reference.json`, stream: `${WIRE}/chat-tools.reference.sse` },
    refusal: { whole: `${WIRE}/chat-refusal.reference.json`, stream: `${OWN}/chat-refusal.reference.sse` },
  },
  'openai-responses': {
    text: own('responses-text'),
    tools: { whole: `${WIRE}/responses-answer.reference.json`, stream: `${WIRE}/responses-tools.reference.sse` },
    refusal: own('responses-refusal'),
  },
  anthropic: {
    text: own('anthropic-text'),
    tools: { whole: `${WIRE}/anthropic-answer.reference.json`, stream: `${WIRE}/anthropic-tools.reference.sse` },
    refusal: { whole: `${OWN}/anthropic-refusal.reference.json`, stream: `${WIRE}/anthropic-refusal.reference.sse` },
  },
  gemini: {
    text: own('gemini-text'),
    tools: { whole: `${WIRE}/gemini-answer.reference.json`, stream: `${WIRE}/gemini-tools.reference.sse` },
    refusal: { whole: `${OWN}/gemini-refusal.reference.json`, stream: `${WIRE}/gemini-refusal.reference.sse` },
  },
};

/** vLLM shows its thinking, as servers of open models do. */
const VLLM_TOOLS = own('vllm-tools');

/** Streams in which words are followed by an error. */
const BROKEN: Readonly<Record<SpokenFormat, string>> = {
  'openai-chat': `${WIRE}/chat-error.reference.sse`,
  'openai-responses': `${OWN}/responses-failed.reference.sse`,
  anthropic: `${WIRE}/anthropic-error.reference.sse`,
  gemini: `${WIRE}/gemini-error.reference.sse`,
};

/** A file of the repository: tests run in its root. */
export function readReference(path: string): Buffer {
  return readFileSync(join(process.cwd(), path));
}

export function isOpenServer(model: string): boolean {
  return model.startsWith('qwen');
}

/** @param model the provider's own name of the model that is asked */
export function readScene(format: SpokenFormat, scene: Scene, model: string, isStream: boolean): Buffer {
  if (scene === 'cut_off') return toCutOff(format, readScene(format, 'text', model, isStream));
  const files = format === 'openai-chat' && scene === 'tools' && isOpenServer(model) ? VLLM_TOOLS : FILES[format][scene];
  return readReference(isStream ? files.stream : files.whole);
}

/** Where each dialect says how the text ended, and what it says of the cap. */
const CUT_OFF: Readonly<Record<SpokenFormat, readonly (readonly [end: string, cutOff: string])[]>> = {
  'openai-chat': [['"finish_reason":"stop"', '"finish_reason":"length"']],
  'openai-responses': [
    ['"incomplete_details":null', '"incomplete_details":{"reason":"max_output_tokens"}'],
    ['"status":"completed"', '"status":"incomplete"'],
    ['response.completed', 'response.incomplete'],
  ],
  anthropic: [['"stop_reason":"end_turn"', '"stop_reason":"max_tokens"']],
  gemini: [['"finishReason": "STOP"', '"finishReason": "MAX_TOKENS"']],
};

function toCutOff(format: SpokenFormat, text: Buffer): Buffer {
  const said = CUT_OFF[format].reduce((all, [end, cutOff]) => all.replaceAll(end, cutOff), text.toString('utf8'));
  return Buffer.from(said);
}

/** The events of a stream, with LF, each with its blank line. */
export function toEvents(bytes: Buffer): string[] {
  const text = bytes.toString('utf8').replaceAll('\r\n', '\n');
  return text.split('\n\n').flatMap((event) => (event.trim() === '' ? [] : [`${event.trimStart()}\n\n`]));
}

/** The events of a scene as a stream. */
export function toSceneEvents(format: SpokenFormat, scene: Scene, model: string): string[] {
  return toEvents(readScene(format, scene, model, true));
}

/** A stream that has begun well and ends with the provider's own error event. */
export function readBrokenStream(format: SpokenFormat): Buffer {
  return readReference(BROKEN[format]);
}

/** As it comes where a provider's capacity is gone: the limit is told behind the first events (OpenAI), or an overload (Anthropic). */
const BROKEN_AT_START: Readonly<Partial<Record<SpokenFormat, string>>> = {
  'openai-responses': `${WIRE}/responses-failed.reference.sse`,
  anthropic: BROKEN.anthropic,
};
const SAYS_NOTHING = /"type":\s*"(?:response\.(?:created|in_progress|failed)|message_start|ping|error)"/;

/** A stream that says only how it begins, before it ends with the provider's own error event. */
export function readStreamBrokenAtStart(format: SpokenFormat): Buffer {
  const path = BROKEN_AT_START[format];
  if (path === undefined) throw new Error(`a stream of ${format} begins with words`);
  return Buffer.from(toEvents(readReference(path)).filter((event) => SAYS_NOTHING.test(event)).join(''));
}
