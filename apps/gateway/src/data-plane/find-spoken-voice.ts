import { type Caller } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { readSpeechRequest } from '@weir/wire';
import { type CallRoute } from './call-routes';
import { isOwnVoice } from './exchange/own-voices';
import { type RelayCall } from './relay-call';
import { type Road } from './road';
import { type BuiltInVoices } from './voices/built-in-voices';

/**
 * Sets the voice of a speech request, where it names one of the organization's own. A service's own
 * names go before, so that they are spoken with while PostgreSQL is away; and where no upstream of the
 * model and its fallbacks speaks with recordings, nobody is asked.
 * @throws WeirError database_unavailable
 */
export async function findSpokenVoice({ voices }: Road, builtIn: BuiltInVoices, call: RelayCall, caller: Caller, routes: readonly CallRoute[]): Promise<void> {
  const { voice: name } = readSpeechRequest(call.speech.body);
  if (name === null || !routes.some(speaksWithRecordings)) return;
  if ((await builtIn.list(caller)).includes(name)) return;
  try {
    const voice = await voices.find(caller.organizationId, name);
    if (voice !== null) call.speech.voice = { voice, open: () => voices.open(voice) };
  } catch (error) {
    // The model that was asked for needs no recording for it: only a fallback might.
    const isAway = error instanceof WeirError && error.code === 'database_unavailable';
    if (!isAway || !routes[0].route.targets.every(({ upstream }) => isOwnVoice(upstream.provider, name))) throw error;
  }
}

function speaksWithRecordings({ route }: CallRoute): boolean {
  return route.targets.some(({ upstream }) => upstream.provider === 'vllm-omni');
}
