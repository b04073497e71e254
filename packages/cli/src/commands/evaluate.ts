import { tierNames } from '@bulwark/core/attacks';
import { Command, Option } from 'commander';
import { evaluateTarget, type EvaluateFlags } from '../evaluate/evaluate-target.js';
import { evaluateRules } from '../evaluate/rules.js';
import { addLaunchFlags } from '../launch/index.js';
import { addFlagRules } from '../terminal/flag-rules.js';
import { pluginsOption } from '../trust/policy.js';

const examples = `
Examples:
  bulwark evaluate runs/st-awp
  bulwark evaluate runs/st-awp --tier full
  bulwark evaluate runs/st-awp --attacks pgd:steps=100 cw-linf autoattack:version=plus
  bulwark evaluate model.safetensors --model resnet18 --data cifar10 --epsilon 8/255 --tier fast
  bulwark evaluate model.json --data fashion-mnist --epsilon 0.1
  bulwark evaluate runs/st-awp --tier full --robustbench st-awp.json
  bulwark evaluate runs/st-awp --attacks pgd --transfer-from runs/at
  bulwark evaluate runs/st-awp --corruptions
  bulwark evaluate runs/st-awp --tier full --shard 3/8
  bulwark evaluate runs/st-awp --tier full --merge 8
  bulwark evaluate runs/st-awp --tier full --shards 8 --launcher slurm:partition=gpu:gpus=1
  bulwark evaluate runs/st-awp --attacks apgd:loss=dlr --norm l2 --epsilon 0.5 --images 1000
  bulwark evaluate runs/st-awp --epsilons 0,2/255,4/255,8/255,16/255 --attacks pgd fmn
  bulwark evaluate runs/max --threats linf:8/255 l2:0.5 l1:12 --tier fast
An evaluation that was interrupted goes on when the same command is given again.`;

/** `bulwark evaluate <run | weights>`. */
export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('attack a trained model and report its robust accuracy')
    .argument('<target>', 'run folder, weights file (.safetensors, .pt), or model.json of TensorFlow.js')
    .option(
      '--attacks <specs...>',
      'attacks, each with its options after colons: pgd:steps=50:restarts=2 autoattack; worst case over all',
    )
    .addOption(
      new Option('--tier <name>', 'how much effort instead of --attacks (default: quick)').choices([...tierNames]),
    )
    .option('--checkpoint <kind>', 'best or last checkpoint of a run (default: best if there is one)')
    .option('--config <file>', 'config with model, data and threat of a weights file')
    .option('--zoo <id>', 'a published model of RobustBench that a weights file holds; `bulwark models` lists them')
    .option('--from <place>', 'where in a weights file the network is, if several fit: state_dict_ema, ...')
    .option('--model <name>', 'model of a weights file, without a config')
    .option('--data <name>', 'data set for a weights file, without a config')
    .option('--norm <name>', 'linf, l2 or l1 instead of the norm of the run')
    .option('--epsilon <radius>', 'radius instead of that of the run, for example 8/255')
    .option(
      '--epsilons <list>',
      'accuracy over radius: 0,2/255,4/255,8/255; what is broken within one is broken in the next',
    )
    .option('--threats <specs...>', 'several norms, each with its radius, and their union: linf:8/255 l2:0.5 l1:12')
    .option('--images <n>', 'number of test images, spread over the test set; first:<n> for the first, all for all')
    .option('--batch <n>', 'images per batch', '250')
    .option('--seed <n>', 'seed of the attack noise', '0')
    .option('--repeats <n>', 'passes by which a randomised model is judged: the most frequent answer counts', '1')
    .option('--engine <name>', 'engine instead of that of the run')
    .option(...pluginsOption)
    .option('--out <file>', 'result file (default: in the run folder under evaluation/)')
    .option('--fresh', 'begin again instead of continuing the result file')
    .option('--shard <i/n>', 'only the i-th of n parts of the images, for several machines')
    .option('--merge <n>', 'make one result of the n parts, with the same other flags')
    .option('--shards <n>', 'have n parts measured by jobs, and make one result of them')
    .option(
      '--transfer-from <target>',
      'run the attacks on this run or weights file, too, and show its examples to the model',
    )
    .option(
      '--corruptions [data]',
      'accuracy under common corruptions instead of attacks (default: cifar10-c or cifar100-c of the model; or cifar10-c:folder=...)',
    )
    .option(
      '--robustbench <file>',
      "write the result as RobustBench's model_info (.json) and AutoAttack's log lines (.log)",
    )
    .option('--no-probes', 'leave out the trust checks that attack again (large epsilon, more steps)')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', examples);
  addFlagRules(command, ...evaluateRules);
  return addLaunchFlags(command, 'shards').action((path: string, flags: EvaluateFlags) => evaluateTarget(path, flags));
}
