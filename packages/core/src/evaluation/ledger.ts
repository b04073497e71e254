import { countOf, type ImageSet } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import { BulwarkError } from '../errors.js';
import type { Attack } from '../hooks/index.js';
import type { ThreatModel } from '../threat/index.js';
import { arithmeticOf } from './arithmetic.js';
import { emptyEntry, include, isSameAttack, spanOf, type Entry } from './attack-entry.js';
import { breaks } from './judge.js';
import type { Verdict } from './recheck.js';
import type { AttackEntry, EvaluationResult, TrustFinding } from './result.js';
import { accuracyPerClass, confusionMatrix, wilsonInterval } from './statistics.js';

/** What an evaluation is about; a result of anything else is not continued. */
export interface LedgerRequest {
  readonly model: Classifier;
  readonly data: ImageSet;
  readonly threat: ThreatModel;
  /** Threat models that are evaluated together with this one. */
  readonly together?: readonly ThreatModel[];
  readonly seed: number;
  readonly repeats: number;
  readonly tier: string;
  /** How passes round that are made from now on, if not in float32 throughout. */
  readonly arithmetic?: string;
  readonly identity: { readonly model: string; readonly data: string };
}

/** What one batch of one attack brought. */
export interface BatchOutcome {
  readonly indices: readonly number[];
  readonly verdicts: readonly Verdict[];
  readonly seconds: number;
  readonly zeroGradients: number;
}

const ones = (flags: string) => [...flags].filter((flag) => flag === '1').length;

/** Passes by which a result was judged. */
export const repeatsOf = ({ repeats = 1 }: Pick<EvaluationResult, 'repeats'>): number => repeats;

/** Keeps the books of an evaluation: who is still robust, what each attack did, and what is left to do. */
export class Ledger {
  readonly entries: Entry[];
  /** How the parts round that it consists of. */
  private readonly arithmetic: (string | undefined)[];

  private constructor(
    private readonly request: LedgerRequest,
    private readonly cleanFlags: string,
    /** Predicted class of the worst candidate so far; of the image where there is none. */
    private readonly predictions: number[],
    { attacks, arithmetic }: Pick<EvaluationResult, 'attacks' | 'arithmetic'>,
  ) {
    this.arithmetic = [arithmetic, request.arithmetic];
    this.entries = structuredClone(attacks);
  }

  static start(request: LedgerRequest, predictions: Int32Array): Ledger {
    const flags = [...predictions].map((prediction, i) => (prediction === request.data.labels[i] ? '1' : '0'));
    return new Ledger(request, flags.join(''), [...predictions], { attacks: [] });
  }

  /** @throws BulwarkError USAGE where the result is of another model, data set, threat, seed or number of passes */
  static continue(previous: EvaluationResult, request: LedgerRequest): Ledger {
    const { identity, threat, seed, repeats } = request;
    const differences = [
      previous.model.fingerprint !== identity.model && 'another model (or other weights)',
      previous.data.fingerprint !== identity.data && 'other images',
      previous.threat.norm !== threat.norm.name && `norm ${previous.threat.norm}`,
      previous.threat.epsilon !== threat.epsilon && `epsilon ${previous.threat.epsilon}`,
      previous.seed !== seed && `seed ${previous.seed}`,
      repeatsOf(previous) !== repeats && `${repeatsOf(previous)} passes for each answer`,
    ].filter(Boolean);
    if (differences.length > 0)
      throw new BulwarkError('USAGE', `the evaluation to be continued was made with ${differences.join(', ')}`, {
        hint: 'write this evaluation to another file (--out), or begin anew (--fresh)',
      });
    return new Ledger(request, previous.clean.flags, [...previous.worst.predictions], previous);
  }

  get count(): number {
    return countOf(this.request.data);
  }

