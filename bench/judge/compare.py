"""Meliora's tests against scipy and statsmodels on shared cases, and the same power by other means.

    python3 -m venv /tmp/judge && /tmp/judge/bin/pip -q install scipy statsmodels
    /tmp/judge/bin/python bench/judge/compare.py            # prints the numbers that crates/judge/src/reference.rs expects

The cases are made here by a rule that the Rust test repeats, so that both see the same numbers.
"""

import math

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar


def cases():
    """Differences of graded scores: a few tasks, ties, one large one."""
    yield "small", [0.5, 0.25, -0.25, 0.75, 0.125, -0.125, 0.375, 0.5]
    yield "ties", [0.5, 0.0, 0.0, 0.25, -0.5, 0.0, 0.5, 0.25, 0.125, 0.0]
    yield "outlier", [1.0, -0.1, -0.1, -0.05, 0.2, -0.15, 0.1]
    yield "long", [((i * 37) % 41 - 17) / 40 for i in range(60)]


def main():
    print("# McNemar, exact, one-sided: wins, losses, p (scipy binomtest), p two-sided / 2 (statsmodels)")
    for wins, losses in [(5, 0), (9, 1), (14, 3), (30, 18), (120, 90), (531, 470)]:
        one = stats.binomtest(wins, wins + losses, 0.5, alternative="greater").pvalue
        two = mcnemar([[0, wins], [losses, 0]], exact=True).pvalue
        print(f"{wins} {losses} {one:.17g} {two / 2:.17g}")
    print("# sign flip: case, p (scipy permutation_test, all patterns or 200,000 drawn)")
    for name, d in cases():
        d = np.array(d)
        exact = len(d) <= 16
        found = stats.permutation_test(
            (d,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples", vectorized=True,
            n_resamples=np.inf if exact else 200_000, alternative="greater", rng=np.random.default_rng(1),
            batch=10_000,
        )
        print(f"{name} {found.pvalue:.17g}")
    print("# interval of the means of subsets, 95 %: case, low, high (numpy, all subsets or 1,000,000 drawn)")
    for name, d in cases():
        d, rng = np.array(d), np.random.default_rng(1)
        if len(d) <= 11:
            picked = (np.arange(1, 1 << len(d))[:, None] >> np.arange(len(d))) & 1
        else:
            picked = rng.integers(0, 2, size=(999_999, len(d)))
        means = np.sort((picked @ d) / picked.sum(axis=1))
        outside = int(0.025 * (len(means) + 1))
        if outside:
            print(f"{name} {means[outside - 1]:.17g} {means[-outside]:.17g}")
    print("# capital of bets on a grid: case, in the end, highest (numpy)")
    grid = np.arange(1, 21) / 21
    for name, d in cases():
        path = np.cumprod(1 + grid[None, :] * np.array(d)[:, None], axis=0).mean(axis=1)
        print(f"{name} {path[-1]:.17g} {max(1.0, path.max()):.17g}")
    print("# power of McNemar's exact test at 0.05: tasks, part won, part lost, power (sum over all outcomes)")
    for n, win, loss in [(60, 0.20, 0.05), (200, 0.10, 0.05), (369, 0.10, 0.05)]:
        power = 0.0
        for discordant in range(n + 1):
            weight = stats.binom.pmf(discordant, n, win + loss)
            wins = np.arange(discordant + 1)
            accepted = stats.binom.sf(wins - 1, discordant, 0.5) <= 0.05
            power += weight * stats.binom.pmf(wins, discordant, win / (win + loss))[accepted].sum()
        print(f"{n} {win} {loss} {power:.10f}")
    print("# power of a one-sided paired t-test at 0.05: tasks, mean, sd, power (noncentral t)")
    for n, mean, sd in [(30, 0.1, 0.25), (60, 0.05, 0.2)]:
        critical = stats.t.ppf(0.95, n - 1)
        print(f"{n} {mean} {sd} {1 - stats.nct.cdf(critical, n - 1, mean / sd * math.sqrt(n)):.10f}")


if __name__ == "__main__":
    main()
