"""The name of a fuzzer and numbers of cases → their tally; each case is a function of its number alone."""

import collections
import importlib
import random

FUZZERS = ("functions", "objects", "headers", "recipes", "commands")


def tally(fuzzer, first, count):
    """How often each outcome was seen; the number of a case that fails is part of its error."""
    case = importlib.import_module(f"fuzz.{fuzzer}").case
    found = collections.Counter()
    for number in range(first, first + count):
        try:
            found[case(random.Random(f"{fuzzer} {number}"))] += 1
        except Exception as error:
            error.add_note(f"python -m fuzz {fuzzer} --first {number} --cases 1")
            raise
    return found
