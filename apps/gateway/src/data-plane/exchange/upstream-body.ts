import { Readable } from 'node:stream';
import { WeirError } from '@weir/kernel';
import { getProvider, isOwnServer, type ProviderName, streamsUsage, type UpstreamAddress } from '@weir/providers';
import { type Candidate } from '@weir/upstreams';
import { type ReferenceBody, toReferenceBody } from '@weir/voices';
import { readSpeechRequest, type SpeechQuirks, spliceMembers, type Splice, toForeignThinkingSplice, toLeaveOutSplices, toUpstreamSpeech } from '@weir/wire';
import { type CallMeter } from '../call-meter';
import { type RequestFacts } from '../facts/request-facts';
import { findLargestOutput } from '../largest-output';
import { toMeshBody } from '../meshes/to-mesh-body';
import { MultipartEncoder } from '../multipart/multipart-encoder';
import { type SpooledUpload } from '../multipart/spool-upload';
import { type PreparedCall } from '../prepared-call';
import { isDialect } from './caller-dialects';
import { type CallerSpeech, type SpokenVoice } from './caller-speech';
import { isOwnVoice } from './own-voices';
import { refuseFetching } from './refuse-fetching';
import { UPSTREAM_DIALECTS } from './upstream-dialects';
import { type StreamedBody, type UpstreamRequest } from './upstream-request';

/** For a dialect that demands a cap, where neither the caller nor the model table knows one. */
const UNKNOWN_OUTPUT_CAP = 8_192;

/**
 * What goes to the upstream: the caller's bytes with the model's name there, the cap that its budget
 * affords and, in a stream, the wish for usage; or all of it in the upstream's own format.
 * @throws WeirError invalid_request for what the upstream's format cannot say; it names the caller's field
 */
export function toUpstreamBody(speech: CallerSpeech, prepared: PreparedCall, candidate: Candidate, meter: CallMeter): UpstreamRequest {
  const { facts, upload } = speech;
  const { address, provider } = candidate.target.upstream;
  if (isOwnServer(provider, address)) refuseFetching(speech);
  if (upload !== null) return toFormBody(upload, prepared.upstreamModel);
  const quirks = facts.operation === 'speech' ? getProvider(provider).toSpeechQuirks(address) : null;
  if (quirks !== null) return toSpeechBody(speech, quirks, prepared);
  if (speech.voice !== null && !isOwnVoice(provider, readSpeechRequest(speech.body).voice ?? '')) throw uploadedVoiceRefused();
  if (facts.operation === 'meshes') return Buffer.from(JSON.stringify(toMeshBody(speech.body, prepared.format, prepared.upstreamModel)));
  const conversion = speech.findConversion(prepared.format);
  if (conversion === null && prepared.format === facts.format) return toPassedBody(facts, prepared, candidate, meter);
  if (conversion !== null) return Buffer.from(JSON.stringify(conversion.toUpstream(speech.body, prepared.upstreamModel)));
  const dialect = UPSTREAM_DIALECTS[speech.toDialect(prepared.format)];
  if (dialect === undefined) throw new Error(`nothing is written in ${prepared.format}`);
  const { conversation } = speech;
  const request = { ...conversation, outputCap: meter.outputCap ?? conversation.outputCap };
  return Buffer.from(
    dialect.writeRequest(request, {
      model: prepared.upstreamModel,
      defaultOutputCap: findLargestOutput(prepared.upstreamModel) ?? UNKNOWN_OUTPUT_CAP,
      quirks: getProvider(provider).toChatQuirks(address, prepared.upstreamModel),
    }),
  );
}

/** The caller's form, with the model's name at the upstream. */
function toFormBody({ fields, files }: SpooledUpload, upstreamModel: string): StreamedBody {
  const texts = fields.filter(({ name }) => name !== 'model').map(({ name, value }) => ({ kind: 'text' as const, name, value }));
  const sent = files.map((file) => ({ ...file, kind: 'file' as const, open: () => file.open() }));
  const form = new MultipartEncoder([{ kind: 'text', name: 'model', value: upstreamModel }, ...texts, ...sent]);
  return { contentType: form.contentType, contentLength: form.contentLength, open: () => Readable.from(form.body()) };
}

