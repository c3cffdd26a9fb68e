import 'reflect-metadata';
import { OPERATIONS } from '@weir/kernel';
import { loadConfiguration } from '@weir/platform';
import { BACKEND_NAMES, KNOWN_BACKENDS } from '../apply/known-backends';
import { toGpuBackends, toGpuPlace } from './import-gpu-services';

const backendsOf = (environment: NodeJS.ProcessEnv): object => toGpuBackends(loadConfiguration(environment));

describe('toGpuBackends', () => {
  it('finds nothing where nothing is named', () => {
    expect(backendsOf({})).toEqual({});
    expect(backendsOf({ PORT_VLM: '7000' })).toEqual({});
  });

  it('finds all services of a machine, at the ports that they are known to have', () => {
    expect(backendsOf({ EMBED_SERVER_1: 'gpu-1', EMBED_SERVER_2: '10.0.0.2' })).toEqual({
      siglip2: { url: 'http://gpu-1:6010' },
      embed_4b: { url: 'http://gpu-1:6011' },
      embed_text_bge: { url: 'http://gpu-1:6012' },
      rerank_4b: { url: 'http://gpu-1:6013' },
      zimage: { url: 'http://gpu-1:6006' },
      embed_8b: { url: 'http://10.0.0.2:6014' },
      rerank_8b: { url: 'http://10.0.0.2:6015' },
    });
  });

  it('takes other ports, schemes, IPv6 addresses and whole URLs', () => {
    expect(backendsOf({ VLM_HOST: 'https://vlm.internal', PORT_VLM: '7000', TRELLIS_HOST: 'fd00::7', QWEN3_TTS_URL: 'http://127.0.0.1:8019', INDEXTTS_URL: 'http://127.0.0.1:8081/tts' })).toEqual({
      vlm: { url: 'https://vlm.internal:7000' },
      trellis: { url: 'http://[fd00::7]:8000' },
      'qwen3-tts': { url: 'http://127.0.0.1:8019' },
      indextts: { url: 'http://127.0.0.1:8081/tts' },
    });
    expect(backendsOf({ TRELLIS_HOST: '[fd00::7]' })).toEqual({ trellis: { url: 'http://[fd00::7]:8000' } });
  });

  it('knows a variable for each service, and names it in messages', () => {
    const all = backendsOf({ EMBED_SERVER_1: 'a', EMBED_SERVER_2: 'a', VLM_HOST: 'a', TRELLIS_HOST: 'a', QWEN3_TTS_URL: 'http://a', INDEXTTS_URL: 'http://a' });
    expect(Object.keys(all).toSorted()).toEqual([...BACKEND_NAMES].toSorted());
    expect(toGpuPlace('siglip2')('url')).toBe('EMBED_SERVER_1 (siglip2)');
    expect(toGpuPlace('indextts')('price')).toBe('INDEXTTS_URL (indextts, price)');
  });

  it('offers what the operations know, each under a name of its own', () => {
    const models = BACKEND_NAMES.map((name) => KNOWN_BACKENDS[name].model);
    expect(new Set(models).size).toBe(models.length);
    for (const name of BACKEND_NAMES) expect(OPERATIONS).toContain(KNOWN_BACKENDS[name].operation);
  });

  it('knows the models that the short routes take by default', () => {
    const { defaultEmbed, defaultRerank } = loadConfiguration({});
    const operationOf = (model: string): string | undefined => BACKEND_NAMES.map((name) => KNOWN_BACKENDS[name]).find((known) => known.model === model)?.operation;
    expect(operationOf(defaultEmbed)).toBe('embeddings');
    expect(operationOf(defaultRerank)).toBe('rerank');
  });
});
