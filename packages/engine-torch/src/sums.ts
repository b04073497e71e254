import { hostname } from 'node:os';
import { engine, type Tensor } from '@tensorflow/tfjs-core';
import { BulwarkError, type Collective } from '@bulwark/core';
import { broadcastBytes, exchangeTexts, together, type TensorSums } from '@bulwark/core/collective';
import type { Handle, Kit } from './backend/index.js';

/** What a rank tells the others: where it computes, and over what it can sum. */
export interface Facts {
  readonly host: string;
  /** Whether its config lets it. */
  readonly wanted: boolean;
  readonly version: string;
  readonly gpu: string;
}

/** As PyTorch has it: large enough to keep a link busy, small enough that sums begin early. */
const bucketBytes = 25 * 2 ** 20;

/** Why these ranks do not sum over NCCL, or nothing. */
export function whyNot(all: readonly Facts[]): string | undefined {
  if (!all.every(({ wanted }) => wanted)) return 'nccl is false';
  const without = all.findIndex(({ version }) => version === '');
  const name = (rank: number) => `rank ${rank} on ${all[rank]!.host}`;
  if (without >= 0) return `${name(without)} ${all[without]!.gpu === '' ? 'computes on no NVIDIA GPU' : 'has no NCCL'}`;
  const other = all.findIndex(({ version }) => version !== all[0]!.version);
  if (other >= 0) return `${name(other)} has NCCL ${all[other]!.version}, rank 0 ${all[0]!.version}`;
  const second = all.findIndex(({ gpu }, rank) => all.findIndex((each) => each.gpu === gpu) < rank);
  if (second < 0) return undefined;
  return `${name(second)} shares a GPU with rank ${all.findIndex(({ gpu }) => gpu === all[second]!.gpu)}, which NCCL does not let it`;
}

/** Sums over the ranks that `native.openSums` has met. */
export function openedSums(
  { native, backend, at, scope }: Kit,
  { name, bytes }: { name: string; bytes: number },
): TensorSums {
  const tensor = (handle: Handle): Tensor =>
    engine().makeTensorFromTensorInfo(backend.adopt(handle)) as unknown as Tensor;
  return {
    name,
    bucketBytes: bytes,
    start(tensors) {
      const sum = scope(() => native.startSum(tensors.map(at)));
      for (const each of tensors) each.dispose();
      return () => native.finishSum(sum).map(tensor);
    },
    check() {
      const failure = native.sumsFailure();
      if (failure === '') return;
      throw new BulwarkError('RANK_LOST', `${name} could not sum the gradients: ${failure}`, {
        hint: 'see whether all ranks still run; go on from the last checkpoint: bulwark train --resume RUN',
      });
    },
    close: () => native.closeSums(),
  };
}

/** Each rank gives a number that the others know; wrong sums must not go into weights. */
function tryOut(sums: TensorSums, { rank, size }: Collective): void {
  const own = engine().makeTensor(Float32Array.of(rank + 1, 1), [2], 'float32') as unknown as Tensor;
  const [sum] = sums.start([own])();
  const found = [...sum!.dataSync()];
  sum!.dispose();
  sums.check();
  if (found[0] === (size * (size + 1)) / 2 && found[1] === size) return;
  throw new BulwarkError('ENGINE_NUMERICS', `${sums.name} finds ${found[0]} for the sum of 1 to ${size}`, {
    hint: 'sum through the memory of the host: engine: { use: torch, nccl: false }',
  });
}

/**
 * Sums over NCCL, from GPU to GPU, or why not; undefined where no rank has a GPU. All ranks call this together.
 * @param wanted whether the config lets this rank
 */
export async function ncclSums(
  kit: Kit,
  { collective, wanted }: { collective: Collective; wanted: boolean },
): Promise<TensorSums | { reason: string } | undefined> {
  const { native } = kit;
  const [version, gpu] = await together(collective, () => native.ncclFacts());
  const own: Facts = { host: hostname(), wanted, version, gpu };
  const all = exchangeTexts(collective, JSON.stringify(own)).map((text) => JSON.parse(text) as Facts);
  if (all.every((each) => each.gpu === '')) return undefined;
  const reason = whyNot(all);
  if (reason !== undefined) return { reason };
  const { rank, size, seconds } = collective;
  const made = await together(collective, () => (rank === 0 ? Uint8Array.from(native.ncclId()) : undefined));
  const id = [...broadcastBytes(collective, made)];
  const sums = openedSums(kit, { name: `NCCL ${version}, from GPU to GPU`, bytes: bucketBytes });
  await together(collective, () => {
    if (native.openSums(id, rank, size, seconds) === 1) return;
    throw new BulwarkError('RANK_LOST', `NCCL did not bring the ranks together within ${seconds} s`, {
      hint: 'NCCL_DEBUG=INFO tells what it waits for; engine: { use: torch, nccl: false } does without it',
    });
  });
  await together(collective, () => tryOut(sums, collective));
  return sums;
}
