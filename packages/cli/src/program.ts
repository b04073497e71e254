import { createRequire } from 'node:module';
import { Command } from 'commander';
import { analyzeCommand } from './commands/analyze.js';
import { compareCommand } from './commands/compare.js';
import { createCommand } from './commands/create.js';
import { benchCommand } from './commands/bench.js';
import { dataCommand } from './commands/data.js';
import { demoCommand } from './commands/demo.js';
import { doctorCommand } from './commands/doctor.js';
import { engineCommand } from './commands/engine.js';
import { evaluateCommand } from './commands/evaluate.js';
import { exportCommand } from './commands/export.js';
import { initCommand } from './commands/init.js';
import { jobCommand } from './commands/job.js';
import { modelsCommand } from './commands/models.js';
import { pluginsCommand } from './commands/plugins.js';
import { pseudoLabelCommand } from './commands/pseudo-label.js';
import { reportCommand } from './commands/report.js';
import { reproduceCommand } from './commands/reproduce.js';
import { schemaCommand } from './commands/schema.js';
import { sweepCommand } from './commands/sweep.js';
import { trainCommand } from './commands/train.js';
import { trustCommand } from './commands/trust.js';
import { verifyCommand } from './commands/verify.js';
import { watchCommand } from './commands/watch.js';
import { checkFlags } from './terminal/flag-rules.js';
import { ownRank, setOwnRank } from './terminal/ranks.js';
import { checkAlone } from './train/ranks.js';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

/** The whole command; each subcommand is a file under commands/. */
export function program(): Command {
  const root = new Command('bulwark')
    .description('train neural networks that withstand adversarial examples')
    .version(version)
    .option('--debug', 'show stack traces')
    .addHelpText('after', '\nStart with:\n  bulwark demo\n  bulwark init && bulwark train bulwark.yaml');
  const commands = [
    demoCommand(),
    initCommand(),
    createCommand(),
    trainCommand(),
    compareCommand(),
    evaluateCommand(),
    reportCommand(),
    watchCommand(),
    sweepCommand(),
    reproduceCommand(),
    analyzeCommand(),
    pluginsCommand(),
    modelsCommand(),
    schemaCommand(),
    engineCommand(),
    doctorCommand(),
    benchCommand(),
    dataCommand(),
    pseudoLabelCommand(),
    exportCommand(),
    trustCommand(),
    verifyCommand(),
  ];
  // of several ranks that are given the same wrong words, rank 0 says so
  const writeErr = (text: string) => {
    const { rank, alike = false } = ownRank() ?? { rank: 0 };
    if (rank === 0 || !alike) process.stderr.write(text);
  };
  for (const command of commands) root.addCommand(command.exitOverride().configureOutput({ writeErr }));
  root.hook('preAction', (_, command) => {
    checkFlags(command);
    checkAlone(command);
    const { rank } = ownRank() ?? {};
    if (rank !== undefined) setOwnRank({ rank });
  });
  const give = async (words: readonly string[]) => void (await program().parseAsync(['node', 'bulwark', ...words]));
  root.addCommand(jobCommand(give).exitOverride(), { hidden: true });
  return root.exitOverride().configureOutput({ writeErr }).showHelpAfterError('(add --help for usage)');
}
