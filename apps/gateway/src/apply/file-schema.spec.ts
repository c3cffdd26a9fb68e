import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateModel } from '../admin/models/model.dto';
import { CreateUpstream } from '../admin/upstreams/upstream.dto';
import { FILE_SCHEMA, toPublishedSchema } from './file-schema';
import { parseWeirFile } from './parse-weir-file';
import { toFieldSchemas } from './to-field-schemas';

const ROOT = join(__dirname, '../../../..');
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

describe('the schema of weir.yaml', () => {
  it('is published as it is: npm run weir-schema', () => {
    expect(read('weir.schema.json')).toBe(toPublishedSchema());
  });

  it('has every field that the admin API takes', () => {
    const { upstreams, models } = FILE_SCHEMA.shape;
    const fieldsOf = (list: typeof upstreams | typeof models): string[] => Object.keys(list.unwrap().element.shape);
    expect(fieldsOf(upstreams)).toEqual(expect.arrayContaining(Object.keys(toFieldSchemas(CreateUpstream))));
    expect(fieldsOf(models)).toEqual(expect.arrayContaining(Object.keys(toFieldSchemas(CreateModel))));
    expect(Object.keys(toFieldSchemas(CreateUpstream))).toEqual(expect.arrayContaining(['name', 'provider', 'base_url', 'concurrency', 'options']));
  });

  it('takes the example', async () => {
    const declaration = await parseWeirFile(read('weir.example.yaml'), 'weir.example.yaml', { OPENAI_API_KEY: 'sk-1', AZURE_API_KEY: 'azure-1' });
    expect(declaration.upstreams.map(({ fields }) => fields.name)).toEqual(['openai', 'azure-eu', 'embed_4b', 'vlm']);
    expect(declaration.models.map(({ fields }) => fields.name)).toEqual(['gpt-5', 'gpt-*', 'embed_4b']);
  });
});
