import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { protobuf } from '../../../formats/index.js';
import type { NativeBinding } from '../binding.js';
import type { GraphNode } from './nodes.js';

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

/** Opens a session on a graph; returns its id. The binding reads graphs from folders only, which is gone afterwards. */
export function openSession(binding: NativeBinding, nodes: readonly GraphNode[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-graph-'));
  try {
    writeFileSync(join(folder, 'saved_model.pb'), encodeSavedModel(nodes));
    return binding.loadSavedModel(folder, tag);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
