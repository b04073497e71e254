import { wrongBatchNorm, wrongProducts } from '../numerics.js';
import { loadBinding } from '../package.js';

// Runs in a process of its own: a library that crashes while it is loaded or computes takes only this process along.
function examine(folder: string): object {
  try {
    const binding = loadBinding(folder);
    const wrong = wrongProducts(binding);
    return {
      version: binding.TF_Version,
      gpu: binding.isUsingGpuDevice(),
      wrong,
      remark: wrong ? undefined : wrongBatchNorm(binding),
    };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
process.stdout.write(`\n${JSON.stringify(examine(process.argv[2]!))}\n`);
