/** Speech: what a request may say, how servers of one's own are asked, what a stream of it tells. Pure. */
export * from './read-speech-event';
export * from './read-speech-request';
export * from './speech-format';
export * from './to-upstream-speech';
export * from './voices';
