"""A seed → a hostile call, and whether it was answered as promised.

A fuzzer is a module with ``case(random)``: one call made of a random source, which raises an AssertionError where
something is not as promised: an exception that is none of ours, a message too long, a write on error or out of bounds,
a wrong value, a debris. What it returns names the outcome, for the tally. ``python -m fuzz`` runs as many as wanted.
"""
