import { isJsonObject, JsonObject, toRefusal } from '../dialects/json-object';
import { readMediaUrl } from '../dialects/media';
import { countCodePoints } from '../count-code-points';

/** What is known of a moderation before it is done. OpenAI charges nothing for it, and tells no tokens. */
export interface ModerationFacts {
  readonly inputs: number;
  readonly characters: number;
}

/**
 * Checks a moderation request (https://platform.openai.com/docs/api-reference/moderations): `input` is a
 * text, texts, or parts `{type: "text"}` and `{type: "image_url"}`. Pictures may be URLs of the web: the
 * provider fetches them, from outside. Members that are not known pass.
 * @throws WeirError invalid_request that names the field
 */
export function checkModerationRequest(body: unknown): ModerationFacts {
  const request = JsonObject.of(body, '', 'caller');
  const input = request.find('input');
  if (typeof input === 'string') return { inputs: 1, characters: checkText(input, 'input') };
  const list = request.findList('input');
  if (list === null) throw request.fault('input', 'is required');
  if (list.length === 0) throw request.fault('input', 'must not be empty');
  return { inputs: list.length, characters: list.reduce<number>((sum, item, index) => sum + checkItem(item, `input[${index}]`), 0) };
}

function checkItem(item: unknown, field: string): number {
  if (typeof item === 'string') return checkText(item, field);
  if (!isJsonObject(item)) throw toRefusal(field, 'must be a string or a part with a type');
  const part = JsonObject.of(item, field, 'caller');
  switch (part.findChoice('type', ['text', 'image_url'])) {
    case 'text':
      return checkText(part.getText('text'), part.pathOf('text'));
    case 'image_url': {
      const image = part.getObject('image_url');
      readMediaUrl(image.getText('url'), image.pathOf('url'));
      return 0;
    }
    case null:
      throw part.fault('type', 'is required');
  }
}

function checkText(text: string, field: string): number {
  if (text === '') throw toRefusal(field, 'must not be empty');
  return countCodePoints(text);
}
