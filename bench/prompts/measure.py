#!/usr/bin/env python3
"""What optimizers make of the prompts of this folder, on rows that they never saw.

    cargo build --release
    python3 bench/prompts/measure.py --base-url http://127.0.0.1:8080/v1 --out /tmp/prompts
    python3 bench/prompts/measure.py --base-url URL --out /tmp/prompts --tasks tickets --optimizers copro,gepa --evals 6
    python3 bench/prompts/measure.py --out /tmp/prompts --show        # the table of what is there

Each optimizer gets a project of its own under `--out`, which starts from the task's prompt; the judge decides what is
accepted, and the holdout is opened once, for the champion and for the prompt at the start. All goes on where it was
stopped, and what one project had answered the others are not asked again. Intervals are Wilson's, at 95 %.
"""
import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MELIORA = HERE.parent.parent / "target" / "release" / "meliora"


def wilson(score, n, z=1.959964):
    d = 1 + z * z / n
    half = z * math.sqrt(score * (1 - score) / n + z * z / (4 * n * n))
    return (score + z * z / (2 * n) - half) / d, (score + z * z / (2 * n) + half) / d


def meliora(args, options, out):
    """Runs it, and gives back the last object that it printed."""
    command = [str(options.meliora), *args, "--base-url", options.base_url, "--model", options.model, "--json"]
    begun = time.time()
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=out, env=os.environ | {"XDG_STATE_HOME": str(out / "state")})
    if ran.returncode not in (0, 5):
        raise SystemExit(f"{' '.join(command)} ended with {ran.returncode}; the same command of this script goes on")
    # A run's own minutes stand in its report, but only those since it went on.
    return json.loads(ran.stdout.strip().splitlines()[-1]) | {"wall": time.time() - begun}


def project(task, name, options, out):
    """The task in a folder of its own, with what the start's project had answered."""
    folder = out / f"{task}-{name}"
    if not folder.exists():
        shutil.copytree(HERE / task, folder)
        shutil.copytree(out / f"{task}-start" / ".meliora" / "answers", folder / ".meliora" / "answers")
    return folder


def measure(task, optimizer, options, out, done):
    """Optimizes, then opens the holdout of what came of it."""
    folder = project(task, optimizer, options, out)
    if "run" not in done:
        # The baseline takes two examinations, and what is accepted two to four.
        limits = ["--evals", str(options.evals), "--minutes", str(options.minutes)]
        done["run"] = meliora(["prompt", "optimize", folder.name, "--optimizer", optimizer, *limits], options, out)
        yield
    better = done["run"]["accepted"] > 0
    if better and "holdout" not in done:
        done["holdout"] = meliora(["bench", folder.name, "--variant", "champion", "--holdout"], options, out)
        yield


def show(out):
    print("| task | optimizer | validation | holdout | verdict | attempts | tokens | minutes |")
    print("|---|---|---|---|---|---|---|---|")
    for file in sorted(out.glob("*.result.json")):
        task, name = file.name.removesuffix(".result.json").split("-", 1)
        done, rows = json.loads(file.read_text()), [json.loads(l) for l in (HERE / task / "suite" / "rows.jsonl").open()]
        sealed = sum(row["split"] == "holdout" for row in rows)
        score = done.get("holdout", {}).get("holdout_score")
        low, high = wilson(score, sealed) if score is not None else (0, 0)
        held = f"{score:.3f} ({low:.3f}–{high:.3f})" if score is not None else "–"
        run = done.get("run")
        if run:
            tokens = run["tokens"] + run["cached_tokens"]
            cells = [f"{run['baseline_score']:.3f} → {run['champion_score']:.3f}", held,
                     f"{run['accepted']} accepted" if run["accepted"] else "nothing accepted", run["attempts"], tokens,
                     f"{run['seconds'] / 60:.0f}"]
        else:
            cells = [f"{done['holdout']['score']:.3f}", held, "", "", "", ""]
        print("| " + " | ".join(str(c) for c in [task, name, *cells]) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default="")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct")
    parser.add_argument("--meliora", type=Path, default=MELIORA)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default="commits,orders,tickets")
    parser.add_argument("--optimizers", default="reword,copro,gepa")
    parser.add_argument("--evals", type=int, default=14, help="examinations of each optimizer's run")
    parser.add_argument("--minutes", type=float, default=0, help="most minutes of each optimizer; 0 for no limit")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if options.show:
        return show(out)
    if not options.base_url or not options.meliora.exists():
        raise SystemExit("give --base-url, and --meliora if there is no target/release/meliora")
    for task in options.tasks.split(","):
        start, file = out / f"{task}-start", out / f"{task}-start.result.json"
        if not file.exists():
            if not start.exists():
                shutil.copytree(HERE / task, start)
            file.write_text(json.dumps({"holdout": meliora(["bench", start.name, "--holdout"], options, out)}))
        for optimizer in options.optimizers.split(","):
            file = out / f"{task}-{optimizer}.result.json"
            done = json.loads(file.read_text()) if file.exists() else {}
            for _ in measure(task, optimizer, options, out, done):
                file.write_text(json.dumps(done))
            print(f"{task} {optimizer}: done", file=sys.stderr)
    return show(out)


if __name__ == "__main__":
    sys.exit(main())
