"""Words and values of a piece → counts, sums of powers, hashes: loops without a lock, at a dozen times NumPy's speed.

Words are the bits of elements as unsigned integers. Sums lie in lanes side by side, so that a loop that adds in the
order that is written out is a loop over vectors all the same.
"""

import numpy as np

from numbainit.targets.cache import kernel


@kernel("audit_counts")
def count(words, shift, counts):
    """How many words have the same leading bits."""
    for place in range(words.size):
        counts[words[place] >> shift] += 1


@kernel("audit_powers")
def add_powers(values, origin, lanes):
    """Sums of the first four powers of distances from an origin; the lowest and the highest: six rows of lanes."""
    width, size = np.uint64(lanes.shape[1]), np.uint64(values.size)
    first, second, third, fourth, low, high = lanes[0], lanes[1], lanes[2], lanes[3], lanes[4], lanes[5]
    for at in range(np.uint64(0), size, width):
        run = values[at : at + width]
        for lane in range(np.uint64(run.size)):
            value = np.float64(run[lane])
            away = value - origin
            square = away * away
            first[lane] += away
            second[lane] += square
            third[lane] += square * away
            fourth[lane] += square * square
            low[lane] = value if value < low[lane] else low[lane]
            high[lane] = value if value > high[lane] else high[lane]


@kernel("audit_rows")
def hash_rows(matrix, factors, hashes, alive):
    """A hash of each row, of words of up to 32 bits, added to what is there; and all bits of the words of a column."""
    for row in range(np.uint64(matrix.shape[0])):
        words, total = matrix[row], np.uint64(0)
        for column in range(np.uint64(words.size)):
            word = np.uint32(words[column])
            total += np.uint64(word ^ (word >> np.uint32(15))) * np.uint64(factors[column])
        hashes[row] += total
        for column in range(np.uint64(alive.size)):
            alive[column] |= words[column]


@kernel("audit_pages")
def hash_pages(pages, factors, hashes):
    """A hash of each page of 32-bit words, the last bit of which is set; 0 for those of two words again and again."""
    for row in range(np.uint64(pages.shape[0])):
        words, total, other = pages[row], np.uint64(0), np.uint32(0)
        for column in range(np.uint64(words.size)):
            word = words[column]
            total += np.uint64(word ^ (word >> np.uint32(15))) * np.uint64(factors[column])
            other |= word ^ words[column & np.uint64(1)]
        hashes[row] = total | np.uint64(1) if other else np.uint64(0)


@kernel("audit_zeros")
def run_of_zeros(words, magnitude, state):
    """Zeros, and the longest run of them: ``state`` is count, open run, words seen, longest run, its first word."""
    total, open_run, seen, best, start = state[0], state[1], state[2], state[3], state[4]
    for place in range(words.size):
        if words[place] & magnitude:
            if open_run > best:
                best, start = open_run, seen + place - open_run
            open_run = 0
        else:
            total += 1
            open_run += 1
    seen += words.size
    if open_run > best:
        best, start = open_run, seen - open_run
    state[0], state[1], state[2], state[3], state[4] = total, open_run, seen, best, start


@kernel("audit_addresses")
def count_addresses(words):
    """Words of 64 bits that look like addresses of a program: 0x000055..., 0x00007f..., multiples of 8."""
    total = 0
    for place in range(words.size):
        high = words[place] >> np.uint64(40)
        like = (high == np.uint64(0x7F)) | (high == np.uint64(0x55)) | (high == np.uint64(0x56))
        total += like & ((words[place] & np.uint64(7)) == np.uint64(0))
    return total
