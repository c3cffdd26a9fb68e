import { createHash } from 'node:crypto';
import { type DemoInput, parseDemoInputs } from './demo-input';
import { invalid, parseModel, parseObject, parseOptionalInteger } from './demo-request';

/** The length of a vector when the caller asks for none, and the largest that there is. */
export const DEMO_EMBEDDING_DIMENSIONS = 256;

export interface DemoEmbeddingsRequest {
  readonly model: string;
  readonly inputs: readonly DemoInput[];
  readonly dimensions: number;
  readonly encodingFormat: 'float' | 'base64';
}

function parseEncodingFormat(value: unknown): 'float' | 'base64' {
  if (value === undefined || value === null || value === 'float') return 'float';
  if (value === 'base64') return 'base64';
  throw invalid('encoding_format', "'encoding_format' must be 'float' or 'base64'.");
}

/** @throws WeirError `invalid_request` that names the field at fault. */
export function parseDemoEmbeddingsRequest(body: unknown): DemoEmbeddingsRequest {
  const request = parseObject(body);
  return {
    model: parseModel(request),
    inputs: parseDemoInputs(request.input, 'input', { emptyAllowed: false }),
    dimensions: parseOptionalInteger(request, 'dimensions', 1, DEMO_EMBEDDING_DIMENSIONS) ?? DEMO_EMBEDDING_DIMENSIONS,
    encodingFormat: parseEncodingFormat(request.encoding_format),
  };
}

/** A vector of length 1 that depends on the text alone: equal texts are equal, others are unrelated. */
export function toDemoVector(text: string, dimensions: number): Float32Array {
  const values = new Float64Array(dimensions);
  let squares = 0;
  let block = createHash('sha256').update(text).digest();
  for (let index = 0, offset = 0; index < dimensions; index++, offset += 4) {
    if (offset === block.length) {
      block = createHash('sha256').update(block).digest();
      offset = 0;
    }
    // Odd numerators only: no component is 0, so the vector never has length 0.
    values[index] = (block.readInt32LE(offset) | 1) / 0x80000000;
    squares += values[index] ** 2;
  }
  const length = Math.sqrt(squares);
  return Float32Array.from(values, (value) => value / length);
}

function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString('base64');
}

export function toDemoEmbeddingsAnswer(request: DemoEmbeddingsRequest) {
  const tokens = request.inputs.reduce((sum, input) => sum + input.tokens, 0);
  return {
    object: 'list',
    data: request.inputs.map((input, index) => {
      const vector = toDemoVector(input.text, request.dimensions);
      return {
        object: 'embedding',
        index,
        embedding: request.encodingFormat === 'base64' ? toBase64(vector) : Array.from(vector),
      };
    }),
    model: request.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}
