/**
 * The most that a model writes in one choice, by how its name begins, as the vendors' model pages
 * say (developers.openai.com/api/docs/models, platform.claude.com/docs/en/about-claude/models,
 * ai.google.dev/gemini-api/docs/models). The first line that fits counts.
 *
 * The price table does not have this. It makes holds smaller, and a cap larger than this is refused
 * by the vendor; so a wrong line costs a hold that must be extended or a cap that is refused, never money.
 */
const LARGEST_OUTPUTS: readonly (readonly [prefix: string, tokens: number])[] = [
  ['gpt-6', 128_000],
  ['gpt-5-pro', 272_000],
  ['gpt-5-chat', 16_384],
  ['gpt-5.1-chat', 16_384],
  ['gpt-5.2-chat', 16_384],
  ['gpt-5.3-chat', 16_384],
  ['gpt-5', 128_000],
  ['gpt-4.1', 32_768],
  ['gpt-4.5', 16_384],
  ['gpt-4o-2024-05-13', 4_096],
  ['gpt-4o', 16_384],
  ['chatgpt-4o', 16_384],
  ['gpt-4-32k', 32_768],
  ['gpt-4-turbo', 4_096],
  ['gpt-4-0125', 4_096],
  ['gpt-4-1106', 4_096],
  ['gpt-4-vision', 4_096],
  ['gpt-4', 8_192],
  ['gpt-3.5', 4_096],
  ['gpt-35', 4_096],
  ['o1-mini', 65_536],
  ['o1-preview', 32_768],
  ['o1', 100_000],
  ['o3', 100_000],
  ['o4', 100_000],
  ['claude-3-7', 64_000],
  ['claude-3-5', 8_192],
  ['claude-3', 4_096],
  ['claude-opus-4-0', 32_000],
  ['claude-opus-4-1', 32_000],
  ['claude-opus-4-2025', 32_000],
  ['claude-opus-4-5', 64_000],
  ['claude-opus-4', 128_000],
  ['claude-sonnet-4-6', 128_000],
  ['claude-sonnet-4', 64_000],
  ['claude-haiku-4', 64_000],
  ['gemini-1.5', 8_192],
  ['gemini-2.0', 8_192],
  ['gemini-', 65_536],
];

/** In tokens. Null for a model that is not among those known. A vendor in front (`openai/…`) and `ft:` play no part. */
export function findLargestOutput(upstreamModel: string): number | null {
  const name = upstreamModel.slice(upstreamModel.lastIndexOf('/') + 1).toLowerCase().replace(/^ft:/, '');
  return LARGEST_OUTPUTS.find(([prefix]) => name.startsWith(prefix))?.[1] ?? null;
}
