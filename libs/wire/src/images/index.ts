/** Pictures that are asked for or sent along: what a request may say, and what an answer used. Pure. */
export * from './read-image-data';
export * from './read-images-request';
export * from './read-images-usage';
export * from './vllm-omni-images';
