import { printReport } from '@bulwark/core/install';
import { wrongBatchNorm, wrongProducts } from '../numerics.js';
import { loadBinding } from '../package.js';

process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
printReport(() => {
  const binding = loadBinding(process.argv[2]!);
  const wrong = wrongProducts(binding);
  if (wrong !== undefined) return { wrong };
  return { version: binding.TF_Version, gpu: binding.isUsingGpuDevice(), remark: wrongBatchNorm(binding) };
});
