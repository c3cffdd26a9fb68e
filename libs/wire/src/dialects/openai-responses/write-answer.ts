import { type AnswerPart, type ConversationAnswer } from '../conversation';
import { type OutputItem, OutputItems, toContentJson, toItemJson, toSummaryJson } from './output-item';
import { ResponseObject, type ResponsesAnswerOptions, toResponseEnd } from './response-object';

/**
 * Writes an answer for a caller that speaks OpenAI's Responses, as JSON text: the Response object,
 * without `output_text`, which is the SDKs' own and no part of what OpenAI sends.
 */
export function writeResponsesAnswer(answer: ConversationAnswer, options: ResponsesAnswerOptions): string {
  const response = new ResponseObject(answer.id, options);
  const items = new OutputItems(response.key);
  const end = toResponseEnd(answer.stopReason, answer.parts.some(({ type }) => type === 'refusal'));
  const last = answer.parts.length - 1;
  const output = answer.parts.map((part, index) => {
    const isCut = end.status === 'incomplete' && index === last;
    return toPartJson(part, items.create(index, toStart(part)), isCut ? 'incomplete' : 'completed');
  });
  return response.toJson({ ...end, output, usage: answer.usage });
}

function toStart(part: AnswerPart): OutputItem['start'] {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return { type: part.type };
    case 'reasoning':
      return { type: part.type, redactedData: part.redactedData };
    case 'tool_call':
      return { type: part.type, id: part.id, name: part.name };
  }
}

function toPartJson(part: AnswerPart, item: OutputItem, status: 'completed' | 'incomplete'): string {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return toItemJson(item, status, toContentJson(part.type, JSON.stringify(part.text)), null);
    case 'reasoning':
      return toItemJson(item, status, part.text === '' ? '' : toSummaryJson(JSON.stringify(part.text)), part.signature);
    case 'tool_call':
      return toItemJson(item, status, JSON.stringify(part.argumentsJson), null);
  }
}
