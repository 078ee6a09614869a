#!/usr/bin/env python3
"""What the problems of examples/ give without a model and without evolution: the figures beside ours.

    python3 -m venv venv && venv/bin/pip install numpy scipy
    venv/bin/python bench/problems/baselines.py                     # all but circles and heilbronn
    venv/bin/python bench/problems/baselines.py circles --seconds 600
    venv/bin/python bench/problems/baselines.py heilbronn --seconds 300
    venv/bin/python bench/problems/baselines.py tour --restarts 2000

Every figure is computed by the example's own evaluator. Seeds are fixed; how far a time limit carries depends on the machine.
"""
import argparse
import importlib.util
import math
import random
import sys
import time
import types
from pathlib import Path

sys.dont_write_bytecode = True
EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def evaluator(name):
    """An example's evaluator, as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / name / "evaluator.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def solve_circles(np, minimize, start, ftol):
    """The packing that SLSQP finds from these centres and radii, or None: analytic derivatives, strict constraints."""
    n = 26
    first, second = np.triu_indices(n, 1)
    pairs = len(first)
    rows = np.arange(pairs)
    walls = np.zeros((4 * n, 3 * n))
    for i in range(n):
        walls[4 * i, [i, 2 * n + i]] = 1, -1
        walls[4 * i + 1, [i, 2 * n + i]] = -1, -1
        walls[4 * i + 2, [n + i, 2 * n + i]] = 1, -1
        walls[4 * i + 3, [n + i, 2 * n + i]] = -1, -1
    offsets = np.tile([0.0, 1.0, 0.0, 1.0], n)

    def constraints(z):
        x, y, r = z[:n], z[n:2 * n], z[2 * n:]
        apart = np.hypot(x[first] - x[second], y[first] - y[second])
        return np.concatenate([apart - r[first] - r[second], walls @ z + offsets, r])

    def slopes(z):
        x, y = z[:n], z[n:2 * n]
        dx, dy = x[first] - x[second], y[first] - y[second]
        apart = np.maximum(np.hypot(dx, dy), 1e-12)
        made = np.zeros((pairs, 3 * n))
        made[rows, first], made[rows, second] = dx / apart, -dx / apart
        made[rows, n + first], made[rows, n + second] = dy / apart, -dy / apart
        made[rows, 2 * n + first] = made[rows, 2 * n + second] = -1
        return np.vstack([made, walls, np.hstack([np.zeros((n, 2 * n)), np.eye(n)])])

    weights = np.concatenate([np.zeros(2 * n), -np.ones(n)])
    found = minimize(lambda z: (weights @ z, weights), start, jac=True, method="SLSQP",
                     constraints={"type": "ineq", "fun": constraints, "jac": slopes},
                     options={"maxiter": 400, "ftol": ftol})
    return found.x if np.isfinite(found.fun) and constraints(found.x).min() >= -1e-11 else None


def strict(check, z, n=26):
    """The exact sum of the packing, its radii shrunk until it is one; None if it never is."""
    for shrink in (0.0, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 5e-11):
        circles = [(float(z[i]), float(z[n + i]), max(float(z[2 * n + i]) - shrink, 0.0)) for i in range(n)]
        try:
            return check.strict_sum(circles)
        except ValueError:
            continue
    return None


def circles(options):
    """Chains of solves from random starts: the best of a chain is disturbed and solved anew, and whatever is no better is dropped;
    after 60 in a row the chain ends (monotonic basin hopping)."""
    import numpy as np
    from scipy.optimize import minimize
    check = evaluator("circle-packing")
    numbers = np.random.default_rng(options.seed)
    n, began, solves, chains, shown = 26, time.perf_counter(), 0, 0, 0.0

    def tell(z):
        nonlocal shown
        total = None if z is None else strict(check, z)
        if total is not None and total > shown:
            shown = total
            print(f"circle-packing  {time.perf_counter() - began:6.1f} s  {solves:5} solves  chain {chains}  {shown:.13f}", flush=True)

    def disturbed(z):
        start = z.copy()
        moved = numbers.choice(n, numbers.integers(0, 3), replace=False)
        # Now and then it is a small one, which loses little.
        if numbers.random() < 1 / 3:
            moved = [np.argmin(z[2 * n:] + numbers.exponential(0.004, n))]
        for i in moved:
            start[i], start[n + i] = numbers.uniform(0.03, 0.97, 2)
            start[2 * n + i] = 0.02
        start[:2 * n] += numbers.normal(0, numbers.choice([0.003, 0.01, 0.03, 0.06]), 2 * n)
        return start

    while time.perf_counter() - began < options.seconds:
        z = solve_circles(np, minimize, np.concatenate([numbers.uniform(0.05, 0.95, 2 * n), np.full(n, 0.06)]), 1e-9)
        solves, chains, stale = solves + 1, chains + 1, 0
        while z is not None and stale < 60 and time.perf_counter() - began < options.seconds:
            other = solve_circles(np, minimize, disturbed(z), 1e-9)
            solves, stale = solves + 1, stale + 1
            if other is not None and other[2 * n:].sum() > z[2 * n:].sum() + 1e-7:
                z, stale = other, 0
                tell(z)
        if z is not None:
            tell(solve_circles(np, minimize, z, 1e-15))


def heilbronn(options):
    """Random restarts of SLSQP on the smallest of all triangles, with their signs held."""
    import numpy as np
    from itertools import combinations
    from scipy.optimize import minimize
    check = evaluator("heilbronn-triangle")
    numbers = np.random.default_rng(options.seed)
    n, began, solves, shown = 11, time.perf_counter(), 0, 0.0
    triples = np.array(list(combinations(range(n), 3)))
    a, b, c = triples.T
    rows = np.arange(len(triples))

    def areas(z):
        x, y = z[:n], z[n:2 * n]
        return (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])

    while time.perf_counter() - began < options.seconds:
        points = numbers.uniform(0, 1, (n, 2))
        points = np.where(points.sum(1, keepdims=True) > 1, 1 - points, points)
        z = np.concatenate([points[:, 0], points[:, 1], [0.0]])
        sign = np.sign(areas(z))

        def inequalities(z):
            return np.concatenate([sign * areas(z) - z[-1], 1 - z[:n] - z[n:2 * n]])

        def slopes(z):
            x, y = z[:n], z[n:2 * n]
            made = np.zeros((len(triples) + n, 2 * n + 1))
            made[rows, a], made[rows, b], made[rows, c] = sign * (y[b] - y[c]), sign * (y[c] - y[a]), sign * (y[a] - y[b])
            made[rows, n + a], made[rows, n + b], made[rows, n + c] = sign * (x[c] - x[b]), sign * (x[a] - x[c]), sign * (x[b] - x[a])
            made[rows, -1] = -1
            at = np.arange(n)
            made[len(triples) + at, at] = made[len(triples) + at, n + at] = -1
            return made

        weights = np.concatenate([np.zeros(2 * n), [-1.0]])
        found = minimize(lambda z: (weights @ z, weights), z, jac=True, method="SLSQP", bounds=[(0, 1)] * (2 * n) + [(0, 1)],
                         constraints={"type": "ineq", "fun": inequalities, "jac": slopes}, options={"maxiter": 200, "ftol": 1e-14})
        solves += 1
        points = [(max(float(x), 0.0), max(float(y), 0.0)) for x, y in zip(found.x[:n], found.x[n:2 * n])]
        points = [(x, y) if x + y <= 1 else (x * (1 - 1e-12) / (x + y), y * (1 - 1e-12) / (x + y)) for x, y in points]
        try:
            share = check.smallest_share(points)
        except ValueError:
            continue
        if share > shown:
            shown = share
            print(f"heilbronn-triangle  {time.perf_counter() - began:6.1f} s  {solves:5} solves  {shown:.10f}", flush=True)


def improve(places, order, check):
    """2-opt and Or-opt until neither helps."""
    n = len(order)
    d = [[math.dist(p, q) for q in places] for p in places]
    better = True
    while better:
        better = False
        for i in range(n - 1):
            for j in range(i + 1, n):
                a, b, c, e = order[i - 1], order[i], order[j], order[(j + 1) % n]
                if a != c and e != b and d[a][c] + d[b][e] < d[a][b] + d[c][e] - 1e-12:
                    order[i:j + 1] = order[i:j + 1][::-1]
                    better = True
        for size in (1, 2, 3):
            for i in range(n - size):
                part, rest = order[i:i + size], order[:i] + order[i + size:]
                before, after = rest[i - 1], rest[i % len(rest)]
                won = d[before][part[0]] + d[part[-1]][after] - d[before][after]
                for j in range(len(rest)):
                    p, q = rest[j - 1], rest[j]
                    for ends in ((part[0], part[-1]), (part[-1], part[0])):
                        if d[p][ends[0]] + d[ends[1]][q] - d[p][q] < won - 1e-12 and (p, q) != (before, after):
                            order = rest[:j] + (part if ends[0] == part[0] else part[::-1]) + rest[j:]
                            better = True
                            break
                    else:
                        continue
                    break
                if better:
                    break
            if better:
                break
    return check.length(places, order), order


def tour(options):
    """The best of many restarts; its lengths are what the example is scored by."""
    check = evaluator("tour")
    numbers = random.Random(options.seed)
    once, known = [], []
    for seed in range(len(check.KNOWN)):
        places = check.cities(seed)
        found = []
        for _ in range(options.restarts):
            order = list(range(len(places)))
            numbers.shuffle(order)
            found.append(improve(places, order, check)[0])
        once.append(found[0])
        known.append(min(found))
    print("tour  best known", [round(length, 6) for length in known])
    print(f"tour  2-opt and Or-opt from one random trip: {sum(k / o for k, o in zip(check.KNOWN, once)) / len(once):.4f}")


def function(options):
    """80 evenly drawn points of each surface."""
    check = evaluator("function-minimum")
    numbers = random.Random(options.seed)

    def run(height, low, high):
        points = [(numbers.uniform(low, high), numbers.uniform(low, high)) for _ in range(check.MEASUREMENTS)]
        return min(points, key=lambda p: height(*p))

    program = types.SimpleNamespace(run=run)
    scores = sorted(sum(1 / (1 + check.measure(program, shift)) for shift in check.SHIFTS) / len(check.SHIFTS) for _ in range(101))
    print(f"function-minimum  {check.MEASUREMENTS} random points: median {scores[50]:.4f} of 101")


def regression(options):
    """A polynomial fitted to the nearer times by least squares, as it foretells all of them."""
    import numpy as np
    check = evaluator("symbolic-regression")
    times = [t for t in check.TIMES if t < 8]
    for degree in (1, 2, 5, 9):
        fit = np.polynomial.Polynomial.fit(times, [check.truth(t) for t in times], degree)
        nmse = check.error([float(fit(t)) for t in check.TIMES])
        print(f"symbolic-regression  polynomial of degree {degree}: {1 / (1 + nmse):.4f}")


def sorting(options):
    """Comparisons of known sorts on the example's own lists, as shares of the bound."""
    import json
    tasks = [json.loads(line) for line in (EXAMPLES / "sort-gaps/suite/tasks.jsonl").read_text().splitlines() if line.startswith("{")]

    def shell(gaps):
        def count(items):
            used = 0
            for gap in gaps:
                for start in range(gap, len(items)):
                    at = start
                    while at >= gap:
                        used += 1
                        if items[at] >= items[at - gap]:
                            break
                        items[at], items[at - gap] = items[at - gap], items[at]
                        at -= gap
            return used
        return count

    def merge(items):
        if len(items) < 2:
            return 0
        left, right = items[:len(items) // 2], items[len(items) // 2:]
        used, at = merge(left) + merge(right), 0
        while left and right:
            used += 1
            items[at] = left.pop(0) if left[0] <= right[0] else right.pop(0)
            at += 1
        items[at:] = left + right
        return used

    for name, count in (("Shell's gaps 64 … 1", shell([64, 32, 16, 8, 4, 2, 1])),
                        ("Ciura's gaps 132 57 23 10 4 1", shell([132, 57, 23, 10, 4, 1])), ("merging halves", merge)):
        marks = []
        for task in tasks:
            if task["split"] == "validation":
                lists = [[int(n) for n in line.split(" ")] for line in task["assignment"]["stdin"].splitlines()[1:]]
                shares = []
                for items in lists:
                    bound = sum(math.log2(k) for k in range(2, len(items) + 1))
                    shares.append(bound / count(items))
                marks.append(sum(shares) / len(shares))
        print(f"sort-gaps  {name}: {sum(marks) / len(marks):.4f}")


ALL = {"circles": circles, "heilbronn": heilbronn, "tour": tour, "function": function, "regression": regression, "sorting": sorting}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("problems", nargs="*", default=["function", "regression", "sorting", "tour"], metavar="problem",
                        help=", ".join(ALL))
    parser.add_argument("--seconds", type=float, default=600, help="for circles and heilbronn")
    parser.add_argument("--restarts", type=int, default=200, help="for tour")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for problem in options.problems:
        if problem not in ALL:
            parser.error(f"there is no problem {problem}; there are {', '.join(ALL)}")
        ALL[problem](options)


if __name__ == "__main__":
    main()
