import { WeirError } from '@weir/kernel';

/** What a voice may be recorded in. */
export type AudioMediaType = 'audio/wav' | 'audio/mpeg' | 'audio/flac' | 'audio/ogg' | 'audio/mp4' | 'audio/webm' | 'audio/aac';

/** So many bytes of a file's beginning tell its type. */
export const AUDIO_HEAD_BYTES = 256;

/** What clients and operating systems call the same types. Containers of audio alone are often announced as video. */
const ANNOUNCED: ReadonlyMap<string, AudioMediaType> = new Map<string, AudioMediaType>([
  ...names('audio/wav', 'audio/wav', 'audio/x-wav', 'audio/wave', 'audio/vnd.wave', 'audio/x-pn-wav'),
  ...names('audio/mpeg', 'audio/mpeg', 'audio/mp3', 'audio/mpeg3', 'audio/x-mpeg', 'audio/x-mp3', 'audio/mpga'),
  ...names('audio/flac', 'audio/flac', 'audio/x-flac'),
  ...names('audio/ogg', 'audio/ogg', 'audio/opus', 'audio/vorbis', 'audio/x-ogg', 'application/ogg'),
  ...names('audio/mp4', 'audio/mp4', 'audio/m4a', 'audio/x-m4a', 'audio/mp4a-latm', 'video/mp4'),
  ...names('audio/webm', 'audio/webm', 'video/webm'),
  ...names('audio/aac', 'audio/aac', 'audio/x-aac', 'audio/aacp'),
]);
/** Says nothing of the content. */
const UNTOLD: ReadonlySet<string> = new Set(['application/octet-stream', 'binary/octet-stream', '']);

/** Brands of ISO base media files that hold sound (https://mp4ra.org/registered-types/brands); pictures have others. */
const AUDIO_BRAND = /^(?:M4A |M4B |M4P |F4A |mp4[12]|iso[m2-9]|dash|3gp.|3g2.)$/;
const OGG_CODECS = ['OpusHead', '\x01vorbis', '\x7fFLAC', 'Speex   '] as const;
const OGG_PAGE_HEAD_BYTES = 27;
const EBML_DOCTYPE = Buffer.from([0x42, 0x82, 0x84, ...Buffer.from('webm')]);

/** The type of a file by its first bytes, at most AUDIO_HEAD_BYTES; null when it is none that a voice may be. */
export function detectAudioType(head: Buffer): AudioMediaType | null {
  if (startsWith(head, 0, 'RIFF') && startsWith(head, 8, 'WAVE')) return 'audio/wav';
  if (startsWith(head, 0, 'fLaC')) return 'audio/flac';
  if (isOggAudio(head)) return 'audio/ogg';
  if (startsWith(head, 4, 'ftyp') && AUDIO_BRAND.test(head.toString('latin1', 8, 12))) return 'audio/mp4';
  if (head.length > 4 && head.readUInt32BE(0) === 0x1a45dfa3 && head.includes(EBML_DOCTYPE)) return 'audio/webm';
  if (isId3(head) || isMp3Frame(head)) return 'audio/mpeg';
  return isAdtsFrame(head) ? 'audio/aac' : null;
}

/**
 * What a file is, by its bytes; what its sender called it must agree.
 * @param announced the part's Content-Type; null and application/octet-stream announce nothing
 * @throws WeirError invalid_request that names `audio_sample`
 */
export function requireAudioType(head: Buffer, announced: string | null): AudioMediaType {
  if (head.length === 0) throw invalidSample('The file audio_sample is empty.');
  const found = detectAudioType(head);
  if (found === null) throw invalidSample('The file audio_sample is not a recording in wav, mp3, flac, ogg, m4a, webm or aac.');
  const name = (announced ?? '').split(';', 1)[0].trim().toLowerCase();
  if (!UNTOLD.has(name) && ANNOUNCED.get(name) !== found) {
    throw invalidSample(`The file audio_sample is ${found}, but its Content-Type says something else.`);
  }
  return found;
}

function names(type: AudioMediaType, ...aliases: string[]): [string, AudioMediaType][] {
  return aliases.map((alias) => [alias, type]);
}

function startsWith(head: Buffer, offset: number, text: string): boolean {
  return head.toString('latin1', offset, offset + text.length) === text;
}

/** The first page holds the codec's own beginning, right behind the list of its segments. */
function isOggAudio(head: Buffer): boolean {
  if (!startsWith(head, 0, 'OggS') || head.length <= OGG_PAGE_HEAD_BYTES) return false;
  const offset = OGG_PAGE_HEAD_BYTES + head[OGG_PAGE_HEAD_BYTES - 1];
  return OGG_CODECS.some((codec) => startsWith(head, offset, codec));
}

/** https://id3.org/id3v2.3.0: its length has seven bits a byte. */
function isId3(head: Buffer): boolean {
  return startsWith(head, 0, 'ID3') && head.length >= 10 && head[3] < 0xff && head.subarray(6, 10).every((byte) => byte < 0x80);
}

/** ISO 11172-3 §2.4.1.3, layer III only: the marks of other layers are also those of other files, such as UTF-16 text. */
function isMp3Frame(head: Buffer): boolean {
  if (head.length < 4 || head[0] !== 0xff || (head[1] & 0xe6) !== 0xe2) return false;
  const [version, bitrate, rate] = [(head[1] >> 3) & 3, head[2] >> 4, (head[2] >> 2) & 3];
  return version !== 1 && bitrate !== 0 && bitrate !== 15 && rate !== 3;
}

/** ISO 13818-7 §6.2: the layer is always 0, and of sixteen sample rates thirteen exist. */
function isAdtsFrame(head: Buffer): boolean {
  return head.length >= 7 && head[0] === 0xff && (head[1] & 0xf6) === 0xf0 && ((head[2] >> 2) & 15) < 13;
}

function invalidSample(message: string): WeirError {
  return new WeirError('invalid_request', { message, param: 'audio_sample' });
}
