"""Statistics of a sample → passed, or a failed test: the false alarms of all statistical tests, kept in one place.

The whole room raises a false alarm with probability at most ``FAMILY``: each of at most ``TESTS`` p-values fails iff it
lies below its equal share (Bonferroni, so it holds however the statistics depend on each other). Every check counts,
and a check beyond the last share is an error, so the room cannot outgrow its promise unnoticed. Seeds are fixed: what
passes once passes always, until a law or the stream changes.

P-values near 1 pass, because Kolmogorov-Smirnov and binomial ones are conservative where values are discrete. The
exception is chi-square, tested on both sides: counts that are too even are the mark of a lattice or of a counter
that shows through, and its lower tail is as well known as its upper one.
"""

import numpy as np
from scipy import special, stats

FAMILY = 1e-4  # the probability that a perfect engine fails any of the tests
TESTS = 2700  # p-values that the room may spend; it spends about 2,640
SHARE = FAMILY / TESTS  # of one p-value: 4e-8, which is 5.5 sigma for a z-score

_spent = 0


def check(p_values, what):
    """Spend one share for each p-value, and fail if any lies below it (or is NaN)."""
    p_values = np.ravel(p_values)
    spend(p_values.size)
    failed = np.flatnonzero(~(p_values >= SHARE))
    assert not failed.size, f"{what}: p = {p_values[failed[0]]:.3g} (number {failed[0]} of {p_values.size}) < {SHARE:g}"


def spend(shares):
    """Count p-values, of this process or of another."""
    global _spent
    _spent += shares
    assert _spent <= TESTS, f"{_spent} p-values, but the shares are cut for {TESTS}: raise budget.TESTS"


def spent():
    return _spent


def ks(probabilities, what):
    """Kolmogorov-Smirnov: ``probabilities`` are F(x) of a sample, so uniform on [0, 1] if F is its law."""
    check(stats.kstest(probabilities, lambda u: u).pvalue, what)


def z_scores(z, what):
    """Each of a few standard normal statistics, which may depend on each other."""
    check(2.0 * special.ndtr(-np.abs(z)), what)


def many_z_scores(z, what):
    """Many uncorrelated standard normal statistics at the price of two: the largest, and the sum of their squares."""
    largest_z_score(z, what)
    check(_both_sides(stats.chi2(np.size(z)), np.square(z).sum()), f"{what}, sum of squares of {np.size(z)}")


def largest_z_score(z, what):
    """The largest of many standard normal statistics, by Sidak's (for any Gaussian dependence conservative) formula."""
    one = 2.0 * special.ndtr(-np.abs(z).max())
    check(-np.expm1(np.size(z) * np.log1p(-one)), f"{what}, largest of {np.size(z)}")


def chi_square(observed, expected, what):
    """Pearson's chi-square of the counts of all cells, whose expectations are known and not small; both tails."""
    expected = np.broadcast_to(expected, np.shape(observed))
    assert np.isclose(np.sum(observed), expected.sum(), rtol=1e-9), "the cells must be all of them"
    assert expected.min() >= 10, "cells too rare for the chi-square law"
    statistic = (np.square(observed - expected) / expected).sum()
    check(_both_sides(stats.chi2(expected.size - 1), statistic), f"{what}, chi-square of {expected.size} cells")


def chi_square_statistic(statistic, degrees, what):
    """A statistic of the chi-square law with so many degrees of freedom; both tails."""
    check(_both_sides(stats.chi2(degrees), statistic), f"{what}, chi-square with {degrees} degrees of freedom")


def binomial(count, trials, probability, what):
    """``count`` successes of ``trials``, by the exact two-sided binomial test."""
    p = stats.binomtest(int(count), int(trials), float(probability)).pvalue
    check(p, f"{what}: {count} of {trials}, {trials * probability:.5g} expected")


def _both_sides(law, statistic):
    return min(1.0, 2.0 * min(law.sf(statistic), law.cdf(statistic)))
