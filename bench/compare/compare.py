#!/usr/bin/env python3
"""OpenEvolve 0.4.0 and Meliora on the same tasks: same evaluator, same model, same number of evaluations.

    cargo build --release
    python3 bench/compare/compare.py                              # five tasks, ten seeds, 200 evaluations, the stub
    python3 bench/compare/compare.py --tasks tour --seeds 3 --evaluations 30 --base-url http://127.0.0.1:8080/v1 --model NAME
    python3 bench/compare/compare.py --tasks symbolic-regression --seeds 5 --evaluations 30 --replies bench/compare/replies/*.jsonl

The tasks, the settings of both and what counts as a win stand in README.md, which was committed before the first run. Every
evaluation of either counts, those included that confirm a gain. Exit code: 0 done; 1 something did not run; 2 fewer
tasks than --at-least on which the median of Meliora is no lower.
"""
import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PINNED = "openevolve==0.4.0"
TASKS = ["function-minimum", "heilbronn-triangle", "symbolic-regression", "tour", "openevolve-minimize"]
# Beside the task's evaluator: writes each score down as it is given, and changes nothing.
TRACE = '''
import hashlib, importlib.util, json
from pathlib import Path
_spec = importlib.util.spec_from_file_location("examiner", Path(__file__).with_name("examiner.py"))
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

def evaluate(path):
    score, program = None, hashlib.sha256(Path(path).read_bytes()).hexdigest()
    try:
        result = _module.evaluate(path)
        score = result["combined_score"]
        return result
    finally:
        with open(Path(__file__).with_name("trace.jsonl"), "a") as trace:
            trace.write(json.dumps([score, program]) + "\\n")
'''
SETTINGS = '''
checkpoint_interval: 1000000
log_level: ERROR
random_seed: {own_seed}
diff_based_evolution: false
llm:
  api_base: "{base}"
  api_key: "none"
  primary_model: "{model}"
  temperature: 0.7
  max_tokens: 4096
  timeout: 300
database:
  random_seed: {seed}
evaluator:
  timeout: 30
  cascade_evaluation: false
  parallel_evaluations: 1
'''


class Failed(Exception):
    """A run did not come to its end; the text says why."""


