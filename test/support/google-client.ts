import { GoogleGenAI } from '@google/genai';
import { Agent } from 'undici';

/** What Node's own fetch keeps its connections in; Google's client asks for it, and Jest's sandbox has none. */
const GLOBAL_DISPATCHER = Symbol.for('undici.globalDispatcher.1');

/** Google's official client, of which nothing but the address and the key is changed. */
export function connectGoogle(url: string, apiKey: string): GoogleGenAI {
  if (Reflect.get(globalThis, GLOBAL_DISPATCHER) === undefined) Reflect.set(globalThis, GLOBAL_DISPATCHER, new Agent());
  return new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } });
}
