import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from '@jest/globals';

/** A folder for one test, and an environment in which no Python, compiler or build of this machine is found. */
export function emptyMachine() {
  const environment = { ...process.env };
  const machine = { folder: '' };
  beforeEach(() => {
    machine.folder = mkdtempSync(join(tmpdir(), 'bulwark-torch-'));
    for (const name of ['BULWARK_PYTHON', 'VIRTUAL_ENV', 'CONDA_PREFIX', 'CXX']) delete process.env[name];
    process.env['PATH'] = join(machine.folder, 'bin');
    process.env['BULWARK_CACHE'] = join(machine.folder, 'cache');
  });
  afterEach(() => {
    process.env = { ...environment };
    rmSync(machine.folder, { recursive: true, force: true });
  });
  const write = (path: string, content: string): string => {
    const file = join(machine.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  };
  return {
    /** A file below the folder. */
    write,
    /** A command on PATH. */
    command(name: string, script: string): string {
      const file = write(join('bin', name), `#!/bin/sh\n${script}\n`);
      chmodSync(file, 0o755);
      return file;
    },
    /** A Python that has a torch in this folder, or none. */
    python(folder: string | null, name = 'python3'): string {
      return this.command(name, `echo 'BULWARK-ANSWER${JSON.stringify({ python: `/usr/bin/${name}`, folder })}'`);
    },
    /** A torch of a version, with or without headers and libraries. */
    torch(version: string, parts: readonly ('headers' | 'libraries')[] = ['headers', 'libraries']): string {
      const folder = dirname(
        write('site/torch/version.py', `__version__ = '${version}'\ncuda: Optional[str] = None\n`),
      );
      const headers = ['ATen/core/Tensor.h', 'ATen/ops/convolution.h', 'c10/core/InferenceMode.h'];
      if (parts.includes('headers')) for (const each of headers) write(join('site/torch/include', each), '');
      const suffix = process.platform === 'darwin' ? 'dylib' : 'so';
      if (parts.includes('libraries'))
        for (const each of ['torch', 'torch_cpu', 'c10']) write(`site/torch/lib/lib${each}.${suffix}`, '');
      return folder;
    },
  };
}