/** A speech request for a server of one's own; the recording of an organization's voice goes with it. */
function toSpeechBody({ body, voice }: CallerSpeech, quirks: SpeechQuirks, prepared: PreparedCall): UpstreamRequest {
  if (voice === null) return Buffer.from(JSON.stringify(toUpstreamSpeech(readSpeechRequest(body), quirks, prepared.upstreamModel, null).body));
  if (prepared.format !== 'vllm-omni-speech') throw uploadedVoiceRefused();
  const request = toUpstreamSpeech({ ...readSpeechRequest(body), voice: null }, quirks, prepared.upstreamModel, null).body;
  const reference = toReferenceBody(request, voice.voice);
  return { contentType: null, contentLength: reference.contentLength, open: () => Readable.from(writeReference(reference, voice)) };
}

/** Said to the caller where no upstream of the model and its fallbacks takes it. */
function uploadedVoiceRefused(): WeirError {
  return new WeirError('invalid_request', { message: 'This model does not speak with voices that were uploaded.', param: 'voice' });
}

async function* writeReference(reference: ReferenceBody, voice: SpokenVoice): AsyncGenerator<Buffer> {
  yield* reference.write(await voice.open());
}

function toPassedBody(facts: RequestFacts, prepared: PreparedCall, { target: { upstream } }: Candidate, { outputCap, hasBudget: holdsMoney }: CallMeter): Buffer {
  const model = toModelSplice(facts, prepared.upstreamModelJson);
  const { leftOut } = prepared;
  const usage = facts.streamUsageSplice === null || leftOut.includes('stream_options') || !streamsUsage(upstream.address) ? null : facts.streamUsageSplice;
  const cap = outputCap ?? (holdsMoney && prepared.outputCapName === 'max_tokens' && !facts.hasMaxTokens ? facts.outputCap : null);
  const thinking = toThinkingSplice(facts, prepared, upstream);
  if (model === null && usage === null && cap === null && thinking === null && leftOut.length === 0) return facts.body;
  const splices: Splice[] = [];
  if (model !== null) splices.push(model);
  if (usage !== null) splices.push(usage);
  // Money is held for the cap: an upstream that does not know its newer name must be told by the older.
  if (cap !== null) splices.push(toCapSplice(facts, prepared.outputCapName, cap));
  if (thinking !== null) splices.push(thinking);
  // Last of all: where a name is put in before the first member, it stays before the place of what is taken out.
  if (leftOut.length > 0) splices.push(...toLeaveOutSplices(facts.body, leftOut));
  if (splices.length > 1) splices.sort((one, other) => one.start - other.start);
  return spliceMembers(facts.body, splices);
}

/** The splice that takes out what another provider thought in an earlier turn, where this one would refuse it. */
function toThinkingSplice({ format, body, hasThinking }: RequestFacts, { upstreamModel }: PreparedCall, { provider, address }: { provider: ProviderName; address: UpstreamAddress }): Splice | null {
  if (!isDialect(format)) return null;
  if (format === 'openai-chat' && (!hasThinking || getProvider(provider).toChatQuirks(address, upstreamModel).refusesThinking !== true)) return null;
  return toForeignThinkingSplice(format, body);
}

/** The splice that gives a body its upstream's model name; null when it has it already, or the path says it. */
function toModelSplice(facts: RequestFacts, upstreamModelJson: string): Splice | null {
  if (facts.format === 'gemini' || facts.format === 'gemini-embed' || facts.format === 'gemini-embed-batch') return null;
  if (facts.modelEnd === 0) {
    const start = facts.body.indexOf(0x7b) + 1;
    return { start, end: start, text: `"model":${upstreamModelJson},` };
  }
  // Text is never longer than its bytes: most names are told apart by that.
  const isSame = upstreamModelJson.length <= facts.modelEnd - facts.modelStart && facts.body.toString('utf8', facts.modelStart, facts.modelEnd) === upstreamModelJson;
  return isSame ? null : { start: facts.modelStart, end: facts.modelEnd, text: upstreamModelJson };
}

/** The splice that sets the cap of a choice's output; `name` is what the upstream calls it. */
function toCapSplice(facts: RequestFacts, name: string, cap: number): Splice {
  if (facts.capHolder !== null) return facts.capHolder.toSplice(cap);
  const empty = facts.emptyCaps.find((member) => member.name === name);
  if (empty !== undefined) return { start: empty.start, end: empty.end, text: String(cap) };
  return { start: facts.membersEnd, end: facts.membersEnd, text: `,"${name}":${cap}` };
}
