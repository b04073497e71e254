import type { PickleMachine } from './pickle-machine.js';

type Operation = (machine: PickleMachine) => void;

/** Operations that push a number, text or bytes that follow in the file. */
const constants: Readonly<Record<string, (reader: PickleMachine['reader']) => unknown>> = {
  N: () => null,
  '\x88': () => true,
  '\x89': () => false,
  I: (reader) => {
    const line = reader.line();
    return line === '00' || line === '01' ? line === '01' : reader.integer(line);
  },
  L: (reader) => reader.integer(reader.line().replace(/L$/, '')),
  J: (reader) => reader.int32(),
  K: (reader) => reader.byte(),
  M: (reader) => reader.uint(2),
  '\x8a': (reader) => reader.long(reader.byte()),
  '\x8b': (reader) => reader.long(reader.uint(4)),
  F: (reader) => reader.decimal(reader.line()),
  G: (reader) => reader.double(),
  V: (reader) => reader.escapedUnicode(),
  X: (reader) => reader.text(reader.uint(4)),
  '\x8c': (reader) => reader.text(reader.byte()),
  '\x8d': (reader) => reader.text(reader.uint(8)),
  S: (reader) => reader.quoted(),
  U: (reader) => reader.latin1(reader.byte()),
  T: (reader) => reader.bytes(reader.uint(4)),
  C: (reader) => reader.bytes(reader.byte()),
  B: (reader) => reader.bytes(reader.uint(4)),
  '\x8e': (reader) => reader.bytes(reader.uint(8)), // BINBYTES8
  '\x96': (reader) => reader.bytes(reader.uint(8)), // BYTEARRAY8
};

const operations: Readonly<Record<string, Operation>> = {
  // PROTO
  '\x80': ({ reader }) => {
    if (reader.byte() > 5) throw new Error('a pickle protocol above 5');
  },
  '\x95': ({ reader }) => reader.skip(8), // FRAME
  '(': (machine) => machine.mark(),
  '0': (machine) => machine.drop(),
  '1': (machine) => void machine.popToMark(),
  '2': (machine) => machine.repeat(),

  ')': (machine) => machine.list([]),
  ']': (machine) => machine.list([]),
  '\x8f': (machine) => machine.list([]), // EMPTY_SET
  t: (machine) => machine.list(machine.popToMark()),
  l: (machine) => machine.list(machine.popToMark()),
  '\x91': (machine) => machine.list(machine.popToMark()), // FROZENSET
  '\x85': (machine) => machine.tuple(1),
  '\x86': (machine) => machine.tuple(2),
  '\x87': (machine) => machine.tuple(3),
  a: (machine) => machine.append([machine.pop()]),
  e: (machine) => machine.append(machine.popToMark()),
  '\x90': (machine) => machine.append(machine.popToMark()), // ADDITEMS
  '}': (machine) => machine.dictionary([]),
  d: (machine) => machine.dictionary(machine.popToMark()),
  s: (machine) => {
    const value = machine.pop();
    machine.setItems([machine.pop(), value]);
  },
  u: (machine) => machine.setItems(machine.popToMark()),

  c: (machine) => machine.push(machine.find(machine.reader.line(), machine.reader.line())),
  '\x93': (machine) => {
    const name = machine.pop();
    machine.push(machine.find(machine.pop(), name));
  },
  R: callOfTwo,
  '\x81': callOfTwo,
  '\x92': (machine) => {
    const named = machine.pop();
    const args = machine.pop();
    machine.callNamed(machine.pop(), args, named);
  },
  o: (machine) => {
    const [callee, ...args] = machine.popToMark();
    machine.call(callee, args);
  },
  i: (machine) => {
    const callee = machine.find(machine.reader.line(), machine.reader.line());
    machine.call(callee, machine.popToMark());
  },
  b: (machine) => machine.build(),
  P: (machine) => machine.persist(machine.reader.line()),
  Q: (machine) => machine.persist(machine.pop()),

  p: (machine) => machine.put(Number(machine.reader.line())),
  q: (machine) => machine.put(machine.reader.byte()),
  r: (machine) => machine.put(machine.reader.uint(4)),
  '\x94': (machine) => machine.put(),
  g: (machine) => machine.get(Number(machine.reader.line())),
  h: (machine) => machine.get(machine.reader.byte()),
  j: (machine) => machine.get(machine.reader.uint(4)),
};

function callOfTwo(machine: PickleMachine): void {
  const args = machine.pop();
  machine.call(machine.pop(), args);
}

/** By code, all but STOP. */
export const pickleOperations: readonly (Operation | undefined)[] = Array.from({ length: 256 }, (_, code) => {
  const character = String.fromCharCode(code);
  const constant = Object.hasOwn(constants, character) ? constants[character] : undefined;
  if (constant) return (machine: PickleMachine) => machine.push(constant(machine.reader));
  return Object.hasOwn(operations, character) ? operations[character] : undefined;
});
