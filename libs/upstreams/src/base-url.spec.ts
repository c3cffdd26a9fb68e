import { BaseUrlError, parseBaseUrl } from './base-url';

describe('parseBaseUrl', () => {
  it.each([
    ['https://api.openai.com/v1', 'https://api.openai.com', '/v1'],
    ['https://api.openai.com/v1/', 'https://api.openai.com', '/v1'],
    ['https://API.OpenAI.com', 'https://api.openai.com', ''],
    ['https://api.openai.com:443/', 'https://api.openai.com', ''],
    ['http://10.0.0.7:8000/a/b//', 'http://10.0.0.7:8000', '/a/b'],
    ['http://[fd12::1]:8000', 'http://[fd12::1]:8000', ''],
    ['http://demo.weir.internal/v1', 'http://demo.weir.internal', '/v1'],
  ])('takes %s apart', (url, origin, basePath) => {
    expect(parseBaseUrl(url)).toEqual({ origin, basePath });
  });

  it.each([
    [null],
    [7],
    [''],
    ['api.openai.com/v1'],
    ['/v1'],
    ['ftp://host/'],
    ['file:///etc/passwd'],
    ['javascript:alert(1)'],
    ['https://'],
    ['https://user@host/'],
    ['https://user:hunter2@host/'],
    ['https://host/v1?key=hunter2'],
    ['https://host/v1?'],
    ['https://host/v1#part'],
    ['https://host/v1#'],
    [' https://host/'],
    ['https://host/a\r\nb'],
    ['https:\\\\host\\v1'],
    ['http://169.254.169.254/latest'],
    ['http://169.254.1.1'],
    ['http://0xa9fea9fe/'],
    ['http://2852039166/'],
    ['http://[::ffff:169.254.169.254]/'],
    ['http://[fe80::1]/'],
    ['http://[febf::1]/'],
    ['http://[fd00:ec2::254]/'],
    ['http://[64:ff9b::169.254.169.254]/'],
    ['http://100.100.100.200/'],
    ['http://metadata.google.internal/computeMetadata'],
    ['http://metadata.google.internal./'],
  ])('refuses %p without repeating it', (url) => {
    let refusal: unknown;
    try {
      parseBaseUrl(url);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(BaseUrlError);
    expect(String(refusal)).not.toContain('hunter2');
  });
});
