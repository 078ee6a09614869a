#!/usr/bin/env python3
"""Check the kata set; print a table by class; exit with 1 on a problem.

For every folder: correct.py answers all cases, program.py fails at least one
visible and one hidden case, and the two files differ in one line.

    python3 bench/kata/check.py
    python3 bench/kata/check.py bench/kata-unseen     # another set: any domains and lengths, any number of a class
"""
import copy
import difflib
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tokenize
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SECONDS = 2
MEMORY = 1 << 30
SETS = ("visible", "hidden")
FILES = ("program.py", "correct.py", "cases.json")
KEYS = {"function", "class", "domain", "visible", "hidden"}
AT_LEAST = 3
CLASSES = (
    "wrong-comparison", "off-by-one", "wrong-variable", "swapped-arguments",
    "missing-base-case", "missing-negation", "wrong-constant",
    "wrong-initial-value", "missing-call", "wrong-operator-precedence",
    "wrong-operator", "wrong-method", "missing-condition-part", "wrong-index",
    "missing-statement", "wrong-slice", "wrong-return",
)
DOMAINS = (
    "sorting", "searching", "graphs", "dynamic-programming", "parsing",
    "number-theory", "strings", "matrices", "backtracking", "data-structures",
)


class TimeUp(BaseException):
    """Raised by the alarm; not an Exception, so that no program catches it."""


def plain(value):
    """Whether a value consists of exact JSON types, without floats."""
    if value is None or type(value) in (bool, int, str):
        return True
    if type(value) is list:
        return all(plain(item) for item in value)
    if type(value) is dict:
        return all(type(key) is str and plain(item) for key, item in value.items())
    return False


def canonical(value):
    return json.dumps(value, sort_keys=True)


