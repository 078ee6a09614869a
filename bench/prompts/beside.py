#!/usr/bin/env python3
"""DSPy's own optimizers on a task of this folder: the same model, rows, prompt and number of questions.

    python3 -m venv /tmp/dspy && /tmp/dspy/bin/pip install dspy gepa
    /tmp/dspy/bin/python bench/prompts/beside.py tickets --optimizer gepa --questions 300 --base-url http://127.0.0.1:8080/v1

The student is asked by the same signature, to the byte as Meliora asks it. What an optimizer asks for itself goes by DSPy's
usual way. GEPA gets the number of questions as its budget; `bootstrap` (BootstrapFewShotWithRandomSearch) and COPRO as many
candidates as can be asked all rows that decide with so many. The last line is a JSON object with what was really asked; an
interval is Wilson's, at 95 %.
"""
import argparse
import json
import math
import random
import time
import tomllib
from pathlib import Path
from typing import Literal

import dspy
from dspy.utils.exceptions import AdapterParseError

HERE = Path(__file__).resolve().parent


class Task(dspy.Module):
    """The task's one step, that counts what is asked."""

    def __init__(self, step, counter, most_tokens):
        super().__init__()
        names = {"Literal": Literal}
        self.predict = dspy.Predict(dspy.Signature(step["signature"], step["instructions"].strip(), custom_types=names))
        self.counter = counter
        self.most_tokens = most_tokens

    def forward(self, **row):
        self.counter.asked += 1
        return self.predict(**row, config={"temperature": 0.0, "max_tokens": self.most_tokens})


class Counter:
    """Questions to the student; copies of a program count in the same place."""

    def __init__(self):
        self.asked = 0

    def __deepcopy__(self, memo):
        return self


def score(expected, prediction):
    """What Meliora's metric of these tasks gives: the part of the expected fields that are right."""
    right = [getattr(prediction, name, None) == value for name, value in expected.items()]
    return sum(right) / len(right)


def asked(task, example):
    """The score of one row; an answer that cannot be read scores nothing, as in Meliora."""
    try:
        return score(example.wanted, task(**example.inputs()))
    except AdapterParseError:
        return 0.0


def wilson(right, n, z=1.959964):
    p, d = right / n, 1 + z * z / n
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [round((p + z * z / (2 * n) - half) / d, 4), round((p + z * z / (2 * n) + half) / d, 4)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["commits", "orders", "tickets"])
    parser.add_argument("--optimizer", choices=["bootstrap", "copro", "gepa"], required=True)
    parser.add_argument("--questions", type=int, required=True, help="most questions to the student while it optimizes")
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    step = tomllib.loads((HERE / args.task / "genome" / "program.toml").read_text())["steps"][0]
    answer = step["signature"].split("->")[1].split(":")[0].strip()
    rows = {"train": [], "validation": [], "holdout": []}
    for line in (HERE / args.task / "suite" / "rows.jsonl").read_text().splitlines():
        row = json.loads(line)
        wanted = row["expected"] if isinstance(row["expected"], dict) else {answer: row["expected"]}
        inputs = {name: value for name, value in row.items() if name not in ("expected", "split")}
        rows[row["split"]].append(dspy.Example(**inputs, **wanted, wanted=wanted).with_inputs(*inputs))

    lm = dspy.LM(f"openai/{args.model}", api_base=args.base_url, api_key="none", temperature=1.0, max_tokens=400,
                 timeout=1800, num_retries=2, cache=True)
    dspy.configure(lm=lm)
    random.seed(args.seed)
    counter = Counter()
    task = Task(step, counter, 60)

    def metric(example, prediction, trace=None, pred_name=None, pred_trace=None):
        value = score(example.wanted, prediction)
        if args.optimizer == "bootstrap" and trace is not None:
            return value >= 1
        if args.optimizer != "gepa":
            return value
        said = "right" if value >= 1 else f"expected {json.dumps(example.wanted)}"
        return dspy.Prediction(score=value, feedback=f"It answered {prediction.toDict()}: {said}.")

    began = time.time()
    decide = {"num_threads": args.threads, "display_progress": False}
    # Each candidate is asked all rows that decide, so this many fit.
    fit = max(2, args.questions // len(rows["validation"]))
    if args.optimizer == "gepa":
        optimizer = dspy.GEPA(metric=metric, max_metric_calls=args.questions, reflection_lm=lm, num_threads=args.threads,
                              reflection_minibatch_size=3, seed=args.seed)
        best = optimizer.compile(task, trainset=rows["train"], valset=rows["validation"])
    elif args.optimizer == "bootstrap":
        # Three candidates come before those that are drawn: none, raw, unshuffled.
        optimizer = dspy.BootstrapFewShotWithRandomSearch(metric=metric, num_candidate_programs=max(0, fit - 3),
                                                          num_threads=args.threads)
        best = optimizer.compile(task, trainset=rows["train"], valset=rows["validation"])
    else:
        optimizer = dspy.COPRO(metric=metric, breadth=fit, depth=1, init_temperature=1.4)
        best = optimizer.compile(task, trainset=rows["validation"], eval_kwargs=decide)
    minutes = (time.time() - began) / 60
    questions = counter.asked

    def tokens():
        usage = [call.get("usage") or {} for call in lm.history]
        return sum(u.get("prompt_tokens", 0) + u.get("completion_tokens", 0) for u in usage)

    spent = tokens()
    result = {"task": args.task, "optimizer": args.optimizer, "dspy": dspy.__version__, "questions": questions,
              "tokens": spent, "minutes": round(minutes, 1), "changed": best.dump_state() != task.dump_state()}
    for split in ["validation", "holdout"]:
        for name, program in [("before", task), ("after", best)]:
            if name == "after" and not result["changed"]:
                result[f"{split}_after"] = result[f"{split}_before"]
                continue
            total = sum(asked(program, example) for example in rows[split])
            n = len(rows[split])
            result[f"{split}_{name}"] = {"score": round(total / n, 4), "interval": wilson(total, n)}
    result["demos"] = len(best.predict.demos)
    result["prompt"] = best.predict.signature.instructions
    print(json.dumps(result))


if __name__ == "__main__":
    main()