def python_with_openevolve(folder):
    """The interpreter of a virtual environment that holds the pinned OpenEvolve; makes it if need be."""
    python = folder / "bin" / "python"
    if not python.exists():
        for argv in ([sys.executable, "-m", "venv", str(folder)],
                     [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PINNED]):
            done = subprocess.run(argv, capture_output=True, text=True)
            if done.returncode:
                shutil.rmtree(folder, ignore_errors=True)
                raise Failed(f"{' '.join(argv[1:4])} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return python


class Model:
    """The stub of a seed, or the endpoint that was named."""

    def __init__(self, options, seed):
        self.process, self.base, self.name = None, options.base_url, options.model or "stub"
        if not self.base:
            replies = ["--replies", *options.replies] if options.replies else []
            self.process = subprocess.Popen([sys.executable, str(HERE / "stub.py"), str(seed), *replies], stdout=subprocess.PIPE, text=True)
            self.base = f"http://127.0.0.1:{self.process.stdout.readline().strip()}/v1"

    def tokens(self):
        if not self.process:
            return None
        with urllib.request.urlopen(self.base.removesuffix("/v1") + "/served", timeout=10) as reply:
            return json.loads(reply.read())["tokens"]

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def copied(task, scratch):
    where = Path(tempfile.mkdtemp(dir=scratch)) / task
    shutil.copytree(ROOT / "examples" / task, where, ignore=shutil.ignore_patterns("__pycache__", ".meliora"))
    return where


def climb(scores, evaluations):
    """The best score after each evaluation."""
    best, line = None, []
    for score in scores[:evaluations]:
        if score is not None and (best is None or score > best):
            best = score
        line.append(best)
    return line + [best] * (evaluations - len(line))


def iterations(options):
    """Of OpenEvolve. A model's answers may hold no new program, which costs it an iteration and no evaluation."""
    return options.evaluations * 20 if options.base_url or options.replies else options.evaluations - 1


def openevolve(python, task, seed, options):
    """The scores of one OpenEvolve run in their order."""
    where, model = copied(task, options.scratch), Model(options, seed)
    try:
        (where / "evaluator.py").rename(where / "examiner.py")
        (where / "evaluator.py").write_text(TRACE)
        told = (where / "config.yaml").read_text()
        message = [line for line in told.splitlines() if line.strip().startswith("system_message:")]
        # With a seed of its own it sends one and the same with every request: a server that honours it then answers the same
        # prompt the same way for ever, and so it asks again. Its database keeps the seed.
        own_seed = "null" if options.base_url else seed
        (where / "config.yaml").write_text(SETTINGS.format(seed=seed, own_seed=own_seed, base=model.base, model=model.name)
                                           + "prompt:\n" + "\n".join(message) + "\n")
        began = time.perf_counter()
        # Its first evaluation is that of the program as it stands.
        trace, words = where / "trace.jsonl", where / "words.txt"
        with open(words, "w") as out:
            process = subprocess.Popen([str(python), "-m", "openevolve.cli", str(where / "initial_program.py"),
                                        str(where / "evaluator.py"), "--config", str(where / "config.yaml"), "--iterations",
                                        str(iterations(options)), "--output", str(where / "out")],
                                       stdout=out, stderr=out, cwd=where, env={**os.environ, "OPENAI_API_KEY": "none"},
                                       start_new_session=True)
        # It evaluates what fails three times, so that it may have done its evaluations before its iterations.
        examined, code = [], None
        while code is None and len(examined) < options.evaluations:
            time.sleep(0.1)
            code = process.poll()
            if code is None and time.perf_counter() - began > options.minutes * 60:
                # A real model may well take longer: then what it found so far counts.
                code = 0 if options.base_url else "a time-out"
            examined = [json.loads(line) for line in trace.read_text().splitlines()] if trace.exists() else []
        scores = [score for score, _ in examined]
        seconds = time.perf_counter() - began
        # What it started goes with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if code not in (None, 0) or not scores:
            raise Failed(f"openevolve on {task} ended with {code} after {len(scores)} evaluations: {words.read_text().strip()[-300:]}")
        return {"line": climb(scores, options.evaluations), "evaluations": len(scores),
                "programs": len({program for _, program in examined}), "seconds": seconds, "tokens": model.tokens()}
    finally:
        model.close()


def meliora(program, task, seed, options):
    """The scores of one Meliora run in their order."""
    where, model = copied(task, options.scratch), Model(options, seed)
    try:
        config = where / "config.yaml"
        config.write_text(config.read_text().replace("cascade_evaluation: true", "cascade_evaluation: false"))
        began = time.perf_counter()
        done = subprocess.run([str(program), "run", str(where), "--proposer", "rewrite", "--strategy", options.strategy,
                               "--evals", str(options.evaluations), "--seed", str(seed), "--jobs", "1", "--json",
                               "--minutes", str(max(1, int(options.minutes * 0.9))),
                               "--base-url", model.base, "--model", model.name],
                              capture_output=True, text=True, env={**os.environ, "OPENAI_API_KEY": "none"},
                              timeout=options.minutes * 60)
        seconds = time.perf_counter() - began
        scores, programs = [], set()
        for line in done.stdout.splitlines():
            event = json.loads(line)
            if event.get("event") == "examined":
                programs.add(event["variant"])
                marks = event["scorecard"]["marks"]
                scores.append(marks[0]["score"] if marks and marks[0]["status"] in ("passed", "failed") else None)
        if done.returncode not in (0, 5) or not scores:
            raise Failed(f"meliora on {task} ended with {done.returncode} after {len(scores)} evaluations: {done.stderr.strip()[-300:]}")
        finished = json.loads(done.stdout.splitlines()[-1])
        line = climb(scores, options.evaluations)
        # What counts is what it stands by, not what it once saw.
        line[-1] = finished["champion_score"]
        return {"line": line, "evaluations": len(scores), "programs": len(programs), "seconds": seconds, "tokens": model.tokens()}
    finally:
        model.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument("--strategy", default="greedy", help="of Meliora")
    parser.add_argument("--engine", choices=["openevolve", "meliora"], help="only this one; with --out the other can run elsewhere")
    parser.add_argument("--base-url", default="", help="a model server for both, instead of the stub")
    parser.add_argument("--model", default="", help="its model")
    parser.add_argument("--replies", nargs="+", default=[], help="the stub gives recorded answers (recorder.py), the same to both")
    parser.add_argument("--meliora", default=str(ROOT / "target/release/meliora"))
    parser.add_argument("--venv", default=str(HERE / ".venv"), help="where OpenEvolve is installed")
    parser.add_argument("--minutes", type=float, default=60, help="limit of one run")
    parser.add_argument("--at-least", type=int, default=0, help="exit with 2 where fewer tasks are won or drawn")
    parser.add_argument("--out", help="append each run to this file, a JSON object a line; runs that stand there are not made again")
    options = parser.parse_args()
    options.scratch = tempfile.mkdtemp(prefix="meliora-compare-")
    failed, held, known = [], 0, {}
    if options.out and Path(options.out).exists():
        for line in Path(options.out).read_text().splitlines():
            run = json.loads(line)
            known[run["task"], run["engine"], run["seed"]] = run
    try:
        python = python_with_openevolve(Path(options.venv).resolve())
        print(f"{'task':22} {'engine':12} {'median':>10} {'worst':>10} {'best':>10}   at 25      50      100   tokens/run  seconds/run")
        engines = {"openevolve": lambda task, seed: openevolve(python, task, seed, options),
                   "meliora": lambda task, seed: meliora(options.meliora, task, seed, options)}
        for task in options.tasks.split(","):
            runs = {name: [] for name in engines}
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                for name, run in engines.items():
                    if options.engine not in (None, name) and (task, name, seed) not in known:
                        continue
                    try:
                        found = known.get((task, name, seed)) or run(task, seed)
                    except (Failed, subprocess.TimeoutExpired) as why:
                        failed.append(str(why))
                        print(f"!!! {why}", file=sys.stderr, flush=True)
                        continue
                    runs[name].append(found)
                    if options.out and (task, name, seed) not in known:
                        with open(options.out, "a") as file:
                            file.write(json.dumps({"task": task, "engine": name, "seed": seed, **found}) + "\n")
            medians = {}
            for name, made in runs.items():
                if not made:
                    continue
                ends = [r["line"][-1] for r in made]
                medians[name] = statistics.median(ends)
                at = [statistics.median(r["line"][k - 1] for r in made) for k in (25, 50, 100) if k <= options.evaluations]
                tokens = [r["tokens"] for r in made if r["tokens"] is not None]
                print(f"{task:22} {name:12} {medians[name]:10.6f} {min(ends):10.6f} {max(ends):10.6f}   "
                      + " ".join(f"{value:7.4f}" for value in at)
                      + f"  {statistics.median(tokens) if tokens else 0:10,.0f}  {statistics.median(r['seconds'] for r in made):10.1f}", flush=True)
            if len(medians) == 2:
                held += medians["meliora"] >= medians["openevolve"]
    except Failed as why:
        failed.append(str(why))
        print(f"!!! {why}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(options.scratch, ignore_errors=True)
    print(f"meliora at least as good on {held} of {len(options.tasks.split(','))} tasks, by the median of {options.seeds} seeds")
    return 1 if failed else 2 if held < options.at_least else 0


if __name__ == "__main__":
    sys.exit(main())
