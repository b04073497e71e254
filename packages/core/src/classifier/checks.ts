import type { Tensor } from '../tensor/index.js';
import type { ImageShape } from '../batch.js';
import { BulwarkError } from '../errors.js';
import { told } from '../tensor/told.js';
import type { Pass, PassRequest } from '../network/index.js';
import { passWith } from './members.js';

const refused = (message: string, hint: string) => new BulwarkError('PASS_INVALID', message, { hint });

const shapeText = (shape: readonly unknown[]): string => `[${shape.join(', ')}]`;

/** Is it a float32 tensor of this shape that is still there? An undefined length is any. */
function fits(value: unknown, shape: readonly (number | undefined)[]): value is Tensor {
  const tensor = value as Partial<Tensor> | null | undefined;
  return (
    tensor?.dtype === 'float32' &&
    !tensor.isDisposed &&
    tensor.shape!.length === shape.length &&
    shape.every((length, at) => length === undefined || length === tensor.shape![at])
  );
}

const allowed: Readonly<Record<string, readonly unknown[]>> = {
  mode: ['eval', 'batch'],
  wrt: ['nothing', 'images', 'parameters', 'all'],
  computeDtype: ['float32', 'bfloat16', undefined],
};

/** What passes of a model can be asked for. */
export interface Possible {
  readonly inputShape: ImageShape;
  /** Layers whose outputs can be looked at, and with `.input` what they read. */
  readonly features?: readonly string[];
}

/** Refuses a pass that cannot be made, before anything is computed. @throws BulwarkError PASS_INVALID */
export function requirePossible(images: unknown, request: PassRequest, { inputShape, features = [] }: Possible): void {
  for (const [name, values] of Object.entries(allowed)) {
    const value = (request as unknown as Record<string, unknown> | undefined)?.[name];
    if (values.includes(value)) continue;
    const known = values.filter((each) => each !== undefined).join(', ');
    throw refused(
      `a pass was asked for with ${name}: ${String(value)}; allowed: ${known}`,
      value === 'train'
        ? "make it in mode 'batch', and give its statistics to applyStatistics"
        : "write, for example, { mode: 'eval', wrt: 'images' }",
    );
  }
  const unknown = request.features?.find((name) => !features.includes(name));
  if (unknown !== undefined)
    throw refused(
      `a pass was asked for the output of ${unknown}, which the model does not show`,
      features.length > 0
        ? `it shows ${features.join(', ')}`
        : 'only models that are graphs of layers show their layers',
    );
  if (!Array.isArray(images))
    throw refused(
      `a pass was asked for of ${told(images)} instead of a list of batches`,
      'write [images], also for one batch',
    );
  images.forEach((batch: unknown, at) => {
    if (!fits(batch, [undefined, ...inputShape]))
      throw refused(
        `images of batch ${at}: ${told(batch)}; the model takes float32 ${shapeText(['batch', ...inputShape])}`,
        'give tensors of this shape that were not disposed, values in [0, 1]',
      );
  });
}

/** Refuses gradients that do not belong to the logits. @throws BulwarkError PASS_INVALID */
function requireOfLogits(dLogits: unknown, logits: readonly Tensor[]): void {
  if (!Array.isArray(dLogits) || dLogits.length !== logits.length)
    throw refused(
      `pullback was given ${told(dLogits)}; the pass has ${logits.length} ${logits.length === 1 ? 'batch' : 'batches'}`,
      'give a list with the gradient of each batch, null where nothing depends on it',
    );
  logits.forEach(({ shape }, at) => {
    const given = dLogits[at] as unknown;
    if (given !== null && given !== undefined && !fits(given, shape))
      throw refused(
        `pullback was given ${told(given)} for batch ${at}; its logits are float32 ${shapeText(shape)}`,
        'give the gradient with respect to the logits, as logitGradients finds it',
      );
  });
}

/** The same pass, which says what is wrong with what it is given, and once it keeps nothing any more. */
export function guarded(pass: Pass, { wrt }: PassRequest): Pass {
  let kept = wrt !== 'nothing';
  const { logits } = pass;
  return passWith(pass, {
    pullback(dLogits, options) {
      if (!kept)
        throw refused(
          wrt === 'nothing'
            ? 'this pass was asked for no gradients (wrt: nothing)'
            : 'pullback was called twice, or after dispose',
          'say in the request what gradients are wanted with respect to, and `keep: true` in all pullbacks but the last',
        );
      requireOfLogits(dLogits, logits);
      const found = pass.pullback(dLogits, options);
      kept = options?.keep === true;
      return found;
    },
    dispose() {
      kept = false;
      pass.dispose();
    },
  });
}

/** What is known of what an engine should give. */
export interface Expected {
  readonly request: PassRequest;
  readonly images: readonly Tensor[];
  readonly classes: number;
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** The engine, in words. */
  readonly engine: string;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

/**
 * A pass that an engine made, and what it pulls back, if they have the form of one.
 * @throws BulwarkError ENGINE_INVALID
 */
export function asPromised(pass: Pass, expected: Expected): Pass {
  const { request, images, classes, parameters, engine } = expected;
  const { mode, wrt } = request;
  const require = (holds: boolean, what: string, found: unknown, due: string) => {
    if (holds) return;
    throw new BulwarkError('ENGINE_INVALID', `the engine (${engine}) gave ${told(found)} as ${what}; due: ${due}`, {
      hint: 'tell the author of the engine; until then, take another: engine: wasm',
    });
  };
  const requireList = (found: unknown, what: string, shapes: readonly (readonly number[])[]) => {
    require(list(found).length === shapes.length, what, found, `a list of ${shapes.length}`);
    shapes.forEach((shape, at) => {
      const one = list(found)[at];
      require(fits(one, shape), `${what} of batch ${at}`, one, `float32 ${shapeText(shape)}`);
    });
  };
  require(typeof (pass as Partial<Pass> | undefined)?.pullback === 'function', 'a pass', pass, 'a pass, at once');
  requireList(
    pass.logits,
    'logits',
    images.map(({ shape }) => [shape[0]!, classes]),
  );
  const due = mode === 'batch' ? images.length : 0;
  require(due === 0 || list(pass.statistics).length === due, 'statistics', pass.statistics, `a list of ${due}`);
  return passWith(pass, {
    pullback(dLogits, options) {
      const found = pass.pullback(dLogits, options);
      const wrtImages = wrt === 'images' || wrt === 'all';
      require(list(found?.images).length === (wrtImages ? images.length : 0) &&
        found?.parameters instanceof Map, 'what pullback found', found, 'images and a map of parameters');
      if (wrtImages)
        requireList(
          found.images,
          'gradients of images',
          images.map(({ shape }) => shape),
        );
      for (const [name, gradient] of found.parameters) {
        const shape = parameters.get(name)?.shape;
        require(shape !== undefined && fits(gradient, shape), `gradient of ${name}`, gradient, shape
          ? `float32 ${shapeText(shape)}`
          : 'names of parameters');
      }
      return found;
    },
  });
}
