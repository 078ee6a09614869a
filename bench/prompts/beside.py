#!/usr/bin/env python3
"""DSPy's own optimizers on a task of this folder: the same model, rows, prompt and number of questions.

    python3 -m venv /tmp/dspy && /tmp/dspy/bin/pip install dspy gepa
    /tmp/dspy/bin/python bench/prompts/beside.py tickets --optimizer gepa --questions 300 --base-url http://127.0.0.1:8080/v1

The student is asked as Meliora asks a plain prompt: the instructions as system message, the row as the user's. What an
optimizer asks for itself goes by DSPy's usual way. GEPA gets the number of questions as its budget; COPRO as many prompts as
can be asked all rows that decide with so many (two at least). The last line is a JSON object with what was really asked; an
interval is Wilson's, at 95 %.
"""
import argparse
import json
import math
import random
import time
from pathlib import Path

import dspy

HERE = Path(__file__).resolve().parent


class Plain(dspy.Adapter):
    """The instructions, the row, and the answer as it comes."""

    def format(self, signature, demos, inputs):
        return [{"role": "system", "content": signature.instructions}, {"role": "user", "content": inputs["input"]}]

    def parse(self, signature, completion):
        return {"output": completion.strip()}


class Task(dspy.Module):
    """One predictor, asked plainly, that counts what is asked."""

    def __init__(self, instructions, counter, most_tokens):
        super().__init__()
        self.predict = dspy.Predict(dspy.Signature("input -> output", instructions))
        self.counter = counter
        self.most_tokens = most_tokens

    def forward(self, input):
        self.counter.asked += 1
        with dspy.context(adapter=Plain()):
            return self.predict(input=input, config={"temperature": 0.0, "max_tokens": self.most_tokens})

    def __deepcopy__(self, memo):
        new = Task(self.predict.signature.instructions, self.counter, self.most_tokens)
        new.predict.demos = list(self.predict.demos)
        return new


class Counter:
    """Questions to the student."""

    def __init__(self):
        self.asked = 0


def score(expected, output):
    if isinstance(expected, str):
        return float(output.strip() == expected)
    try:
        found = json.loads(output.strip().removeprefix("```json").removesuffix("```"))
    except ValueError:
        return 0.0
    right = [isinstance(found, dict) and found.get(name) == value for name, value in expected.items()]
    return sum(right) / len(right)


def wilson(right, n, z=1.959964):
    p, d = right / n, 1 + z * z / n
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [round((p + z * z / (2 * n) - half) / d, 4), round((p + z * z / (2 * n) + half) / d, 4)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["tickets", "orders"])
    parser.add_argument("--optimizer", choices=["copro", "gepa"], required=True)
    parser.add_argument("--questions", type=int, required=True, help="most questions to the student while it optimizes")
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    rows = {"train": [], "validation": [], "holdout": []}
    for line in (HERE / args.task / "suite" / "rows.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows[row["split"]].append(dspy.Example(input=row["input"], expected=row["expected"]).with_inputs("input"))
    start = (HERE / args.task / "genome" / "prompt.txt").read_text().strip()
    most_tokens = {"tickets": 8, "orders": 40}[args.task]

    lm = dspy.LM(f"openai/{args.model}", api_base=args.base_url, api_key="none", temperature=1.0, max_tokens=400,
                 timeout=1800, num_retries=2, cache=True)
    dspy.configure(lm=lm)
    random.seed(args.seed)
    counter = Counter()
    task = Task(start, counter, most_tokens)

    def metric(example, prediction, trace=None, pred_name=None, pred_trace=None):
        value = score(example.expected, prediction.output)
        if args.optimizer != "gepa":
            return value
        said = "right" if value >= 1 else f"expected {json.dumps(example.expected)}"
        return dspy.Prediction(score=value, feedback=f"It answered {prediction.output!r}: {said}.")

    began = time.time()
    if args.optimizer == "gepa":
        optimizer = dspy.GEPA(metric=metric, max_metric_calls=args.questions, reflection_lm=lm, num_threads=args.threads,
                              reflection_minibatch_size=3, seed=args.seed)
        best = optimizer.compile(task, trainset=rows["train"], valset=rows["validation"])
    else:
        # Each candidate is asked all rows that decide, so this many fit; DSPy asks for as many in one depth.
        breadth = max(2, args.questions // len(rows["validation"]))
        optimizer = dspy.COPRO(metric=metric, breadth=breadth, depth=1, init_temperature=1.4)
        best = optimizer.compile(task, trainset=rows["validation"],
                                 eval_kwargs={"num_threads": args.threads, "display_progress": False})
    minutes = (time.time() - began) / 60
    asked = counter.asked

    def tokens():
        usage = [call.get("usage") or {} for call in lm.history]
        return sum(u.get("prompt_tokens", 0) + u.get("completion_tokens", 0) for u in usage)

    spent = tokens()
    result = {"task": args.task, "optimizer": args.optimizer, "dspy": dspy.__version__, "questions": asked,
              "tokens": spent, "minutes": round(minutes, 1), "changed": best.predict.signature.instructions != start}
    for split in ["validation", "holdout"]:
        for name, program in [("before", task), ("after", best)]:
            if name == "after" and not result["changed"]:
                result[f"{split}_after"] = result[f"{split}_before"]
                continue
            total = sum(score(e.expected, program(input=e.input).output) for e in rows[split])
            n = len(rows[split])
            result[f"{split}_{name}"] = {"score": round(total / n, 4), "interval": wilson(total, n)}
    result["prompt"] = best.predict.signature.instructions
    print(json.dumps(result))


if __name__ == "__main__":
    main()
