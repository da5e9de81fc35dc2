"""A law and an array → the array filled: the CPU and CUDA, of one shape (``target.py``)."""
