import { chatAnswer, chatEvents, Reply, respond } from '@weir/testing';
import { type JsonValue } from './control-plane';

/** About what vendors count for a picture, and far from all that a file or a recording may be. */
const IMAGE_TOKENS = 1_105;
const FILE_TOKENS = 50_000;
const TOOL_TOKENS = 346;
/** What a chat without a cap writes here, and what OpenAI's legacy completions write. */
const CHAT_TOKENS = 4_096;
const COMPLETION_TOKENS = 16;

/**
 * An upstream that uses all that it was asked for: every choice of every prompt written to its cap, a
 * token for every byte of the body, and pictures, files and sound on top.
 */
export const greedy = new Reply(async (exchange) => {
  const { json, body, path } = exchange.call;
  const isChat = path.includes('/chat/');
  const numbers = (...names: string[]): number[] => names.flatMap((name) => (typeof json[name] === 'number' ? [json[name]] : []));
  const cap = Math.max(...numbers('max_tokens', 'max_completion_tokens'), -1);
  const choices = Math.max(1, ...numbers('n', 'best_of'));
  const prompts = !isChat && Array.isArray(json.prompt) && typeof json.prompt[0] !== 'number' ? json.prompt.length : 1;
  const output = cap >= 0 ? cap : isChat ? CHAT_TOKENS : COMPLETION_TOKENS;
  const input = body.length + countMedia(json.messages ?? []) + (json.tools === undefined ? 0 : TOOL_TOKENS);
  const usage = { prompt_tokens: input, completion_tokens: output * choices * prompts, total_tokens: 0 };
  const reply = json.stream === true ? respond.stream(...chatEvents('Hi', { usage })) : respond.json({ ...chatAnswer('Hi'), usage });
  await reply.play(exchange);
});

function countMedia(messages: readonly JsonValue[]): number {
  const parts = messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
  const ofParts = parts.reduce((tokens, { type }) => tokens + (type === 'text' ? 0 : type === 'image_url' ? IMAGE_TOKENS : FILE_TOKENS), 0);
  return ofParts + messages.filter(({ audio }) => audio !== undefined).length * FILE_TOKENS;
}
