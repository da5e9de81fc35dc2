"""What is asked of a weight → checked numbers: blocks, layouts, fans, laws. No memory, no Numba."""
