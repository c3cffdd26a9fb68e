import { type OperationDefinition, requireMember } from './operation-definition';

/** Chat completions: https://platform.openai.com/docs/api-reference/chat */
export const chat: OperationDefinition = {
  operation: 'chat',
  path: '/chat/completions',
  canStream: true,
  checkBody: (body) => requireMember(body, 'messages', ['array']),
};
