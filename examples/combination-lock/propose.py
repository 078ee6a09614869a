"""Tries one combination after the other, in an order that is shuffled once: a deceptive score is of no help."""
import itertools
import json
import random
import sys

brief = json.load(sys.stdin)
order = list(itertools.product(range(5), repeat=4))
random.Random(5).shuffle(order)
if brief["step"] > len(order):
    print(json.dumps({"exhausted": True}))
else:
    wheels = list(order[brief["step"] - 1])
    text = brief["files"]["dial.py"]
    old = next(line for line in text.splitlines() if line.startswith("WHEELS = "))
    edit = {"replace": {"path": "dial.py", "search": old, "replace": f"WHEELS = {wheels}"}}
    print(json.dumps({"reason": f"tries {wheels}", "edits": [edit]}))
