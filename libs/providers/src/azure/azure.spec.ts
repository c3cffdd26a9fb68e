import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@weir/kernel';
import { type FailureClass, getProvider, isMissingModel, type ProviderFailure } from '@weir/providers';
import { type WireFormat } from '@weir/wire';

const azure = getProvider('azure');
const read = (status: number, name: string): ProviderFailure => azure.readFailure(status, {}, readFileSync(join(__dirname, 'fixtures', name)), 0);

describe("Azure's errors", () => {
  it.each<[status: number, fixture: string, FailureClass]>([
    [401, 'invalid-key.reference.json', 'bad_key'],
    [403, 'keys-disabled.reference.json', 'bad_key'],
    [403, 'firewall.reference.json', 'fault'],
    [429, 'rate-limit.reference.json', 'throttled'],
    [403, 'call-volume.reference.json', 'quota_exhausted'],
    [400, 'content-filter.reference.json', 'caller'],
    [404, 'no-deployment.reference.json', 'caller'],
  ])('%i %s is %s', (status, fixture, expected) => {
    expect(read(status, fixture).failureClass).toBe(expected);
  });

  it('keeps what the content filter found', () => {
    expect(read(400, 'content-filter.reference.json')).toMatchObject({
      code: 'content_filter',
      param: 'prompt',
      innerErrorJson: '{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}',
    });
  });

  it('knows a deployment that is not there', () => {
    expect(isMissingModel(read(404, 'no-deployment.reference.json'))).toBe(true);
  });
});

describe('where a request to Azure goes', () => {
  const at = (basePath: string, options: Record<string, unknown> = {}) => ({ origin: 'https://r.openai.azure.com', basePath, options });

  it.each<[WireFormat, string]>([
    ['openai-chat', '/chat/completions'],
    ['openai-completions', '/completions'],
    ['openai-embeddings', '/embeddings'],
    ['openai-speech', '/audio/speech'],
    ['openai-transcriptions', '/audio/transcriptions'],
    ['openai-translations', '/audio/translations'],
    ['openai-images', '/images/generations'],
    ['openai-image-edits', '/images/edits'],
  ])('says %s in both shapes of its URLs', (format, path) => {
    expect(azure.toPath(at('', { api_version: '2025-01-01-preview' }), format, 'a b/c', false)).toBe(`/openai/deployments/a%20b%2Fc${path}?api-version=2025-01-01-preview`);
    expect(azure.toPath(at('/openai'), format, 'd', false)).toBe(`/openai/deployments/d${path}?api-version=2024-10-21`);
    expect(azure.toPath(at('/openai/v1'), format, 'd', false)).toBe(`/openai/v1${path}`);
    expect(azure.toPath(at('', { api_version: 'v1' }), format, 'd', false)).toBe(`/openai/v1${path}`);
  });

  it('has responses at one address for all deployments', () => {
    expect(azure.toPath(at(''), 'openai-responses', 'd', false)).toBe('/openai/v1/responses');
  });

  it.each(['.', '..'])('lets no deployment called %j climb out of its folder', (name) => {
    expect(azure.toPath(at(''), 'openai-chat', name, false)).toBe('/openai/deployments/_/chat/completions?api-version=2024-10-21');
  });

  it("sends keys in Azure's header, and Entra's tokens as bearer tokens", () => {
    expect(azure.toAuthorization(new Secret('0123456789abcdef'))).toEqual(['api-key', '0123456789abcdef']);
    expect(azure.toAuthorization(new Secret('eyJ-key'))).toEqual(['api-key', 'eyJ-key']);
    expect(azure.toAuthorization(new Secret('eyJhbGci.eyJhdWQi.c2ln'))).toEqual(['authorization', 'Bearer eyJhbGci.eyJhdWQi.c2ln']);
  });
});
