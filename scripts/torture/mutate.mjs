// Ways to change a file: what damage, other tools and people who mean harm do to one.

const interesting = [0, 1, 0x7f, 0x80, 0xff];
const words = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0xfffffff0];
const tokens = [
  ...[
    'null',
    '{}',
    '[]',
    '""',
    '-1',
    '0',
    '1e308',
    '9007199254740993',
    'true',
    '"__proto__"',
    '"constructor"',
    '"toString"',
  ],
  ...[
    '"../../etc/passwd"',
    '"\\u0000"',
    '{"html":"<script>"}',
    '[[[[]]]]',
    'NaN',
    '"data:text/javascript,1"',
    '1e',
    '',
  ],
];

const whole = (random, below) => random.integer(Math.max(1, below));

/** Changes of bytes, whatever they mean. */
const binary = [
  (bytes, random) => {
    for (let n = 1 + whole(random, 8); n > 0; n--) bytes[whole(random, bytes.length)] ^= 1 << whole(random, 8);
    return bytes;
  },
  (bytes, random) => {
    bytes[whole(random, bytes.length)] = interesting[whole(random, interesting.length)];
    return bytes;
  },
  (bytes, random) => bytes.subarray(0, whole(random, bytes.length)),
  (bytes, random) => {
    const [from, length] = [whole(random, bytes.length), whole(random, 64)];
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + length)]);
  },
  (bytes, random) => {
    const [from, length, to] = [whole(random, bytes.length), whole(random, 256), whole(random, bytes.length)];
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from, from + length), bytes.subarray(to)]);
  },
  (bytes, random) => {
    if (bytes.length >= 4) bytes.writeUInt32LE(words[whole(random, words.length)], whole(random, bytes.length - 3));
    return bytes;
  },
  (bytes, random) => {
    if (bytes.length >= 4) bytes.writeUInt32BE(words[whole(random, words.length)], whole(random, bytes.length - 3));
    return bytes;
  },
  (bytes, random) => {
    // headers are at the front, directories at the end
    const at = whole(random, 2) === 0 ? whole(random, 64) : bytes.length - 1 - whole(random, 128);
    if (at >= 0 && at < bytes.length) bytes[at] = whole(random, 256);
    return bytes;
  },
];

/** Changes of text that has values. */
const textual = [
  (text, random) => {
    const values = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:e-?\d+)?|true|false|null/g)];
    const found = values[whole(random, values.length)];
    if (!found) return text;
    return (
      text.slice(0, found.index) + tokens[whole(random, tokens.length)] + text.slice(found.index + found[0].length)
    );
  },
  (text, random) => {
    const lines = text.split('\n');
    lines.splice(
      whole(random, lines.length),
      1,
      ...lines.slice(whole(random, lines.length)).slice(0, whole(random, 3)),
    );
    return lines.join('\n');
  },
  (text, random) => {
    const at = whole(random, text.length);
    return text.slice(0, at) + '[{"'.charAt(whole(random, 3)).repeat(1 + whole(random, 3000)) + text.slice(at);
  },
];

const isText = (bytes) => bytes.length > 0 && bytes.length < 1e6 && bytes.every((byte) => byte >= 9 && byte < 127);

/** Another file that was this one. */
export function mutate(original, random) {
  let bytes = Buffer.from(original);
  for (let n = 1 + whole(random, 3); n > 0; n--) {
    if (isText(bytes) && whole(random, 3) > 0)
      bytes = Buffer.from(textual[whole(random, textual.length)](bytes.toString('latin1'), random), 'latin1');
    else if (bytes.length > 0) bytes = Buffer.from(binary[whole(random, binary.length)](bytes, random));
  }
  return bytes;
}