def run_cases(path, cases_path, first):
    """Child process: one line for each case from the given one on."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def ring(signum, frame):
        raise TimeUp

    signal.signal(signal.SIGALRM, ring)
    spec = json.loads(Path(cases_path).read_text())
    cases = [case for name in SETS for case in spec[name]]
    source = Path(path).read_text()
    for index in range(first, len(cases)):
        args = copy.deepcopy(cases[index]["args"])
        expect = cases[index]["expect"]
        try:
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            space = {"__name__": "kata"}
            exec(compile(source, path, "exec"), space)
            result = space[spec["function"]](*args)
            if plain(result) and canonical(result) == canonical(expect):
                verdict = "ok"
            elif result == expect:
                verdict = "type"
            else:
                verdict = "wrong"
        except TimeUp:
            verdict = "time"
        except BaseException as error:
            verdict = "raise " + type(error).__name__
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(index, verdict, flush=True)


def verdicts(path, cases_path, total):
    """Verdict of every case; a dead child counts against the case it ran."""
    found = []
    while len(found) < total:
        command = [sys.executable, __file__, "--run", str(path), str(cases_path), str(len(found))]
        limit = (SECONDS + 1) * (total - len(found)) + 10
        try:
            child = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=limit)
            lines = child.stdout.decode().splitlines()
        except subprocess.TimeoutExpired as error:
            lines = (error.stdout or b"").decode().splitlines()
        found.extend(line.split(" ", 1)[1] for line in lines)
        if len(found) < total:
            found.append("died")
    return found


def changed_lines(defective, correct):
    """Lines removed from and added to the correct text, and the hunks."""
    a, b = correct.splitlines(), defective.splitlines()
    codes = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    hunks = [code for code in codes if code[0] != "equal"]
    return sum(h[2] - h[1] for h in hunks), sum(h[4] - h[3] for h in hunks), len(hunks)


def check(folder):
    """Problems of one folder, and its numbers for the table."""
    problems = []
    for name in FILES:
        if not (folder / name).is_file():
            return [f"no {name}"], None
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", folder.name):
        problems.append("the name is not in kebab case")
    try:
        spec = json.loads((folder / "cases.json").read_text())
    except ValueError as error:
        return [f"cases.json: {error}"], None
    if set(spec) != KEYS:
        return [f"cases.json: keys are {sorted(spec)}"], None
    if spec["class"] not in CLASSES:
        problems.append(f"unknown class {spec['class']}")
    own = folder.parent == ROOT
    if own and spec["domain"] not in DOMAINS:
        problems.append(f"unknown domain {spec['domain']}")
    if not 6 <= len(spec["visible"]) <= 10:
        problems.append(f"{len(spec['visible'])} visible cases")
    if not 15 <= len(spec["hidden"]) <= 25:
        problems.append(f"{len(spec['hidden'])} hidden cases")
    cases = [case for name in SETS for case in spec[name]]
    for case in cases:
        if set(case) != {"args", "expect"} or type(case["args"]) is not list or not plain(case["args"]) or not plain(case["expect"]):
            problems.append(f"malformed case {case}")
    if len({canonical(case["args"]) for case in cases}) != len(cases):
        problems.append("two cases have the same arguments")

    texts = {name: (folder / name).read_text() for name in FILES[:2]}
    for name, text in texts.items():
        if own and not 8 <= len(text.splitlines()) <= 35:
            problems.append(f"{name} has {len(text.splitlines())} lines")
        try:
            compile(text, name, "exec")
        except SyntaxError as error:
            problems.append(f"{name}: {error}")
            continue
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        if own and any(token.type == tokenize.COMMENT for token in tokens):
            problems.append(f"{name} has a comment")
    removed, added, hunks = changed_lines(texts["program.py"], texts["correct.py"])
    if hunks != 1 or removed > 1 or added > 1:
        problems.append(f"diff: {hunks} hunks, -{removed} +{added}")

    cases_path = folder / "cases.json"
    good = verdicts(folder / "correct.py", cases_path, len(cases))
    for index, verdict in enumerate(good):
        if verdict != "ok":
            problems.append(f"correct.py, case {index}: {verdict}")
    bad = verdicts(folder / "program.py", cases_path, len(cases))
    split = len(spec["visible"])
    numbers = {"slug": folder.name, "class": spec["class"], "domain": spec["domain"]}
    for name, part in zip(SETS, (bad[:split], bad[split:])):
        numbers[name] = len(part)
        numbers[name + " failed"] = sum(v not in ("ok", "type") for v in part)
        if numbers[name + " failed"] == 0:
            problems.append(f"program.py fails no {name} case")
    return problems, numbers


def main():
    named = [Path(arg).resolve() for arg in sys.argv[1:] if not arg.startswith("--")]
    root = named[0] if named else ROOT
    if not root.is_dir():
        sys.exit(f"no folder {root}; name one that is laid out as bench/kata is")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name != "__pycache__")
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(check, folders))
    broken = 0
    by_class = {name: [] for name in CLASSES}
    for folder, (problems, numbers) in zip(folders, results):
        for problem in problems:
            broken += 1
            print(f"PROBLEM {folder.name}: {problem}")
        if numbers is not None:
            by_class.setdefault(numbers["class"], []).append(numbers)
    if "--each" in sys.argv:
        for numbers in sorted((n for group in by_class.values() for n in group), key=lambda n: n["slug"]):
            print("{slug:28} {class:26} {domain:20} {visible failed:2}/{visible:<2} {hidden failed:2}/{hidden}".format(**numbers))
        print()
    print(f"{'class':26} programs  visible failed  hidden failed")
    for name, group in by_class.items():
        shown = [f"{sum(n[s + ' failed'] for n in group)}/{sum(n[s] for n in group)}" for s in SETS]
        print(f"{name:26} {len(group):8}  {shown[0]:>14}  {shown[1]:>13}")
        if root == ROOT and len(group) < AT_LEAST:
            broken += 1
            print(f"PROBLEM {name}: fewer than {AT_LEAST} programs")
    total = sum(len(group) for group in by_class.values())
    print(f"{'all':26} {total:8}")
    print("all green" if broken == 0 else f"{broken} problems")
    return 1 if broken or total == 0 else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run_cases(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        sys.exit(main())
