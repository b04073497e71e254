import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { program } from '../program.js';

const run = (words: string) => program().parseAsync(words.split(' '), { from: 'user' });
const environment = { ...process.env };
beforeEach(() => void Object.assign(process.env, { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '2' }));
afterEach(() => void (process.env = { ...environment }));

it.each(['evaluate runs/none', 'demo', 'sweep status none', 'report runs/none', 'export runs/none --to onnx'])(
  '%s is refused where mpirun has started several of it',
  async (words) => {
    await expect(run(words)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/started 2 processes, each of which would do all of \w+/),
    });
  },
);

it('a part of an evaluation is for as many as there are', async () => {
  await expect(run('evaluate runs/none --shard 1/2')).rejects.not.toMatchObject({ code: 'USAGE' });
});

it('so is what only looks', async () => {
  await expect(run('train --resume runs/none --dry-run')).rejects.toThrow(/one run; --dry-run/);
});
