import { type Caller } from '@weir/access';
import { readSpeechRequest } from '@weir/wire';
import { type RelayCall } from './relay-call';
import { type Road } from './road';
import { type BuiltInVoices } from './voices/built-in-voices';

/**
 * Sets the voice of a speech request, where it names one of the organization's own. A service's own
 * names go before, so that they are spoken with while PostgreSQL is away; and where no upstream speaks
 * with recordings, nobody is asked.
 * @throws WeirError database_unavailable
 */
export async function findSpokenVoice({ voices }: Road, builtIn: BuiltInVoices, call: RelayCall, caller: Caller): Promise<void> {
  const { voice: name } = readSpeechRequest(call.speech.body);
  if (name === null || call.route === null) return;
  if (!call.route.targets.some(({ upstream }) => upstream.provider === 'vllm-omni')) return;
  if ((await builtIn.list(caller)).includes(name)) return;
  const voice = await voices.find(caller.organizationId, name);
  if (voice !== null) call.speech.voice = { voice, open: () => voices.open(voice) };
}
