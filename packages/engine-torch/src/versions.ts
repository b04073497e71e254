/** The PyTorch that `--pip` fetches. */
export const torchVersion = '2.13.0';

/** The oldest PyTorch whose headers have all that the addon calls. */
export const oldestTorch = '2.6';
