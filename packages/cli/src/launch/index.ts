export { addLaunchFlags, chooseLauncher, retriesOf, type ChosenLauncher, type LaunchFlags } from './choose.js';
export { jobFolder, type Job, type Step } from './job.js';
export { cancelFile, checkJobs, jobsFolder, runJobs, type JobsResult, type Launch } from './run-jobs.js';
