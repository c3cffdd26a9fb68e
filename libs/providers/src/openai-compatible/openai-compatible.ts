import { openai } from '../openai/openai';
import { type Provider } from '../provider';

/**
 * Any server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, Ollama and hosted services. The
 * base URL says where, including `/v1` where the server has it.
 */
export const openaiCompatible: Provider = { ...openai, name: 'openai-compatible' };