  /** Finds or opens the entry of each stage; returns their keys in order. */
  plan(stages: readonly { attack: Attack; ensemble?: string }[]): string[] {
    const used = new Set<number>();
    return stages.map(({ attack, ensemble }) => {
      const fresh = emptyEntry(attack, ensemble, this.count);
      let at = this.entries.findIndex((entry, i) => !used.has(i) && isSameAttack(entry, fresh));
      if (at < 0) at = this.entries.push(fresh) - 1;
      used.add(at);
      return String(at);
    });
  }

  /**
   * Takes over what the same attacks found within a smaller radius: what they broke there is broken here, too, whatever another run of them
   * would find; where an attack has sought the smallest perturbation, nothing is left to do.
   * @throws BulwarkError USAGE where that result is of another model, data set, norm or number of passes, or of a larger radius
   */
  adopt(smaller: EvaluationResult): void {
    const { identity, threat, repeats } = this.request;
    const differences = [
      smaller.model.fingerprint !== identity.model && 'another model (or other weights)',
      smaller.data.fingerprint !== identity.data && 'other images',
      smaller.threat.norm !== threat.norm.name && `norm ${smaller.threat.norm}`,
      smaller.threat.epsilon > threat.epsilon && `the larger epsilon ${smaller.threat.epsilon}`,
      repeatsOf(smaller) !== repeats && `${repeatsOf(smaller)} passes for each answer`,
    ].filter(Boolean);
    if (differences.length > 0)
      throw new BulwarkError('USAGE', `the result within a smaller radius was made with ${differences.join(', ')}`, {
        hint: 'evaluate the radii of one curve with the same model, images and options',
      });
    this.arithmetic.push(smaller.arithmetic);
    this.entries.forEach((entry, k) => {
      const found = smaller.attacks.find((other) => isSameAttack(entry, other));
      if (found) this.adoptEntry(String(k), found, smaller.worst.predictions);
    });
  }

  private adoptEntry(key: string, found: AttackEntry, predictions: readonly number[]): void {
    const entry = this.at(key);
    const flags = [...entry.flags];
    const { distances, classes } = entry;
    const { epsilon, norm } = this.request.threat;
    const limit = epsilon + norm.slack(epsilon);
    let [taken, again] = [0, 0];
    flags.forEach((flag, i) => {
      const there = found.flags[i]!;
      if (flag === '0' || flag === '-') return;
      if (distances && classes && found.distances) {
        if (flag === '1' || there === '-' || there === '.') return;
        distances[i] = found.distances[i] ?? null;
        classes[i] = found.classes?.[i] ?? null;
      } else if (there !== '0') return;
      const broken = there === '0' || (distances?.[i] ?? Infinity) <= limit;
      if (flag === '1') again++;
      flags[i] = broken ? '0' : '1';
      taken++;
      if (broken && this.predictions[i] === this.request.data.labels[i])
        this.predictions[i] = classes?.[i] ?? predictions[i]!;
    });
    entry.flags = flags.join('');
    entry.attacked -= again;
    if (taken > 0) entry.reused = (entry.reused ?? 0) + taken;
    this.refresh(key);
  }

  private at(key: string): Entry {
    return this.entries[Number(key)]!;
  }

  /** Stages of the same ensemble before this one. */
  private earlier(key: string): Entry[] {
    const { ensemble } = this.at(key);
    return ensemble === undefined
      ? []
      : this.entries.slice(0, Number(key)).filter((entry) => entry.ensemble === ensemble);
  }

  /** The examples that an attack still has to be run on. */
  begin(key: string, { skipAll }: { skipAll: boolean }): { pending: number[] } {
    const entry = this.at(key);
    // later stages have broken something already where a smaller radius was attacked before
    const others = this.entries.filter((other) => entry.ensemble !== undefined && other.ensemble === entry.ensemble);
    entry.flags = [...entry.flags]
      .map((flag, i) => {
        const target = !skipAll && this.cleanFlags[i] === '1' && others.every(({ flags }) => flags[i] !== '0');
        return flag === '.' && !target ? '-' : flag;
      })
      .join('');
    this.refresh(key);
    return { pending: [...entry.flags].flatMap((flag, i) => (flag === '.' ? [i] : [])) };
  }

