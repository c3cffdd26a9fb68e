import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@weir/kernel';
import { type FailureClass, getProvider, isMissingModel, type ProviderFailure } from '@weir/providers';
import { untilPacificMidnightMs } from './pacific-midnight';

const gemini = getProvider('gemini');
const HOUR_MS = 3_600_000;
/** 10:00 in California: 14 hours are left of the day. */
const NOW_MS = Date.parse('2026-11-21T18:00:00Z');
const read = (status: number, name: string, headers: Record<string, string> = {}): ProviderFailure =>
  gemini.readFailure(status, headers, readFileSync(join(__dirname, 'fixtures', name)), NOW_MS);

describe("Google's errors", () => {
  it.each<[status: number, fixture: string, FailureClass]>([
    [400, 'invalid-key.reference.json', 'bad_key'],
    [400, 'expired-key.reference.json', 'bad_key'],
    [401, 'token.reference.json', 'bad_key'],
    [403, 'suspended.reference.json', 'bad_key'],
    [403, 'leaked-key.reference.json', 'bad_key'],
    [403, 'project-denied.reference.json', 'bad_key'],
    [403, 'service-disabled.reference.json', 'bad_key'],
    [403, 'referrer-blocked.reference.json', 'bad_key'],
    [403, 'no-key.reference.json', 'bad_key'],
    [402, 'prepay-depleted.reference.json', 'quota_exhausted'],
    [429, 'prepay-depleted.reference.json', 'quota_exhausted'],
    [403, 'billing-disabled.reference.json', 'quota_exhausted'],
    [400, 'free-tier-country.reference.json', 'quota_exhausted'],
    [429, 'day-quota-of-project.reference.json', 'quota_exhausted'],
    [429, 'minute-quota.reference.json', 'throttled'],
    [429, 'exhausted.reference.json', 'throttled'],
    [429, 'exhausted-list.reference.json', 'throttled'],
    [503, 'overloaded.reference.json', 'fault'],
    [500, 'internal.reference.json', 'fault'],
    [504, 'deadline.reference.json', 'fault'],
    [499, 'cancelled.reference.json', 'fault'],
    [502, 'front-door.reference.html', 'fault'],
    [400, 'invalid-argument.reference.json', 'caller'],
    [400, 'precondition.reference.json', 'caller'],
    [404, 'model-not-found.reference.json', 'caller'],
    [404, 'front-door.reference.html', 'caller'],
    [413, 'front-door.reference.html', 'caller'],
  ])('%i %s is %s', (status, fixture, expected) => {
    expect(read(status, fixture).failureClass).toBe(expected);
  });

  it("disables no key for another's file: any caller could provoke that", () => {
    expect(read(403, 'file-permission.reference.json')).toMatchObject({ failureClass: 'caller', status: 403, type: 'PERMISSION_DENIED' });
  });

  it('disables no key for a place that Google misjudged: that passes', () => {
    expect(read(400, 'location.reference.json').failureClass).toBe('fault');
  });

  it('waits as RetryInfo says', () => {
    expect(read(429, 'minute-quota.reference.json').retryAfterMs).toBe(37_562);
    expect(read(429, 'exhausted.reference.json', { 'retry-after': '3' }).retryAfterMs).toBe(3000);
    expect(read(429, 'exhausted.reference.json').retryAfterMs).toBeNull();
  });

  it("waits until midnight in California for a day's quota", () => {
    expect(read(429, 'day-quota-of-project.reference.json').retryAfterMs).toBe(14 * HOUR_MS);
  });

  it('cools the key for the one model whose day is used up, and leaves it to the others', () => {
    expect(read(429, 'day-quota-of-model.reference.json')).toMatchObject({ failureClass: 'throttled', retryAfterMs: 14 * HOUR_MS });
  });

  it('hides the key that Google names', () => {
    expect(JSON.stringify(read(403, 'suspended.reference.json'))).not.toContain('AIza');
    expect(read(403, 'suspended.reference.json')).toMatchObject({ message: "Permission denied: Consumer 'api_key:…' has been suspended.", code: 'CONSUMER_SUSPENDED' });
    for (const words of ["Consumer 'api_key:AQ.Reference-Reference.Reference_Reference' is x", 'The key AQ.Reference-ReferenceReference is x']) {
      expect(gemini.readFailure(403, {}, Buffer.from(JSON.stringify({ error: { message: words } })), NOW_MS).message).not.toMatch(/Reference/);
    }
  });

  it("keeps the provider's words and gives a missing model its code", () => {
    expect(read(400, 'invalid-argument.reference.json')).toMatchObject({ message: 'Invalid JSON payload received. Unknown name "contentz": Cannot find field.', type: 'INVALID_ARGUMENT', param: 'contentz', code: null });
    expect(isMissingModel(read(404, 'model-not-found.reference.json'))).toBe(true);
    expect(isMissingModel(read(404, 'front-door.reference.html'))).toBe(false);
  });
});

describe('the end of the day in California', () => {
  it.each([
    ['winter', '2026-11-21T18:00:00Z', 14],
    ['summer', '2026-07-01T18:00:00Z', 13],
    ['midnight itself', '2026-11-21T08:00:00Z', 24],
    // Clocks go back on 1 November 2026, forward on 8 March 2026.
    ['a day of 25 hours', '2026-11-01T07:30:00Z', 24.5],
    ['a day of 23 hours', '2026-03-08T08:30:00Z', 22.5],
  ])('%s', (_, now, hours) => {
    expect(untilPacificMidnightMs(Date.parse(now)) / HOUR_MS).toBe(hours);
  });
});

describe('where a request to Google goes', () => {
  const at = (basePath: string) => ({ origin: 'https://generativelanguage.googleapis.com', basePath, options: {} });

  it.each([
    ['', '/v1beta/models/m:generateContent'],
    ['/v1beta', '/v1beta/models/m:generateContent'],
    ['/v1', '/v1/models/m:generateContent'],
    ['/google', '/google/v1beta/models/m:generateContent'],
  ])('takes a base path %j with and without its version', (basePath, expected) => {
    expect(gemini.toPath(at(basePath), 'gemini', 'm', false)).toBe(expected);
  });

  it('names the method in the path', () => {
    expect(gemini.toPath(at(''), 'gemini', 'm', true)).toBe('/v1beta/models/m:streamGenerateContent?alt=sse');
    expect(gemini.toPath(at(''), 'gemini-embed', 'm', false)).toBe('/v1beta/models/m:embedContent');
    expect(gemini.toPath(at(''), 'gemini-embed-batch', 'm', true)).toBe('/v1beta/models/m:batchEmbedContents');
  });

  it.each([
    ['models/m', '/v1beta/models/m'],
    ['tunedModels/m', '/v1beta/tunedModels/m'],
    ['a/b?c#d', '/v1beta/models/a%2Fb%3Fc%23d'],
    ['../../x', '/v1beta/models/..%2F..%2Fx'],
  ])('takes the model %j, and nothing in it leaves its place', (model, expected) => {
    expect(gemini.toPath(at(''), 'gemini', model, false)).toBe(`${expected}:generateContent`);
  });

  it('sends the key in a header, never in the URL', () => {
    expect(gemini.toAuthorization(new Secret('k'))).toEqual(['x-goog-api-key', 'k']);
  });
});
