import { BulwarkError } from '@bulwark/core';

const supported = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];

/** Refuses platforms whose TensorFlow wheel has no C library that a compiler can link. */
export function requirePlatform(platform: string = process.platform, arch: string = process.arch): void {
  const here = `${platform}-${arch}`;
  if (!supported.includes(here))
    throw new BulwarkError(
      'ENGINE_INSTALL',
      `the tensorflow engine cannot be built on ${here}; it can on ${supported.join(', ')}`,
      {
        hint: 'use --from cdn where the official download is reachable, or engine: wasm, which runs everywhere',
      },
    );
}
