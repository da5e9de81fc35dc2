"""Evidence for the generator: what batteries and tests of size say of its words, laws and keys."""
