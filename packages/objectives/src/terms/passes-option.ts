import type { PassText } from '@bulwark/core';
import { z } from 'zod';

const meaning = 'outer passes in the order in which they update running statistics; role:batch leaves them alone';

/** The option `passes` of a method whose passes follow from its loss. */
export const passesOption = () =>
  z.array(z.string()).optional().describe(`${meaning}; default: those that the loss reads, the image first`);

/** The option `passes` of a method to which the order of its original belongs. */
export const passesInOrder = (original: PassText[]) => z.array(z.string()).default(original).describe(meaning);
