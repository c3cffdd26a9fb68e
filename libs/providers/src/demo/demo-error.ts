import { type WeirError } from '@weir/kernel';

/** A refusal in OpenAI's shape: all four keys, because the official SDKs read them all. */
export function toDemoErrorBody(error: WeirError) {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code } };
}
