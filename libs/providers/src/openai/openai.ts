import { readChatUsage } from '@weir/wire';
import { type Provider } from '../provider';
import { readOpenAiFailure } from './openai-failure';
import { OPENAI_PATHS } from './openai-paths';

/** OpenAI's API (https://platform.openai.com/docs/api-reference). The base URL ends in `/v1`. */
export const openai: Provider = {
  name: 'openai',
  toPath: (address, operation) => address.basePath + OPENAI_PATHS[operation],
  toAuthorization: (secret) => ['authorization', `Bearer ${secret.expose()}`],
  readFailure: readOpenAiFailure,
  readUsage: readChatUsage,
};
