import { countOf, type ImageSet } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import { BulwarkError } from '../errors.js';
import type { ThreatModel } from '../threat/index.js';
import { fingerprintData, fingerprintModel } from './fingerprint.js';
import { arithmeticOf } from './arithmetic.js';
import { isSameAttack, spanOf } from './attack-entry.js';
import { Ledger, repeatsOf } from './ledger.js';
import type { AttackEntry, EvaluationResult } from './result.js';
import { checkOutcome } from './trust.js';

/** Positions of the `index`-th (from 1) of `count` shards of a list: every `count`-th, so that all classes are in each. */
export const shardPositions = (length: number, { index, count }: { index: number; count: number }): number[] =>
  Array.from({ length }, (_, i) => i).filter((i) => i % count === index - 1);

/** Puts the parts of shards back into one list. */
const interleave = <T>(parts: readonly ArrayLike<T>[], length: number): T[] =>
  Array.from({ length }, (_, i) => parts[i % parts.length]![Math.floor(i / parts.length)]!);

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const brokenBy = ({ flags }: AttackEntry) => [...flags].filter((flag) => flag === '0').length;

/** Largest of the largest, and the mean over all broken examples. */
function mergeSizes(entries: readonly AttackEntry[], sizeOf: (entry: AttackEntry) => AttackEntry['linf']) {
  const broken = sum(entries.map(brokenBy));
  const total = sum(entries.map((entry) => sizeOf(entry).mean * brokenBy(entry)));
  return { max: Math.max(...entries.map((entry) => sizeOf(entry).max)), mean: broken === 0 ? 0 : total / broken };
}

function mergeEntries(shards: readonly EvaluationResult[], k: number, length: number): AttackEntry {
  const entries = shards.map(({ attacks }) => attacks[k]);
  const first = entries[0]!;
  const stranger = entries.findIndex((entry) => !isSameAttack(first, entry));
  if (stranger >= 0)
    throw new BulwarkError('USAGE', `shard ${stranger + 1} has other attacks than shard 1 (attack ${k + 1})`, {
      hint: 'evaluate all shards with the same attacks',
    });
  const all = entries as AttackEntry[];
  const ranges = all.flatMap(({ pixels }) => pixels ?? []);
  const reasons = Object.keys(first.rejected) as (keyof AttackEntry['rejected'])[];
  // a part without what others keep leaves the whole without
  const { l1: _l1, ...rest } = first;
  return {
    ...rest,
    done: all.every(({ done }) => done),
    flags: interleave(
      all.map(({ flags }) => flags),
      length,
    ).join(''),
    seconds: sum(all.map(({ seconds }) => seconds)),
    attacked: sum(all.map(({ attacked }) => attacked)),
    linf: mergeSizes(all, ({ linf }) => linf),
    l2: mergeSizes(all, ({ l2 }) => l2),
    ...(all.every(({ l1 }) => l1) && { l1: mergeSizes(all, ({ l1 }) => l1!) }),
    ...(ranges.length > 0 && { pixels: spanOf(ranges) }),
    rejected: Object.fromEntries(reasons.map((why) => [why, sum(all.map(({ rejected }) => rejected[why]!))])),
    ...(all.some(({ reused }) => reused) && { reused: sum(all.map(({ reused = 0 }) => reused)) }),
    ...(first.distances && {
      distances: interleave(
        all.map(({ distances }) => distances ?? []),
        length,
      ),
      classes: interleave(
        all.map(({ classes }) => classes ?? []),
        length,
      ),
    }),
    zeroGradients: sum(all.map(({ zeroGradients }) => zeroGradients)),
  };
}

/**
 * One result from the results of all shards of an image set (`shardPositions`). Flags stand where one evaluation of the whole would
 * have them; the noise of random attacks differs from such an evaluation, as it is drawn per shard.
 * @throws BulwarkError USAGE where a shard is missing, unfinished, or of another model, set, threat or seed
 */
export async function mergeEvaluations(
  shards: readonly EvaluationResult[],
  request: { model: Classifier; data: ImageSet; threat: ThreatModel },
): Promise<EvaluationResult> {
  const { data, model, threat } = request;
  const length = countOf(data);
  const identity = { model: await fingerprintModel(model), data: fingerprintData(data) };
  const [first] = shards;
  if (!first) throw new BulwarkError('USAGE', 'there are no shards to merge', { hint: 'evaluate with --shard first' });
  shards.forEach((shard, i) => {
    const expected = shardPositions(length, { index: i + 1, count: shards.length }).length;
    const wrong = [
      shard.data.count !== expected && `${shard.data.count} images instead of ${expected}`,
      !shard.complete && 'attacks that are not finished',
      shard.model.fingerprint !== identity.model && 'another model (or other weights)',
      shard.threat.norm !== threat.norm.name && `norm ${shard.threat.norm}`,
      shard.threat.epsilon !== threat.epsilon && `epsilon ${shard.threat.epsilon}`,
      shard.seed !== first.seed && `seed ${shard.seed}`,
      repeatsOf(shard) !== repeatsOf(first) && `${repeatsOf(shard)} passes for each answer`,
      shard.attacks.length !== first.attacks.length && 'another number of attacks',
    ].filter(Boolean);
    if (wrong.length > 0)
      throw new BulwarkError('USAGE', `shard ${i + 1} of ${shards.length} has ${wrong.join(', ')}`, {
        hint: 'evaluate this shard again with the flags of the others',
      });
  });
  const attacks = first.attacks.map((_, k) => mergeEntries(shards, k, length));
  const previous: EvaluationResult = {
    ...first,
    ...arithmeticOf(shards.map(({ arithmetic }) => arithmetic)),
    data: { ...first.data, count: length, fingerprint: identity.data },
    clean: {
      ...first.clean,
      flags: interleave(
        shards.map(({ clean }) => clean.flags),
        length,
      ).join(''),
    },
    attacks,
    worst: {
      ...first.worst,
      predictions: interleave(
        shards.map(({ worst }) => worst.predictions),
        length,
      ),
    },
  };
  const ledger = Ledger.continue(previous, {
    ...{ ...request, seed: first.seed, repeats: repeatsOf(first), tier: first.tier, identity },
  });
  attacks.forEach((_, k) => ledger.begin(String(k), { skipAll: threat.epsilon === 0 })); // accuracies anew
  const outcome = checkOutcome(ledger.entries, ledger);
  const perShard = [
    'zero-gradient',
    'constraint-violated',
    'attack-not-finite',
    'model-not-finite',
    'square-better',
    'transfer-better',
    'pgd-gap',
  ];
  const findings = shards.flatMap((shard) => shard.findings.filter(({ id }) => !perShard.includes(id)));
  const distinct = [...new Map(findings.map((finding) => [`${finding.id} ${finding.what}`, finding])).values()];
  return ledger.result([...distinct, ...outcome]);
}
