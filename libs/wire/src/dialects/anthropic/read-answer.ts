import { type AnswerPart, type ConversationAnswer } from '../conversation';
import { JsonObject } from '../json-object';
import { readAnthropicUsage } from './read-usage';
import { readAnthropicStopReason } from './stop-reason';

/**
 * Reads an answer of Anthropic's `POST /v1/messages`. Blocks that are not known (Weir asks for no
 * server tools) are dropped. The explanation of a refusal becomes a refusal part.
 * @param body the parsed JSON (parseExactJson)
 * @throws WeirError upstream_error
 */
export function readAnthropicAnswer(body: unknown): ConversationAnswer {
  const answer = JsonObject.of(body, '', 'upstream');
  const blocks = answer.findObjects('content');
  if (blocks === null) throw answer.fault('content', 'must hold an answer');
  const explanation = answer.findObject('stop_details')?.findText('explanation') ?? '';
  const parts = blocks.flatMap(readBlock);
  return {
    id: answer.findText('id') ?? '',
    model: answer.findText('model') ?? '',
    parts: explanation === '' ? parts : [...parts, { type: 'refusal', text: explanation }],
    stopReason: readAnthropicStopReason(answer.findText('stop_reason')),
    stopSequence: answer.findText('stop_sequence'),
    usage: readAnthropicUsage(answer.find('usage')),
  };
}

function readBlock(block: JsonObject): AnswerPart[] {
  switch (block.findText('type')) {
    case 'text': {
      const text = block.getText('text');
      return text === '' ? [] : [{ type: 'text', text }];
    }
    case 'thinking': {
      const signature = block.findText('signature') ?? '';
      return [{ type: 'reasoning', text: block.findText('thinking') ?? '', signature: signature === '' ? null : signature, redactedData: null }];
    }
    case 'redacted_thinking':
      return [{ type: 'reasoning', text: '', signature: null, redactedData: block.getText('data') }];
    case 'tool_use':
      return [{ type: 'tool_call', id: block.getText('id'), name: block.getText('name'), argumentsJson: JSON.stringify(block.findRecord('input') ?? {}) }];
    default:
      return [];
  }
}
