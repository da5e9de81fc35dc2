"""The machine code of a kernel → how many instructions a turn of its innermost loop takes.

That is what bounds a law on a GPU, and it is known without one. Instructions of a turn are counted along every path
through the loop but those that hardly any turn takes: calls (the roots of numbers out of the ordinary) and stores of
less than the widest (the ends of an array).
"""

import re
from itertools import pairwise

_LABEL = re.compile(r"\.(L_x_\d+):")
_INSTRUCTION = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;")
_BYTES = {"128": 16, "64": 8, "U16": 2, "U8": 1}


def turns(text):
    """The fewest and the most instructions of a turn of the innermost loop that makes words."""
    code, labels = _read(text)
    blocks = _blocks(code, labels)
    rare = _rare(code, blocks)
    begin, end = min(_loops(code, blocks, rare), key=lambda loop: loop[1] - loop[0])
    lengths = list(_lengths(blocks, rare, begin, begin, end, frozenset()))
    return min(lengths), max(lengths)


def _read(text):
    code, labels = [], {}
    for line in text.splitlines():
        if label := _LABEL.match(line.strip()):
            labels[label[1]] = len(code)
        elif instruction := _INSTRUCTION.match(line):
            code.append(instruction[1])
    return code, labels


def _blocks(code, labels):
    """Where a basic block begins → where it ends, and where those that may follow it begin."""
    leaders = {0, *labels.values()}
    leaders |= {place + 1 for place, one in enumerate(code) if re.search(r"\b(?:BRA|EXIT|RET|CALL)\b", one)}
    found = {}
    for begin, end in pairwise(sorted({*leaders, len(code)})):
        last = code[end - 1]
        target = re.search(r"\bBRA\b.*`\(\.(L_x_\d+)\)", last)
        goes_on = last.startswith("@") or not re.search(r"\b(?:BRA|EXIT|RET)\b", last)
        following = [labels[target[1]]] if target else []
        found[begin] = end, following + [end] * (goes_on and end < len(code))
    return found


def _rare(code, blocks):
    stores = {place: _BYTES.get(match[1] or "", 4) for place, one in enumerate(code) if (match := _store(one))}
    widest = max(stores.values())
    return {
        begin
        for begin, (end, _) in blocks.items()
        if any("CALL" in code[place] or stores.get(place, widest) < widest for place in range(begin, end))
    }


def _store(instruction):
    return re.search(r"\bSTG\.E(?:\.(\w+))?", instruction)


def _loops(code, blocks, rare):
    """The loops, (begin, end), that hold the products of at least half of the rounds of a block."""
    for begin, (end, following) in blocks.items():
        for target in following:
            backward = target <= begin and not {begin, target} & rare
            if backward and sum("IMAD.WIDE.U32" in one for one in code[target:end]) >= 10:
                yield target, end


def _lengths(blocks, rare, place, begin, end, seen):
    """The lengths of all paths from ``place`` back to the beginning of a loop."""
    after, following = blocks[place]
    for target in following:
        if target == begin:
            yield after - place
        elif begin <= target < end and target not in rare | seen:
            rest = _lengths(blocks, rare, target, begin, end, seen | {place})
            yield from (after - place + length for length in rest)
