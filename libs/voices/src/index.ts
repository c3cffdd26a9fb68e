/**
 * voices owns the recordings that organizations let TTS services speak like: the table of voices,
 * the life of their files in the store, and the form in which one is handed to a service.
 */
export { type AudioMediaType } from './audio-type';
export { parseVoiceFields, parseVoiceName, type VoiceFields } from './parse-voice-fields';
export { type ReferenceBody, toReferenceBody } from './to-reference-body';
export { isVoiceId, type Voice, type VoiceId } from './voice';
export { type StoredSample, type VoiceOwner, type VoicePage, Voices } from './voices';
export * from './voices.module';
