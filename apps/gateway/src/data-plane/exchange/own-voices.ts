import { type ProviderName } from '@weir/providers';

/** https://platform.openai.com/docs/guides/text-to-speech#voice-options */
const OPENAI_VOICES: ReadonlySet<string> = new Set(['alloy', 'ash', 'ballad', 'cedar', 'coral', 'echo', 'fable', 'marin', 'nova', 'onyx', 'sage', 'shimmer', 'verse']);

/**
 * Whether a hosted service has a voice of that name of itself: there it means that one, whatever an
 * organization calls its own. Servers of one's own are asked for theirs instead.
 */
export function isOwnVoice(provider: ProviderName, name: string): boolean {
  return (provider === 'openai' || provider === 'azure') && OPENAI_VOICES.has(name);
}