  record(key: string, { indices, verdicts, seconds, zeroGradients }: BatchOutcome): void {
    const entry = this.at(key);
    const flags = [...entry.flags];
    const { distances, classes } = entry;
    verdicts.forEach((verdict, k) => {
      const i = indices[k]!;
      if (verdict.violation && (verdict.misclassified || verdict.violation.endsWith('not-finite')))
        entry.rejected = { ...entry.rejected, [verdict.violation]: entry.rejected[verdict.violation]! + 1 };
      if (distances && classes && verdict.misclassified && !verdict.violation) {
        distances[i] = Number(verdict.distance.toPrecision(7));
        classes[i] = verdict.prediction;
      }
      const broken = breaks(verdict);
      flags[i] = broken ? '0' : '1';
      if (!broken) return;
      const before = flags.filter((flag) => flag === '0').length - 1;
      entry.linf = include(entry.linf, verdict.linf, before);
      entry.l2 = include(entry.l2, verdict.l2, before);
      // an entry that was begun without them stays without
      if (entry.l1) {
        entry.l1 = include(entry.l1, verdict.l1, before);
        entry.pixels = spanOf([verdict.pixels, ...(entry.pixels ? [entry.pixels] : [])]);
      }
      if (this.predictions[i] === this.request.data.labels[i]) this.predictions[i] = verdict.prediction;
    });
    entry.flags = flags.join('');
    entry.attacked += indices.length;
    entry.seconds += seconds;
    entry.zeroGradients += zeroGradients;
    this.refresh(key);
  }

  end(key: string): void {
    this.at(key).done = true;
  }

  private refresh(key: string): void {
    const entry = this.at(key);
    const group = [...this.earlier(key), entry];
    entry.accuracy = this.share((i) => group.every(({ flags }) => flags[i] !== '0'));
  }

  /** Share of all examples that are correct when clean and pass `test`. */
  private share(test: (i: number) => boolean): number {
    return [...this.cleanFlags].filter((flag, i) => flag === '1' && test(i)).length / this.count;
  }

  private get worstFlags(): string {
    return [...this.cleanFlags]
      .map((flag, i) => (flag === '1' && this.entries.every(({ flags }) => flags[i] !== '0') ? '1' : '0'))
      .join('');
  }

  /** Clean accuracy. */
  get clean(): number {
    return ones(this.cleanFlags) / this.count;
  }

  get robustShare(): number {
    return ones(this.worstFlags) / this.count;
  }

  result(findings: readonly TrustFinding[]): EvaluationResult {
    const { model, data, threat, together, seed, repeats, tier, identity } = this.request;
    const summary = (flags: string) => ({
      flags,
      accuracy: ones(flags) / this.count,
      interval: [...wilsonInterval(ones(flags), this.count)] as [number, number],
    });
    const worst = this.worstFlags;
    const perClass = accuracyPerClass(
      data.labels,
      { clean: [...this.cleanFlags].map(Number), robust: [...worst].map(Number) },
      model.classes,
    );
    const lowest = perClass.reduce((a, b) => (b.robust < a.robust ? b : a));
    return {
      format: 'bulwark-evaluation',
      version: 1,
      tier,
      model: { name: model.name, fingerprint: identity.model },
      data: { count: this.count, fingerprint: identity.data, classes: model.classes },
      threat: { norm: threat.norm.name, epsilon: threat.epsilon },
      ...(together &&
        together.length > 1 && { together: together.map(({ norm, epsilon }) => ({ norm: norm.name, epsilon })) }),
      seed,
      ...(repeats > 1 && { repeats }),
      ...arithmeticOf(this.arithmetic),
      complete: this.entries.every(({ done }) => done),
      clean: summary(this.cleanFlags),
      attacks: structuredClone(this.entries),
      worst: {
        ...summary(worst),
        perClass,
        worstClass: { class: lowest.class, robust: lowest.robust },
        confusion: confusionMatrix(data.labels, this.predictions, model.classes),
        predictions: [...this.predictions],
      },
      findings: [...findings],
    };
  }
}
