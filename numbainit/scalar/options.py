"""How functions below the kernels are compiled: inlined into the loop that calls them, which LLVM then vectorises.

No signatures (they would tie a function to one target), no fastmath (it would give bits away), and no wrappers for
Python or C, which nobody calls and which take a fifth of the time to compile.
"""

INLINE = {"forceinline": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
