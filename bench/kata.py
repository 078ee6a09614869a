#!/usr/bin/env python3
"""The repair measure: how many one-line defects of bench/kata the engine repairs.

Each program becomes a native project in a folder of its own: every visible case
is a task that the proposer sees (train) and the same case again a task that
decides (validation); the hidden cases are the sealed holdout. `meliora run`
searches until all visible cases pass or the budget ends; then the champion is
examined by the hidden cases.

    plausible   passes all visible cases
    right       passes all hidden cases too

    cargo build --release
    python3 bench/kata.py
    python3 bench/kata.py --proposer rewrite --base-url http://127.0.0.1:8091/v1 --attempts 10
    python3 bench/kata.py --proposer rewrite --attempts 10 --validation whole --seconds 2 --replay bench/kata-cassettes

Exit code: 0 done; 1 a program could not be measured; 2 a share is below
--at-least-repaired or --at-least-right.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
KATA = HERE / "kata"
GOAL = "The program does what its name and text say. One line of it is defective."
# Examinations that are no attempt: two of the baseline, one for the lines it runs, and the re-run of what looks better.
BESIDE_ATTEMPTS = 4
# The run ended with nothing better: an outcome of the measure, not a failure.
NO_IMPROVEMENT = 5


class Failed(Exception):
    """The engine could not be asked; the text says why."""


def quoted(text):
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(text)


def evals(options):
    """Examinations that a run may make. A model's attempts are counted by themselves, since it is asked for each."""
    return options.attempts + (BESIDE_ATTEMPTS if options.proposer == "rewrite" else 0)


def write_project(folder, name, spec, program, options):
    """A native project for one kata."""
    (folder / "genome").mkdir(parents=True)
    (folder / "suite").mkdir()
    (folder / "genome" / "program.py").write_text(program)
    lines = [f"name = {quoted(name)}", f"goal = {quoted(GOAL)}",
             "[genome]", 'root = "genome"', 'editable = ["program.py"]',
             "[suite]", 'folder = "suite"',
             "[budget]", f"evals = {evals(options)}", "minutes = 0",
             "[run]", f"strategy = {quoted(options.strategy)}", f"proposers = [{quoted(options.proposer)}]"]
    if options.base_url:
        # A small model on a busy machine may take long.
        lines += ["[model]", "timeout_seconds = 1800"]
        if options.size:
            lines.append(f'size = "{options.size}"')
    if options.python:
        lines += ["[sandbox]", f"python = {quoted(options.python)}"]
    (folder / "meliora.toml").write_text("\n".join(lines) + "\n")
    (folder / "suite" / "suite.toml").write_text(f'kind = "exact"\nseconds = {options.seconds}\n')

    def task(identity, split, cases):
        return {"id": f"{identity}/{split}", "split": split,
                "assignment": {"call": {"file": "program.py", "function": spec["function"]},
                               "inputs": [case["args"] for case in cases]},
                "key": {"expect": [case["expect"] for case in cases]}}

    # One task a case, so that passing and failing cases can be told apart when looking for the line.
    numbered = [(f"case-{number:02}", case) for number, case in enumerate(spec["visible"], 1)]
    tasks = [task(identity, "train", [case]) for identity, case in numbered]
    if options.validation == "cases":
        tasks += [task(identity, "validation", [case]) for identity, case in numbered]
    else:
        tasks.append(task("visible", "validation", spec["visible"]))
    tasks += [task(f"hidden-{number:02}", "holdout", [case]) for number, case in enumerate(spec["hidden"], 1)]
    (folder / "suite" / "tasks.jsonl").write_text("".join(json.dumps(each) + "\n" for each in tasks))


