"""How scalar functions are compiled: inlined into whatever loop calls them, so that LLVM sees one loop to vectorise.

No signatures (they would tie a function to one target) and no fastmath (it would give bits away).
"""

INLINE = {"forceinline": True, "error_model": "numpy"}
