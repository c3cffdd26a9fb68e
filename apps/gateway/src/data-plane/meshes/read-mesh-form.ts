import { type IncomingMessage } from 'node:http';
import { type Readable } from 'node:stream';
import { WeirError } from '@weir/kernel';
import { type MultipartField, type MultipartForm } from '../multipart/multipart-form';
import { readMultipart } from '../multipart/read-multipart';

const MESH_FORM: MultipartForm = { parts: new Map([['image', { kind: 'file', isRequired: true }]]), isOpen: true };
const NUMBER = /^-?(?:0|[1-9]\d{0,15})(?:\.\d{1,15})?$/;
const IMAGE_TYPE = /^image\/[a-z0-9.+-]{1,40}$/;

/**
 * The form of a request for a mesh, said as its JSON: `image` is a file, everything else a text; what
 * looks like a number or a flag is one.
 * @param maxBytes of the picture
 * @throws WeirError as readMultipart
 */
export async function readMeshForm(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const { fields, files } = await readMultipart(request, MESH_FORM, { maxFileBytes: maxBytes }, async ({ content, mediaType }) => toPicture(await readAll(content), mediaType));
  const [image] = files;
  if (image === '') throw new WeirError('invalid_request', { message: "Invalid 'image': the file is empty.", param: 'image' });
  return Buffer.from(JSON.stringify({ ...toMembers(fields), image }));
}

/** A picture whose type is declared is held to it; one without is known by its bytes. */
function toPicture(bytes: Buffer, mediaType: string | null): string {
  const base64 = bytes.toString('base64');
  return mediaType !== null && IMAGE_TYPE.test(mediaType) && base64 !== '' ? `data:${mediaType};base64,${base64}` : base64;
}

async function readAll(content: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** By their own names, `__proto__` too: what may not be there is refused where JSON is. */
function toMembers(fields: readonly MultipartField[]): Record<string, unknown> {
  return Object.fromEntries(fields.map(({ name, value }) => [name, name === 'model' ? value : toScalar(value)]));
}

function toScalar(text: string): unknown {
  if (NUMBER.test(text)) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}
