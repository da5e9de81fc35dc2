"""A bounded share of the fuzzers' cases: ``python -m fuzz`` runs as many as are wanted."""

import pytest

from fuzz.run import FUZZERS, tally

SHARES = {"functions": 4000, "objects": 2000, "headers": 3000, "recipes": 600, "commands": 300}


@pytest.mark.full
@pytest.mark.parametrize("share", range(4))
@pytest.mark.parametrize("fuzzer", FUZZERS)
def test_hostile_cases_are_answered_as_promised(fuzzer, share):
    count = SHARES[fuzzer] // 4
    found = tally(fuzzer, share * count, count)
    assert found.total() == count
    assert len(found) > 1, "all cases ended alike: this tests nothing"


@pytest.mark.parametrize("fuzzer", FUZZERS)
def test_a_case_is_a_function_of_its_number(fuzzer):
    assert tally(fuzzer, 7, 5) == tally(fuzzer, 7, 5)
