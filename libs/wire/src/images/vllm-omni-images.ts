import { zeroUsage } from '@weir/kernel';
import { type BodyConversion } from '../body-conversion';
import { JsonObject, toRefusal } from '../dialects/json-object';
import { refuseReferences } from '../refuse-references';
import { readImagesRequest } from './read-images-request';

/** OpenAI's, which change the look or the price of a picture there, and mean nothing to a model of one's own: dropped. */
const DROPPED: readonly string[] = ['quality', 'style', 'moderation', 'output_compression', 'user', 'safety_identifier', 'partial_images', 'stream', 'model'];
/** The caller's own words, in which a URL is something to draw. */
const FREE_TEXTS: readonly string[] = ['prompt', 'negative_prompt', 'system_prompt'];
/** Members by which a server loads what the caller names. */
const LOADED: readonly string[] = ['lora', 'loras', 'image', 'images', 'mask', 'url'];

/**
 * Pictures by a diffusion server with OpenAI's route (vLLM-Omni with Z-Image, Qwen-Image and others).
 * Its own members (`negative_prompt`, `num_inference_steps`, `guidance_scale`, `seed`, …) pass.
 * Pictures come as base64: the server has no place of its own to put them.
 * https://docs.vllm.ai/projects/vllm-omni
 */
export const vllmOmniImages: BodyConversion = {
  toUpstream: (body, upstreamModel) => {
    const facts = readImagesRequest(body);
    if (facts.responseFormat === 'url') throw toRefusal('response_format', 'must be b64_json for this model');
    if (facts.isStream) throw toRefusal('stream', 'may not be true for this model');
    const request = JsonObject.of(body, '', 'caller');
    if (request.find('background') === 'transparent') throw toRefusal('background', 'may not be transparent for this model');
    const members = Object.entries(request.members).filter(([name, value]) => value !== null && name !== 'background' && !DROPPED.includes(name));
    for (const [name, value] of members) {
      if (LOADED.includes(name)) throw toRefusal(name, 'is not taken by this model');
      if (!FREE_TEXTS.includes(name)) refuseReferences(value, name);
    }
    const sent = members.filter(([name, value]) => name !== 'size' || value !== 'auto');
    return { ...Object.fromEntries(sent), model: upstreamModel, n: facts.images, response_format: 'b64_json' };
  },
  toCaller: (answer, request) => {
    const { members, fault, items } = readAnswer(answer, readImagesRequest(request).images);
    const data = items.map((item, index) => {
      const picture = item.findText('b64_json');
      if (picture === null || picture === '') throw fault(`data[${index}].b64_json`, 'is missing');
      // Null members of the server (`url`, `revised_prompt`) break clients that take them for texts.
      return { b64_json: picture };
    });
    const usage = zeroUsage();
    usage.images = data.length;
    usage.requests = 1;
    return { body: { created: members.created ?? 0, ...pick(members, ['output_format', 'size']), data }, usage };
  },
};

function readAnswer(answer: unknown, count: number) {
  const body = JsonObject.of(answer, '', 'upstream');
  const items = body.findObjects('data');
  if (items?.length !== count) throw body.fault('data', `must hold ${count} pictures`);
  return { members: body.members, items, fault: (name: string, what: string) => body.fault(name, what) };
}

function pick(members: Readonly<Record<string, unknown>>, names: readonly string[]): object {
  return Object.fromEntries(names.flatMap((name) => (typeof members[name] === 'string' ? [[name, members[name]]] : [])));
}
