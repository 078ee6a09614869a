"""Loads programs that were exported for DSPy into DSPy itself, calls them, and tells what they would have sent.

Standard input: a list of {"python": source, "state": FILE or null, "inputs": {...}, "answers": [{...}], "save": FILE}.
`python` defines `build()` and `adapter()`. Where there is a state, the demos and instructions of the source are spoilt
before it is loaded, so that what is sent is the state's. Standard output: {"dspy": version, "sent": [[messages]]}.
"""

import json
import os
import sys

import dspy
from dspy.utils import DummyLM

sys.path.insert(0, os.getcwd())


def sent(job):
    names = {}
    exec(compile(job["python"], "exported.py", "exec"), names)
    module = names["build"]()
    if job["state"]:
        for _, predictor in module.named_predictors():
            predictor.demos = [{"spoilt": "spoilt"}]
            predictor.signature = predictor.signature.with_instructions("spoilt")
        module.load(job["state"])
    adapter = names["adapter"]()
    lm = DummyLM(job["answers"], adapter=adapter)
    with dspy.context(lm=lm, adapter=adapter):
        module(**job["inputs"])
    if job.get("save"):
        module.save(job["save"])
    return [entry["messages"] for entry in lm.history]


jobs = json.load(sys.stdin)
json.dump({"dspy": dspy.__version__, "sent": [sent(job) for job in jobs]}, sys.stdout)
