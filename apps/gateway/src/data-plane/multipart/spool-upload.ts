import { createReadStream } from 'node:fs';
import { type IncomingMessage } from 'node:http';
import { type Readable } from 'node:stream';
import { type MultipartField, type MultipartForm, type MultipartLimits } from './multipart-form';
import { readMultipart } from './read-multipart';
import { type UploadFolder } from './upload-folder';

/** A file of a form, on the disk for as long as its request lasts. */
export interface SpooledFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly filename: string;
  readonly mediaType: string | null;
  /** Its bytes from the beginning; once for each try. */
  open(): Readable;
}

/** A form that came whole. Use it with `await using`, or dispose it yourself: its files go with it. */
export interface SpooledUpload extends AsyncDisposable {
  /** In the order they came. */
  readonly fields: readonly MultipartField[];
  readonly files: readonly SpooledFile[];
  /** Deletes the files; a second time does nothing. Never throws. */
  dispose(): Promise<void>;
}

/**
 * Reads a form and keeps its files on the disk, so that each try at an upstream can send them
 * again. When it fails, no file stays.
 * @param owner the organization whose form it is
 * @throws WeirError as `readMultipart`, and no_upstream_available when the disk does not take it
 */
export async function spoolUpload(request: IncomingMessage, form: MultipartForm, limits: MultipartLimits, folder: UploadFolder, owner: string): Promise<SpooledUpload> {
  const paths: string[] = [];
  const dispose = async (): Promise<void> => {
    for (const path of paths.splice(0)) await folder.delete(path);
  };
  try {
    const { fields, files } = await readMultipart(request, form, limits, async ({ name, filename, mediaType, content }): Promise<SpooledFile> => {
      const { path, bytes } = await folder.write(content, owner);
      paths.push(path);
      return { name, path, bytes, filename, mediaType, open: () => createReadStream(path) };
    });
    return { fields, files, dispose, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
