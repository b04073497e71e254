import { basename, resolve } from 'node:path';
import { BulwarkError, type TransferSource } from '@bulwark/core';
import { fingerprintModel } from '@bulwark/core/evaluation';
import { builtinRegistry } from '../registry.js';
import { openTarget, type Target } from './open-target.js';

/**
 * The model of another run or weights file, on the engine that is running; the caller disposes it.
 * @throws BulwarkError USAGE where it takes other images or has other classes; RUN_MISSING, WEIGHTS_INVALID, ...
 */
export async function transferFrom(
  path: string,
  { target, plugins, warn }: { target: Target; plugins?: readonly string[]; warn: (text: string) => void },
): Promise<TransferSource> {
  const { engine, config, model } = target;
  const { norm, epsilon } = config.threat;
  const flags = { engine: engine.name, norm, epsilon: String(epsilon), ...(plugins && { plugins }) };
  const source = await openTarget(path, flags, { registry: builtinRegistry(), warn });
  const { model: other } = source;
  const facts = ({ inputShape, classes }: typeof model) => `${inputShape.join('x')} of ${classes} classes`;
  if (facts(other) !== facts(model)) {
    other.dispose();
    throw new BulwarkError(
      'USAGE',
      `--transfer-from ${path}: its images are ${facts(other)}, those of the model ${facts(model)}`,
      {
        hint: 'transfer from a model of the same data',
      },
    );
  }
  const fingerprint = await fingerprintModel(other);
  if (fingerprint === (await fingerprintModel(model)))
    warn(`--transfer-from ${path} is the model itself: its examples are those of the attacks on it`);
  return { model: other, name: basename(resolve(path)), fingerprint };
}
