import { type AnswerPart, type ContentPart, type ConversationTurn, type TextPart, type UserPart } from '../conversation';
import { type JsonObject } from '../json-object';
import { readBase64, readMediaUrl } from '../media';

/** Top-level `system`: a string, or blocks of text. */
export function readSystem(request: JsonObject): readonly TextPart[] {
  return request.has('system') ? readBlocks(request, 'system', readTextBlock) : [];
}

/**
 * Reads `messages`. Empty texts, and messages in which nothing is left, are dropped. Members of a
 * block that are not known (cache_control, citations) are dropped, blocks that are not known refused.
 * @throws WeirError invalid_request
 */
export function readAnthropicMessages(messages: readonly JsonObject[]): readonly ConversationTurn[] {
  return messages.map(readMessage).filter(({ parts }) => parts.length > 0);
}

function readMessage(message: JsonObject): ConversationTurn {
  const role = message.findChoice('role', ['user', 'assistant', 'system']);
  switch (role) {
    case 'user':
      return { role, parts: readBlocks(message, 'content', readUserBlock) };
    case 'assistant':
      return { role, parts: readBlocks(message, 'content', readAssistantBlock) };
    case 'system':
      return { role, parts: readBlocks(message, 'content', readTextBlock) };
    case null:
      throw message.fault('role', 'is required');
  }
}

function readBlocks<Part extends UserPart | AnswerPart>(holder: JsonObject, name: string, readBlock: (block: JsonObject) => Part): readonly (Part | TextPart)[] {
  const content = holder.find(name);
  if (content === null) throw holder.fault(name, 'is required');
  const parts: readonly (Part | TextPart)[] = typeof content === 'string' ? [{ type: 'text', text: content }] : (holder.findObjects(name) ?? []).map(readBlock);
  return parts.filter((part) => part.type !== 'text' || part.text !== '');
}

function readTextBlock(block: JsonObject): TextPart {
  if (block.findText('type') !== 'text') throw block.fault('type', 'must be text');
  return { type: 'text', text: block.getText('text') };
}

function readContentBlock(block: JsonObject): ContentPart {
  switch (block.findText('type')) {
    case 'text':
      return readTextBlock(block);
    case 'image':
      return readImage(block);
    case 'document':
      return readDocument(block);
    default:
      throw block.fault('type', 'cannot be translated for this model');
  }
}

function readUserBlock(block: JsonObject): UserPart {
  if (block.findText('type') !== 'tool_result') return readContentBlock(block);
  return {
    type: 'tool_result',
    callId: block.getText('tool_use_id'),
    parts: block.has('content') ? readBlocks(block, 'content', readContentBlock) : [],
    isError: block.findFlag('is_error') ?? false,
  };
}

function readAssistantBlock(block: JsonObject): AnswerPart {
  switch (block.findText('type')) {
    case 'text':
      return readTextBlock(block);
    case 'thinking':
      // An empty signature is Weir's own, of a model that does not sign: no provider takes it.
      return { type: 'reasoning', text: block.getText('thinking'), signature: block.findText('signature') || null, redactedData: null };
    case 'redacted_thinking':
      return { type: 'reasoning', text: '', signature: null, redactedData: block.getText('data') };
    case 'tool_use': {
      const input = block.findRecord('input') ?? {};
      return { type: 'tool_call', id: block.getText('id'), name: block.getText('name'), argumentsJson: JSON.stringify(input) };
    }
    default:
      throw block.fault('type', 'cannot be translated for this model');
  }
}

function readImage(block: JsonObject): ContentPart {
  const source = block.getObject('source');
  switch (source.findChoice('type', ['base64', 'url', 'file'])) {
    case 'base64':
      return { type: 'image', source: readBase64(source.getText('media_type'), source.getText('data'), source.pathOf('data')), detail: null, field: block.path };
    case 'url':
      return { type: 'image', source: readMediaUrl(source.getText('url'), source.pathOf('url')), detail: null, field: block.path };
    default:
      throw toUploadedFile(source);
  }
}

function readDocument(block: JsonObject): ContentPart {
  const source = block.getObject('source');
  const name = block.findText('title');
  switch (source.findChoice('type', ['base64', 'url', 'text', 'content', 'file'])) {
    case 'base64':
      return { type: 'file', source: readBase64(source.getText('media_type'), source.getText('data'), source.pathOf('data')), name, field: block.path };
    case 'url':
      return { type: 'file', source: readMediaUrl(source.getText('url'), source.pathOf('url')), name, field: block.path };
    case 'text':
      return { type: 'file', source: { type: 'text', text: source.getText('data') }, name, field: block.path };
    case 'content':
      throw source.fault('type', 'cannot be translated for this model: send the content as blocks of the message');
    default:
      throw toUploadedFile(source);
  }
}

function toUploadedFile(source: JsonObject): Error {
  return source.fault('type', 'cannot be translated for this model: an uploaded file is known to its own provider only');
}
