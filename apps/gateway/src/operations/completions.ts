import { type OperationDefinition, requireMember } from './operation-definition';

/** The older text completions: https://platform.openai.com/docs/api-reference/completions */
export const completions: OperationDefinition = {
  operation: 'completions',
  path: '/completions',
  canStream: true,
  checkBody: (body) => requireMember(body, 'prompt', ['string', 'array']),
};
