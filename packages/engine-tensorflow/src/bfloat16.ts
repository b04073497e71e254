import { readFileSync } from 'node:fs';
import { engine } from '@tensorflow/tfjs-core';
import type { NodeBackend } from './binding.js';

/** Linux's names of instructions that multiply in bfloat16: AVX-512's, and those of AMX, a matrix unit. */
const instructions = ['avx512_bf16', 'amx_bf16'];

function processorFlags(): readonly string[] {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
    return flags?.trim().split(/\s+/) ?? [];
  } catch {
    return [];
  }
}

/**
 * Why the engine, which must be current, computes no passes in bfloat16; undefined if it does. Without the instructions oneDNN
 * converts before each product, which is slower than float32; `BULWARK_BFLOAT16=1` has it do that, for measurements of accuracy.
 */
export function whyNoBfloat16(flags = processorFlags()): string | undefined {
  if (process.env['BULWARK_EAGER']) return 'BULWARK_EAGER is set';
  if ((engine().backend as unknown as NodeBackend).binding.isUsingGpuDevice())
    return 'passes are compiled on processors only, not on GPUs';
  if (process.env['BULWARK_BFLOAT16'] === '1') return undefined;
  if (process.platform !== 'linux') return 'what this processor can is known on Linux only';
  if (!instructions.some((name) => flags.includes(name)))
    return `this processor has no instructions for bfloat16 (${instructions.join(' or ')})`;
  return undefined;
}
