"""Scores a sort by how few comparisons it made, as a share of the fewest that any sort needs on average.

Order and comparisons are read from what the program wrote. The order must be right, and whoever found it by comparing has
compared each two that are neighbours in it: a log without these is forged. The fewest are log2 n! (Knuth, The Art of Computer
Programming, vol. 3, section 5.3.1); 1 is out of reach, and a score of 1 or more would be a cheat.
"""
import json
import math
import sys


def score(ranks, order, pairs):
    """The share for one list, or an error."""
    n = len(ranks)
    order = [int(text) for text in order.split(" ")]
    if sorted(order) != list(range(n)) or any(ranks[a] > ranks[b] for a, b in zip(order, order[1:])):
        raise ValueError("the list is not sorted")
    pairs = [tuple(map(int, pair.split("<"))) for pair in pairs.split(" ")]
    seen = {frozenset(pair) for pair in pairs}
    if any(frozenset(two) not in seen for two in zip(order, order[1:])):
        raise ValueError("neighbours were never compared")
    return sum(math.log2(k) for k in range(2, n + 1)) / len(pairs)


exam = json.load(sys.stdin)
word, *lists = exam["stdin"].rstrip("\n").split("\n")
told = exam["outputs"] if isinstance(exam["outputs"], str) else exam["outputs"][0]
try:
    first, *rest = told.rstrip("\n").split("\n")
    if first != word or len(rest) != 2 * len(lists):
        raise ValueError("the program did not run to its end")
    shares = [score([int(n) for n in line.split(" ")], *rest[2 * k:2 * k + 2]) for k, line in enumerate(lists)]
    mean = sum(shares) / len(shares)
    print(json.dumps({"score": mean if mean < 1 else 0, "detail": f"{mean:.4f} of the bound"}))
except ValueError as error:
    print(json.dumps({"score": 0, "detail": str(error)}))
