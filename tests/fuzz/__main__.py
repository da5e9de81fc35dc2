"""``python -m fuzz``: so many hostile cases → a tally, or the first that was not answered as promised, with its seed.

Run from ``tests/``. ``--first N --cases 1`` repeats one.
"""

import argparse
import sys
import time

from fuzz.run import FUZZERS, tally

parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
parser.add_argument("fuzzers", nargs="*", metavar="FUZZER", help=f"of {', '.join(FUZZERS)} (default: all)")
parser.add_argument("--cases", type=int, default=1000, help="of each (default: 1000)")
parser.add_argument("--first", type=int, default=0, help="the number of the first case (default: 0)")
arguments = parser.parse_args()
for fuzzer in arguments.fuzzers or FUZZERS:
    start = time.perf_counter()
    found = tally(fuzzer, arguments.first, arguments.cases)
    outcomes = ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(found.items()))
    print(f"{fuzzer}: {arguments.cases:,} cases in {time.perf_counter() - start:.0f} s: {outcomes}")
    sys.stdout.flush()
