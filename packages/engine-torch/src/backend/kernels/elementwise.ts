import type { DataType } from '@tensorflow/tfjs-core';
import { scalarType } from '../aten.js';
import type { Kit } from '../kernel.js';

/** Kernels that are one operator of PyTorch's, by name. */
const unary = {
  Abs: 'abs',
  Acos: 'acos',
  Acosh: 'acosh',
  Asin: 'asin',
  Asinh: 'asinh',
  Atan: 'atan',
  Atanh: 'atanh',
  Ceil: 'ceil',
  Cos: 'cos',
  Cosh: 'cosh',
  Elu: 'elu',
  Erf: 'erf',
  Exp: 'exp',
  Expm1: 'expm1',
  Floor: 'floor',
  IsFinite: 'isfinite',
  IsInf: 'isinf',
  IsNan: 'isnan',
  Log: 'log',
  Log1p: 'log1p',
  LogicalNot: 'logical_not',
  Neg: 'neg',
  Reciprocal: 'reciprocal',
  Relu: 'relu',
  Relu6: 'relu6',
  Round: 'round',
  Rsqrt: 'rsqrt',
  Selu: 'selu',
  Sigmoid: 'sigmoid',
  Sign: 'sign',
  Sin: 'sin',
  Sinh: 'sinh',
  Softplus: 'softplus',
  Sqrt: 'sqrt',
  Square: 'square',
  Tan: 'tan',
  Tanh: 'tanh',
  BulwarkRelu: 'relu',
  BulwarkSignOf: 'sign',
};

const binary = {
  Add: 'add.Tensor',
  Sub: 'sub.Tensor',
  Multiply: 'mul.Tensor',
  RealDiv: 'div.Tensor',
  Maximum: 'maximum',
  Minimum: 'minimum',
  Mod: 'remainder.Tensor',
  Pow: 'pow.Tensor_Tensor',
  Atan2: 'atan2',
  BitwiseAnd: 'bitwise_and.Tensor',
  Equal: 'eq.Tensor',
  NotEqual: 'ne.Tensor',
  Less: 'lt.Tensor',
  LessEqual: 'le.Tensor',
  Greater: 'gt.Tensor',
  GreaterEqual: 'ge.Tensor',
  LogicalAnd: 'logical_and',
  LogicalOr: 'logical_or',
  LogicalXor: 'logical_xor',
};

/** Kernels of each element by itself, and of pairs of elements. */
export function registerElementwise({ kernel, operator, aten, at, pair, scalar, share }: Kit): void {
  for (const [name, operatorName] of Object.entries(unary)) {
    const run = operator(`aten::${operatorName}`);
    kernel(name, ({ x }) => run(at(x!)));
  }
  for (const [name, operatorName] of Object.entries(binary)) {
    const run = operator(`aten::${operatorName}`);
    kernel(name, ({ a, b }) => run(...pair(a!, b!)));
  }
  const floorDivide = operator('aten::floor_divide');
  kernel('FloorDiv', ({ a, b }) => aten.to(floorDivide(...pair(a!, b!)), scalarType('int32')));
  kernel('SquaredDifference', ({ a, b }) => aten.square(aten.sub(...pair(a!, b!))));
  kernel('AddN', (inputs) => {
    const [first, ...others] = Object.values(inputs);
    if (others.length === 0) return share(first!, first!.shape);
    return others.reduce((sum, x) => aten.add(sum, at(x)), at(first!));
  });

  kernel('Cast', ({ x }, { dtype }) =>
    x!.dtype === dtype ? share(x!, x!.shape) : aten.to(at(x!), scalarType(dtype as DataType)),
  );
  kernel('ClipByValue', ({ x }, { clipValueMin, clipValueMax }) =>
    aten.clamp(at(x!), clipValueMin as number, clipValueMax as number),
  );
  kernel('LeakyRelu', ({ x }, { alpha }) => aten.leakyRelu(at(x!), alpha as number));
  kernel('Prelu', ({ x, alpha }) => {
    const [input, slope] = [at(x!), at(alpha!)];
    return aten.where(aten.gtScalar(input, 0), input, aten.mul(input, slope));
  });
  kernel('EluGrad', ({ dy, y }) => {
    const output = at(y!);
    return aten.mul(at(dy!), aten.where(aten.gtScalar(output, 0), scalar(1), aten.addScalar(output, 1)));
  });
  kernel('Step', ({ x }, { alpha = 0 }) => {
    const input = at(x!);
    const step = aten.where(aten.gtScalar(input, 0), scalar(1, x!.dtype), scalar(alpha as number, x!.dtype));
    return aten.where(aten.isnan(input), input, step);
  });
  kernel('Select', ({ condition, t, e }) => {
    const choice = at(condition!);
    // a condition of rank 1 chooses rows
    const rows = condition!.shape.length === 1 && t!.shape.length > 1;
    const shape = [condition!.shape[0]!, ...t!.shape.slice(1).map(() => 1)];
    return aten.where(rows ? aten.reshape(choice, shape) : choice, at(t!), at(e!));
  });
  kernel('BulwarkReluGrad', ({ dy, y }) => aten.thresholdBackward(at(dy!), at(y!), 0));
}
