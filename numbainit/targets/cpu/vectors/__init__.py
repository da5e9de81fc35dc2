"""Counters in a row → the values of a law in contiguous memory, in SIMD registers. See ``words.py`` for the layout.

Why by hand: LLVM's vectoriser keeps a word in each 64-bit lane and interleaves nothing, which leaves half of what AVX2
and AVX-512 can do unused; and compiling loops over dozens of inlined functions takes ten times as long as compiling the
few hundred vector instructions that are meant. So the maths of ``numbainit.maths`` is traced with values of many lanes,
and what is traced is the code: a counter's words are made in ``words.py``, become values in ``laws.py``, and those that
are rejected are made again in ``rejection.py``, a chunk at a time (``chunk.py``), as one C function for each law and
dtype (``functions.py``).
"""
