import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from '@jest/globals';
import { emptyMachine } from '../../test/fakes.js';
import { compileAddon } from './compile.js';
import { cudaHeaders } from './torch.js';

const path = process.env['PATH'];
const machine = emptyMachine();

/** A PyTorch with CUDA, and CUDA's headers beside it as pip leaves them. */
function withCuda(headers: readonly string[]) {
  const folder = machine.torch('2.14.1+cu130');
  for (const name of ['torch_cuda', 'c10_cuda']) machine.write(`site/torch/lib/lib${name}.so`, '');
  for (const name of headers) machine.write(`site/nvidia/cu13/include/${name}`, '');
  return { folder, version: '2.14.1+cu130', cuda: '13.0' };
}

/** What a compiler that does or does not understand CUDA's headers makes of it. */
async function compiled(torch: ReturnType<typeof withCuda>, compiler: string) {
  process.env['PATH'] += `:${path}`;
  const build = join(dirname(torch.folder), 'build');
  mkdirSync(build);
  return compileAddon(machine.command('c++', `${compiler}\nfor last; do :; done\ntouch "$last"`), torch, build);
}

// what is installed below /usr/local on this machine must not matter
const both = ['cuda_runtime_api.h', 'crt/host_config.h'];

it('graphs are built in where CUDA’s headers are whole', async () => {
  process.env['CUDA_HOME'] = '/nowhere';
  const torch = withCuda(both);
  expect(cudaHeaders(torch)).toBe(join(dirname(torch.folder), 'nvidia', 'cu13', 'include'));
  expect(await compiled(torch, 'true')).toBe('CUDA 13.0, with graphs');
});

it('without a part of them those of nvidia-cuda-runtime alone do not count', () => {
  expect(cudaHeaders(withCuda(both.slice(0, 1))) ?? '').not.toMatch(/cu13/);
});

it('headers of another release, which do not compile, cost the graphs and nothing else', async () => {
  expect(await compiled(withCuda(both), 'case "$*" in *BULWARK_CUDA_GRAPHS*) exit 1;; esac')).toBe('CUDA 13.0');
});
