import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** TurboJPEG's functions that the build of `@cwasm/jpeg-turbo` exports; pointers and results are numbers. */
interface TurboJpeg extends WebAssembly.Exports {
  readonly memory: WebAssembly.Memory;
  malloc(size: number): number;
  free(pointer: number): void;
  tjInitDecompress(): number;
  tjDestroy(handle: number): number;
  tjDecompress2(...parameters: number[]): number;
}

const pixelFormats = { rgba: 7, cmyk: 11 } as const;

let compiled: WebAssembly.Module | undefined;
let current: TurboJpeg | undefined;

/** libjpeg leaves an image that it gives up by a jump, which WebAssembly has not: an exception takes its place. */
class GaveUp extends Error {}

function library(): TurboJpeg {
  const load = createRequire(import.meta.url);
  compiled ??= new WebAssembly.Module(readFileSync(load.resolve('@cwasm/jpeg-turbo/jpeg-turbo.wasm')));
  const none = () => 0;
  const system = ['proc_exit', 'environ_sizes_get', 'environ_get', 'fd_close', 'fd_seek', 'fd_write'];
  current ??= new WebAssembly.Instance(compiled, {
    env: {
      setjmp: none,
      longjmp() {
        throw new GaveUp();
      },
    },
    wasi_snapshot_preview1: Object.fromEntries(system.map((name) => [name, none])),
  }).exports as TurboJpeg;
  return current;
}

/**
 * Decodes a JPEG of a known size to 4 bytes a pixel, with libjpeg's default settings: accurate inverse transform, chroma interpolated.
 * @returns the pixels, and whether libjpeg had something to complain of that it got over
 * @throws Error, if it gave the image up
 */
export function decompress(
  bytes: Uint8Array,
  options: { width: number; height: number; format: keyof typeof pixelFormats },
): { pixels: Uint8Array; warned: boolean } {
  const { width, height, format } = options;
  const size = width * height * 4;
  try {
    const turbo = library();
    const input = turbo.malloc(bytes.length);
    const output = turbo.malloc(size);
    const handle = turbo.tjInitDecompress();
    if (input === 0 || output === 0 || handle === 0) throw new Error('no memory for the image');
    new Uint8Array(turbo.memory.buffer).set(bytes, input);
    const pitch = width * 4;
    const status = turbo.tjDecompress2(
      handle,
      input,
      bytes.length,
      output,
      width,
      pitch,
      height,
      pixelFormats[format],
      0,
    );
    const pixels = new Uint8Array(turbo.memory.buffer, output, size).slice();
    turbo.tjDestroy(handle);
    turbo.free(output);
    turbo.free(input);
    return { pixels, warned: status !== 0 };
  } catch (cause) {
    // its memory is as it was in the middle of the work: the next image gets a new one
    current = undefined;
    throw new Error(cause instanceof GaveUp ? 'libjpeg gives it up' : (cause as Error).message, { cause });
  }
}
