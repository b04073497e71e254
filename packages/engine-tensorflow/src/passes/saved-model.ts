import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { protobuf } from '@bulwark/core/formats';
import type { NodeBackend, OutputHandle } from '../binding.js';
import type { GraphNode, Value } from './nodes.js';

const { concat, integerField, messageField, textField } = protobuf;

const tag = 'serve';
/** TensorFlow's number for the graphs of 2.9, the oldest release that tfjs-node is bound to. */
const graphVersion = 1087;

/** `NodeDef`, as a field of `GraphDef`. */
const nodeField = ({ name, op, inputs, attributes }: GraphNode): Uint8Array =>
  messageField(
    1,
    textField(1, name),
    textField(2, op),
    ...inputs.map((input) => textField(3, input)),
    ...Object.entries(attributes).map(([key, value]) => messageField(5, textField(1, key), messageField(2, value))),
  );

/** A `SavedModel` of one graph without variables or signatures (tensorflow/core/protobuf/saved_model.proto). */
export function encodeSavedModel(nodes: readonly GraphNode[]): Uint8Array {
  const graph = messageField(2, ...nodes.map(nodeField), messageField(4, integerField(1, graphVersion)));
  return concat([integerField(1, 1), messageField(2, messageField(1, textField(4, tag)), graph)]);
}

/** A graph that is ready to run. */
export interface Session {
  /** Computes `fetches`, given handles of the tensors that `feeds` name. The outputs are the caller's. */
  run(feeds: readonly Value[], ids: readonly number[], fetches: readonly Value[]): OutputHandle[];
  close(): void;
}

/** Opens a session on a graph. The binding reads graphs from folders only; this one is gone afterwards. */
export function openSession({ binding }: NodeBackend, nodes: readonly GraphNode[]): Session {
  const folder = mkdtempSync(join(tmpdir(), `bulwark-graph-${process.pid}-`));
  try {
    writeFileSync(join(folder, 'saved_model.pb'), encodeSavedModel(nodes));
    const id = binding.loadSavedModel(folder, tag);
    return {
      run: (feeds, ids, fetches) => binding.runSavedModel(id, ids, feeds.join(), fetches.join()),
      close: () => binding.deleteSavedModel(id),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
