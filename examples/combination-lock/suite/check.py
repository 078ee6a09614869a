"""A deceptive lock: 1 where all wheels are right; else more for fewer right ones (a trap, Deb and Goldberg 1993)."""
import json
import sys

exam = json.load(sys.stdin)
key, (wheels,) = exam["data"], exam["outputs"]
if not (isinstance(wheels, list) and len(wheels) == 4 and all(type(w) is int and 0 <= w < 5 for w in wheels)):
    print(json.dumps({"score": 0, "detail": "no four places from 0 to 4"}))
else:
    right = sum(a == b for a, b in zip(wheels, key))
    print(json.dumps({"score": 1 if right == 4 else (3 - right) / 4}))
