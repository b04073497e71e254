/** Tensors and what is done to them: for bundlers by name, so that they drop what is not used, for Node by the way that starts fastest. */
export * from '#tensorflow';
