"""Makes new inputs of the validation tasks, which the right answer is known of."""
import json
import random
import sys

draw = random.Random(json.load(sys.stdin)["seed"])


def chunks(values, size):
    return [values[start:start + size] for start in range(0, len(values), size)]


def some(length):
    return [draw.randrange(1000) for _ in range(length)]


# What each task is about: how many values, in groups of how many.
KINDS = {
    "singles/validation": lambda: (draw.randrange(1, 9), 1),
    "exact-fit/validation": lambda: (lambda size: (size * draw.randrange(1, 5), size))(draw.randrange(2, 6)),
    "rest/validation": lambda: (lambda size: (size * draw.randrange(1, 4) + draw.randrange(1, size), size))(draw.randrange(2, 6)),
    "one-group/validation": lambda: (lambda length: (length, length + draw.randrange(4)))(draw.randrange(1, 7)),
}
for task, kind in KINDS.items():
    inputs = [[some(length), size] for length, size in (kind() for _ in range(20))]
    call = {"file": "chunks.mjs", "function": "chunks"}
    print(json.dumps({
        "id": task, "split": "validation", "assignment": {"call": call, "inputs": inputs},
        "key": {"expect": [chunks(*given) for given in inputs]},
    }))
