"""A GPU's kernels without a GPU: see README.md."""
