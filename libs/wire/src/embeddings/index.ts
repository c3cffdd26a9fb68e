/** The dialects of embeddings, over one neutral form. Pure. */
export * from './embedding-conversions';
export * from './embedding-request';
export * from './gemini-embeddings';
export * from './openai-embeddings';
export * from './vector';