def objects(text):
    """The JSON objects in the text: one of them over all lines, or one a line."""
    try:
        return [json.loads(text)]
    except ValueError:
        pass
    found = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def ask(argv, minutes, allowed=(0,)):
    """Standard output of one engine call."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=minutes * 60, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Failed(f"meliora {argv[1]} was not done after {minutes} minutes") from None
    if done.returncode not in allowed:
        raise Failed(f"meliora {argv[1]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def measure(kata, options, scratch):
    """What the engine makes of one kata."""
    spec = json.loads((kata / "cases.json").read_text())
    result = {"kata": kata.name, "class": spec["class"], "plausible": False, "right": False,
              "evals": None, "seconds": None, "error": None}
    folder = scratch / kata.name
    try:
        write_project(folder, kata.name, spec, (kata / "program.py").read_text(), options)
        argv = [options.meliora, "run", str(folder), "--evals", str(evals(options)), "--seed", str(options.seed),
                "--jobs", "1", "--json"]
        for flag in ("base_url", "model"):
            if getattr(options, flag):
                argv += [f"--{flag.replace('_', '-')}", getattr(options, flag)]
        if options.record:
            cassette = Path(options.record).resolve() / f"{kata.name}.jsonl"
            cassette.unlink(missing_ok=True)
            argv += ["--record", str(cassette)]
        if options.replay:
            argv += ["--proposer", "replay", "--cassette", str(Path(options.replay).resolve() / f"{kata.name}.jsonl")]
        began = time.monotonic()
        events = objects(ask(argv, options.minutes, (0, NO_IMPROVEMENT)))
        took = time.monotonic() - began
        finished = next((event for event in reversed(events) if event.get("event") == "finished"), None)
        if finished is None:
            raise Failed("meliora run printed no finished event")
        result.update(evals=finished["evals"], seconds=round(took, 3), score=finished["champion_score"],
                      baseline=finished["baseline_score"], reason=finished.get("reason"), usd=finished.get("usd"),
                      refused=finished.get("refused"), champion=finished["champion"])
        result.update(attempts=finished["attempts"], tokens=finished["tokens"])
        # The run may have gone on a little after its last attempt that counts.
        in_time = options.proposer != "rewrite" or finished["attempts"] <= options.attempts
        # What the sealed cases show to be learnt by heart is no champion any more; it was plausible all the same.
        opened = [event["scorecard"] for event in events if event.get("event") == "holdout_opened"][1:]
        fallen = finished["champion_score"] != 1.0 and opened
        result["plausible"] = (finished["champion_score"] == 1.0 or bool(fallen)) and in_time
        if fallen:
            marks = opened[-1]["marks"]
            result["holdout"] = sum(mark["score"] for mark in marks) / len(marks)
        elif result["plausible"]:
            argv = [options.meliora, "bench", str(folder), "--variant", finished["champion"], "--holdout", "--json"]
            cards = objects(ask(argv, options.minutes))
            if not cards or "holdout_score" not in cards[-1]:
                raise Failed("meliora bench printed no holdout_score")
            result["holdout"] = cards[-1]["holdout_score"]
            result["right"] = cards[-1]["holdout_score"] == 1.0
    except (Failed, OSError) as why:
        result["error"] = str(why)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return result


def word(result):
    if result["error"]:
        return "ERROR"
    return "right" if result["right"] else "only plausible" if result["plausible"] else "not found"


def percent(part, whole):
    return f"{100 * part / whole:5.1f} %" if whole else "    –  "


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def table(results):
    """Prints a table by class and the totals."""
    print(f"\n{'class':28}{'programs':>9}{'plausible':>11}{'right':>7}{'candidates':>12}{'seconds':>9}")
    groups = {}
    for result in results:
        groups.setdefault(result["class"], []).append(result)

    def row(name, group):
        found = [r for r in group if r["plausible"]]
        evals, seconds = (median([r[key] for r in found]) for key in ("evals", "seconds"))
        print(f"{name:28}{len(group):9}{len(found):11}{sum(r['right'] for r in group):7}"
              f"{'–' if evals is None else f'{evals:.0f}':>12}{'–' if seconds is None else f'{seconds:.1f}':>9}")

    for name in sorted(groups):
        row(name, groups[name])
    row("all", results)
    total = len(results)
    plausible = sum(r["plausible"] for r in results)
    right = sum(r["right"] for r in results)
    print(f"\nplausible within the budget    {plausible:3} of {total:3}  {percent(plausible, total)}")
    print(f"first plausible one is right   {right:3} of {plausible:3}  {percent(right, plausible)}")
    print(f"repaired: right over all       {right:3} of {total:3}  {percent(right, total)}")
    print("candidates and seconds are medians over the plausible ones")
    wrong = [r["kata"] for r in results if r["plausible"] and not r["right"] and not r["error"]]
    if wrong:
        print("only plausible: " + ", ".join(wrong))
    missing = [r["kata"] for r in results if not r["plausible"] and not r["error"]]
    if missing:
        print("not found: " + ", ".join(missing))
    return plausible, right


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--meliora", default="target/release/meliora")
    parser.add_argument("--proposer", default="mutate", choices=("mutate", "rewrite"))
    parser.add_argument("--strategy", default="greedy", choices=("greedy", "dgm"))
    parser.add_argument("--base-url")
    parser.add_argument("--model")
    parser.add_argument("--size", help="of the model, as [model] size; above 7b the briefs are those of a large one")
    parser.add_argument("--attempts", type=int, default=2000, help="candidates for each program; for rewrite, proposals")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="programs at a time")
    parser.add_argument("--seconds", type=float, default=0.5, help="time limit of one case")
    parser.add_argument("--minutes", type=float, default=30, help="limit of one program")
    parser.add_argument("--validation", default="cases", choices=("cases", "whole"),
                        help="one deciding task for each visible case, or one for all of them")
    parser.add_argument("--python", help="interpreter for the cages")
    parser.add_argument("--set", default=str(KATA), metavar="FOLDER", help="another set of programs, laid out as bench/kata is")
    parser.add_argument("--only", action="append", metavar="NAME", help="this program; may be repeated")
    parser.add_argument("--out", help="a JSON object for each program goes to this file")
    parser.add_argument("--resume", action="store_true", help="programs that are in the --out file are not run again")
    parser.add_argument("--record", metavar="FOLDER", help="the model's answers go to a cassette for each program")
    parser.add_argument("--replay", metavar="FOLDER", help="play the cassettes in this folder; no model is asked")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the projects here")
    parser.add_argument("--at-least-repaired", type=float, default=0, metavar="SHARE")
    parser.add_argument("--at-least-right", type=float, default=0, metavar="SHARE")
    options = parser.parse_args()

    program = Path(options.meliora).resolve()
    if not program.is_file():
        parser.error(f"no {program}; build it with cargo build --release, or name it with --meliora")
    options.meliora = str(program)
    katas = sorted(path.parent for path in Path(options.set).glob("*/cases.json"))
    if not katas:
        parser.error(f"no programs in {options.set}; each is a folder with program.py, correct.py and cases.json")
    unknown = set(options.only or ()) - {kata.name for kata in katas}
    if unknown:
        parser.error(f"no such program: {', '.join(sorted(unknown))}")
    if options.only:
        katas = [kata for kata in katas if kata.name in options.only]
    if options.record:
        Path(options.record).mkdir(parents=True, exist_ok=True)
    if options.keep:
        scratch = Path(options.keep).resolve()
        scratch.mkdir(parents=True, exist_ok=True)
    else:
        scratch = Path(tempfile.mkdtemp(prefix="meliora-kata-"))

    before = {}
    if options.resume:
        if not options.out:
            parser.error("--resume needs the --out file of the run that it goes on with")
        if Path(options.out).is_file():
            known = {kata.name for kata in katas}
            results = [each for each in objects(Path(options.out).read_text()) if each.get("kata") in known]
            before = {each["kata"]: each for each in results if not each["error"]}
    done, lock, out = 0, threading.Lock(), open(options.out, "w") if options.out else None
    for result in before.values():
        out.write(json.dumps(result) + "\n")
    if before:
        out.flush()

    def one(kata):
        nonlocal done
        result = before.get(kata.name) or measure(kata, options, scratch)
        with lock:
            done += 1
            evals = "" if result["evals"] is None else f"{result['evals']:5} candidates {result['seconds']:7.1f} s"
            print(f"[{done:2}/{len(katas)}] {kata.name:28} {word(result):15} {evals}{result['error'] or ''}", flush=True)
            if out and kata.name not in before:
                out.write(json.dumps(result) + "\n")
                out.flush()
        return result

    try:
        with ThreadPoolExecutor(max_workers=options.jobs) as pool:
            results = list(pool.map(one, katas))
    finally:
        if out:
            out.close()
        if not options.keep:
            shutil.rmtree(scratch, ignore_errors=True)
    plausible, right = table(results)
    errors = sum(result["error"] is not None for result in results)
    if errors:
        print(f"\n!!! {errors} programs could not be measured; they count as not repaired")
        return 1
    below = right < options.at_least_repaired * len(results) or right < options.at_least_right * plausible
    return 2 if below else 0


if __name__ == "__main__":
    sys.exit(main())
