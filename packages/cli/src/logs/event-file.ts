import { appendFileSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { protobuf } from '@bulwark/core/formats';
import { maskedCrc32c } from './crc32c.js';

const { concat, doubleField, floatField, integerField, messageField, textField } = protobuf;

/** One event, before it is wrapped as a record. Fields of TensorFlow's `event.proto`. */
const event = (fields: readonly Uint8Array[], when: number): Uint8Array =>
  concat([doubleField(1, when / 1000), ...fields]);

/** Scalars of one step: `Event.step`, `Event.summary.value[].{tag, simple_value}`. */
export const scalarEvent = (step: number, values: Readonly<Record<string, number>>, when: number): Uint8Array => {
  const summary = Object.entries(values).map(([tag, value]) =>
    messageField(1, textField(1, tag), floatField(2, value)),
  );
  return event([integerField(2, step), messageField(5, ...summary)], when);
};

/** First event of a file. */
export const versionEvent = (when: number): Uint8Array => event([textField(3, 'brain.Event:2')], when);

/** `SessionLog.START`: readers drop what earlier files hold from this step on. */
export const startEvent = (step: number, when: number): Uint8Array =>
  event([integerField(2, step), messageField(7, integerField(1, 1))], when);

function word(size: 4 | 8, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(size));
  if (size === 8) view.setBigUint64(0, BigInt(value), true);
  else view.setUint32(0, value, true);
  return new Uint8Array(view.buffer);
}

/** Length, its checksum, the data, their checksum: one record of a TFRecord file. */
export function record(data: Uint8Array): Uint8Array {
  const length = word(8, data.length);
  return concat([length, word(4, maskedCrc32c(length)), data, word(4, maskedCrc32c(data))]);
}

/** A TensorBoard event file that grows. */
export interface EventFile {
  readonly path: string;
  scalars(step: number, values: Readonly<Record<string, number>>): void;
  /** Says that training goes on from this step: what was logged from it on is void. */
  start(step: number): void;
  /** Writes what is still in memory. */
  flush(): void;
}

/** @throws BulwarkError RUN_WRITE */
export function writing(path: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw new BulwarkError('RUN_WRITE', `cannot write ${path}: ${(cause as Error).message}`, {
      hint: 'check the folder, its permissions and the free space, or train without --log',
      cause,
    });
  }
}

/** Opens a new event file in this folder. The name is what TensorBoard looks for. */
export function createEventFile(folder: string, now: () => number = Date.now): EventFile {
  const seconds = Math.floor(now() / 1000);
  const path = join(
    folder,
    `events.out.tfevents.${String(seconds).padStart(10, '0')}.${hostname()}.${process.pid}.bulwark`,
  );
  let waiting: Uint8Array[] = [];
  let flushed = now();
  const add = (data: Uint8Array) => {
    waiting.push(record(data));
    // often enough to be watched, seldom enough to cost nothing
    if (now() - flushed > 5000) file.flush();
  };
  const file: EventFile = {
    path,
    scalars: (step, values) => add(scalarEvent(step, values, now())),
    start: (step) => add(startEvent(step, now())),
    flush() {
      if (waiting.length === 0) return;
      const bytes = concat(waiting);
      [waiting, flushed] = [[], now()];
      writing(path, () => appendFileSync(path, bytes));
    },
  };
  writing(path, () => mkdirSync(folder, { recursive: true }));
  add(versionEvent(now()));
  return file;
}
