#!/usr/bin/env python3
"""Check the examples without the engine; exit with 1 on a problem.

A plain second reading of the suite contract. For each native project: the
suite is well formed, its tasks fail with the genome as the README says, all of
them pass with the corrected files of bench/solutions, and the two differ in
single lines. For the OpenEvolve task: the evaluator scores its own program.
For the problems: the first score is what the README says, and each way to
cheat that is written down here is turned away by evaluator or checker.

    python3 examples/check.py [--each]

Projects whose tool (node, rustc) is not installed count as problems.
"""
import difflib
import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOLUTIONS = HERE.parent / "bench" / "solutions"
SPLITS = ("train", "validation", "holdout")
SECONDS = 20
# A function without its base case answers nothing at all.
NEVER_RIGHT = {"factorial"}
# The first example has one task for each function and split; its genome fails all of them.
ALL_FAIL = {"first-fix"}
PROJECT_KEYS = {
    "": {"name", "goal", "genome", "suite", "run", "budget", "sandbox", "model", "command", "replay"},
    "genome": {"root", "editable"},
    "suite": {"folder"},
    "run": {"strategy", "proposers", "seed", "jobs"},
    "budget": {"evals", "minutes", "tokens", "usd"},
}

# Problems with the score of their first program, and programs in place of it that must score nothing.
NAN, HUGE = "float('nan')", "float('inf')"
CIRCLES = "[(0.1 + 0.2 * (i % 5), 0.1 + 0.2 * (i // 5), 0.1) for i in range(25)]"
FIRST = {
    "circle-packing": (2.136276, [
        # The circle between four others, by the last digit too large.
        f"def run(): return {CIRCLES} + [(0.2, 0.2, 0.04142135623730952)]",
        f"def run(): return {CIRCLES} + [(0.5, 0.5, -1.0)]",
        f"def run(): return {CIRCLES} + [(0.5, 0.5, {NAN})]",
        f"def run(): return {CIRCLES} + [(0.5, 0.5, True)]",
        f"def run(): return {CIRCLES} + [(0.2, 0.2, 0.01), (0.4, 0.4, 0.01)]",
        "class Loud(float):\n    def __lt__(self, other): return False\n    def __gt__(self, other): return False\n"
        "def run(): return [(Loud(0.5), Loud(0.5), Loud(0.5))] * 26",
        "def run(): return 2.7",
    ]),
    "heilbronn-triangle": (0.0006, [
        "def run(): return [(0.1 * i, (0.3 * i * i) % 1.0) for i in range(11)]",
        f"def run(): return [({HUGE}, 0.0)] * 11",
        "def run(): return [(0.01 * i, 0.01 * i * i) for i in range(12)]",
        "def run(): return [('0.1', '0.2')] * 11",
    ]),
    "function-minimum": (0.807599, [
        "def run(height, low, high):\n    for n in range(1000): height(0.0, n / 100)\n    return 0.0, 0.0",
        f"def run(height, low, high): return {NAN}, 0.0",
        "def run(height, low, high): return -1.519",
    ]),
    "symbolic-regression": (0.160835, [
        "def run(times): return [0.0]",
        f"def run(times): return [{NAN}] * len(times)",
        "class Same(float):\n    def __sub__(self, other): return 0.0\ndef run(times): return [Same(0.0)] * len(times)",
    ]),
    "tour": (0.883351, [
        "def run(cities): return [0]",
        "def run(cities): return [0] * len(cities)",
        "def run(cities): return [True, False] + list(range(2, len(cities)))",
        "def run(cities): return [float(k) for k in range(len(cities))]",
    ]),
}


def stored():
    """Answers that somebody wrote down for the instances that each evaluation has, and nothing for others."""
    def module(name):
        spec = importlib.util.spec_from_file_location(f"{name}_evaluator", HERE / name / "evaluator.py")
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded

    surfaces, law, trips = module("function-minimum"), module("symbolic-regression"), module("tour")
    points = [(-1.704 + x, 0.678 + y) for x, y in surfaces.SHIFTS]
    # By the number of the call, and by the height of one point.
    yield "function-minimum", f"POINTS = iter({points} * 99)\ndef run(height, low, high): return next(POINTS)"
    heights = {round(surfaces.depth(0.0, 0.0, shift), 9): point for shift, point in zip(surfaces.SHIFTS, points)}
    yield "function-minimum", f"KNOWN = {heights}\ndef run(height, low, high): return KNOWN.get(round(height(0.0, 0.0), 9), (0.0, 0.0))"
    table = {t: law.truth(t) for t in law.TIMES}
    yield "symbolic-regression", f"TABLE = {table}\ndef run(times): return [TABLE.get(t, 0.8) for t in times]"
    yield "symbolic-regression", f"TABLE = {list(table.values())}\ndef run(times): return (TABLE * len(times))[:len(times)]"
    known = {}
    for seed in range(len(trips.KNOWN)):
        places = trips.cities(seed)
        order = list(range(len(places)))
        shorter = True
        while shorter:
            shorter = False
            for i in range(len(order) - 1):
                for j in range(i + 1, len(order)):
                    turned = order[:i] + order[i:j + 1][::-1] + order[j + 1:]
                    if trips.length(places, turned) < trips.length(places, order) - 1e-9:
                        order, shorter = turned, True
        known[places[0][0]] = order
    yield "tour", f"KNOWN = {known}\ndef run(cities): return KNOWN.get(cities[0][0]) or list(range(len(cities)))"


# The checkers of native problems: what is asked, what an answer scores, and answers that must score nothing.
CHECKED = {
    "combination-lock": [
        ({"inputs": [[]], "data": [3, 1, 4, 2]}, [[0, 0, 0, 0]], 0.75),
        ({"inputs": [[]], "data": [3, 1, 4, 2]}, [[3, 1, 4, 0]], 0.0),
        ({"inputs": [[]], "data": [3, 1, 4, 2]}, [[3, 1, 4, 2]], 1.0),
        ({"inputs": [[]], "data": [3, 1, 4, 2]}, [[3.0, 1, 4, 2]], 0.0),
        ({"inputs": [[]], "data": [3, 1, 4, 2]}, [[True, 1, 1, 1]], 0.0),
        ({"inputs": [[]], "data": [3, 1, 4, 2]}, ["3142"], 0.0),
    ],
    "sort-gaps": [
        ({"stdin": "w\n2 0 1\n", "data": None}, "w\n1 2 0\n0<1 0<2 1<2 1<0\n", math.log2(6) / 4),
        # Without the word, not sorted, or with a log that leaves out what any sort must have compared.
        ({"stdin": "w\n2 0 1\n", "data": None}, "v\n1 2 0\n0<1 0<2 1<2\n", 0.0),
        ({"stdin": "w\n2 0 1\n", "data": None}, "w\n0 1 2\n0<1 0<2 1<2\n", 0.0),
        ({"stdin": "w\n2 0 1\n", "data": None}, "w\n1 2 0\n0<1\n", 0.0),
        ({"stdin": "w\n2 0 1\n", "data": None}, "w\n1 2 0\n1<2 2<0\n", 0.0),
    ],
}

PYTHON_DRIVER = """
import json, sys
plan = json.load(sys.stdin)
sys.path.insert(0, plan["genome"])
module = __import__(plan["file"][:-3])
answers = []
for text in plan["inputs"]:
    try:
        answers.append({"value": json.loads(json.dumps(getattr(module, plan["function"])(*json.loads(text))))})
    except Exception as error:
        answers.append({"error": type(error).__name__})
print(json.dumps(answers))
"""

NODE_DRIVER = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const plan = JSON.parse(readFileSync(0, "utf8"));
const module = await import(pathToFileURL(plan.genome + "/" + plan.file));
console.log(JSON.stringify(plan.inputs.map((text) => {
  try { return { value: module[plan.function](...JSON.parse(text)) }; }
  catch (error) { return { error: error.name }; }
})));
"""


def canonical(value):
    """Equal texts for equal JSON values; true is not 1."""
    return json.dumps(value, sort_keys=True)


def call(argv, plan):
    """The answers of one driver run, one for each input."""
    done = subprocess.run(argv, input=json.dumps(plan), capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


def rights_of_call(genome, task):
    """Whether each input of a call task is answered rightly."""
    spec = task["assignment"]["call"]
    inputs = task["assignment"]["inputs"]
    plan = {"genome": str(genome), "inputs": [json.dumps(args) for args in inputs], **spec}
    if spec["file"].endswith(".py"):
        argv = [sys.executable, "-B", "-c", PYTHON_DRIVER]
    else:
        argv = ["node", "--input-type=module", "-e", NODE_DRIVER]
    answers = call(argv, plan)
    return ["value" in answer and canonical(answer["value"]) == canonical(expect)
            for answer, expect in zip(answers, task["key"]["expect"], strict=True)]


def rights_of_commands(genome, suite, work, tasks, scratch):
    """Whether each line of each stdin task is answered rightly; builds once."""
    place = scratch / genome.parent.name / genome.name
    place.mkdir(parents=True)

    def here(text):
        places = {"/work/genome/": genome, "/work/suite/": place, "/tmp/": place}
        return re.sub("/work/genome/|/work/suite/|/tmp/", lambda found: f"{places[found[0]]}/", text)

    for name in work["files"]:
        (place / name).write_text(here((suite / name).read_text()))
    build = [here(word) for word in work.get("build", [])]
    if build:
        subprocess.run(build, check=True, capture_output=True, timeout=120)
    found = []
    for task in tasks:
        said, known = task["assignment"]["stdin"], task["key"]["stdout"]
        if work.get("canary"):
            said, known = f"271828\n{said}", f"{known}271828\n"
        done = subprocess.run([here(word) for word in work["run"]], input=said,
                              capture_output=True, text=True, timeout=SECONDS)
        got, expect = done.stdout.split("\n"), known.split("\n")
        got += [""] * (len(expect) - len(got))
        found.append([a.rstrip() == b.rstrip() for a, b in zip(got, expect) if b] or [False])
        if done.stdout.rstrip() != known.rstrip() and all(found[-1]):
            found[-1][-1] = False
    return found


def read_tasks(file):
    """The tasks, and what is wrong with their form."""
    tasks, problems = [], []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith(("#", "//")):
            continue
        try:
            task = json.loads(line)
        except ValueError as error:
            problems.append(f"{file.name}:{number}: {error}")
            continue
        if set(task) - {"impossible"} != {"id", "split", "assignment", "key"} or task["split"] not in SPLITS:
            problems.append(f"{file.name}:{number}: keys or split")
        elif "call" in task["assignment"] and len(task["assignment"]["inputs"]) != len(task["key"]["expect"]):
            problems.append(f"{file.name}:{number}: {len(task['key']['expect'])} answers to {len(task['assignment']['inputs'])} inputs")
        else:
            tasks.append(task)
    if len({task["id"] for task in tasks}) != len(tasks):
        problems.append("two tasks have the same id")
    for split in SPLITS:
        if not any(task["split"] == split for task in tasks):
            problems.append(f"no {split} task")
    seen = {}
    for task in tasks:
        assignment = task["assignment"]
        where = canonical(assignment.get("call"))
        pieces = assignment["inputs"] if "inputs" in assignment else assignment["stdin"].splitlines()
        for piece in pieces:
            first = seen.setdefault((where, canonical(piece)), task["id"])
            if first != task["id"]:
                problems.append(f"{task['id']} and {first} share the input {canonical(piece)}")
    return tasks, problems


def check_project(folder, each):
    """Problems of one native project."""
    problems = []
    project = tomllib.loads((folder / "meliora.toml").read_text())
    for section, keys in PROJECT_KEYS.items():
        held = project if section == "" else project.get(section, {})
        for key in set(held) - keys:
            problems.append(f"meliora.toml: unknown key {section and section + '.'}{key}")
    if project["name"] != folder.name:
        problems.append("meliora.toml: the name is not the folder's")
    genome, suite = folder / project["genome"]["root"], folder / project["suite"]["folder"]
    right = SOLUTIONS / folder.name
    rules = tomllib.loads((suite / "suite.toml").read_text())
    if rules.get("kind") not in ("exact", "sample"):
        problems.append("suite.toml: kind")
    tasks, malformed = read_tasks(suite / "tasks.jsonl")
    problems += malformed

    files = sorted(path.name for path in genome.iterdir() if path.is_file())
    if files != sorted(path.name for path in right.iterdir() if path.is_file()):
        return problems + ["the solutions are not for the same files"]
    defects = 0
    for name in files:
        good, bad = ((root / name).read_text().splitlines() for root in (right, genome))
        for tag, a, b, c, d in difflib.SequenceMatcher(None, good, bad, autojunk=False).get_opcodes():
            if tag == "equal":
                continue
            defects += 1
            # A guard is a condition and its return: two lines, one statement.
            if max(b - a, d - c) > (2 if c == d else 1):
                problems.append(f"{name}:{c + 1}: the defect is wider than one statement")
        if any(re.search(r"(?i)\b(bug|defect|wrong|fixme|todo|broken|should be)\b", line) for line in bad):
            problems.append(f"{name}: a word gives a defect away")

    with tempfile.TemporaryDirectory() as scratch:
        marks = {}
        for name, root in (("defective", genome), ("corrected", right)):
            if "work" in rules:
                marks[name] = rights_of_commands(root, suite, rules["work"], tasks, Path(scratch))
            else:
                with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
                    marks[name] = list(pool.map(lambda task: rights_of_call(root, task), tasks))
    failing = {split: 0 for split in SPLITS}
    for task, bad, good in zip(tasks, marks["defective"], marks["corrected"], strict=True):
        if task.get("impossible"):
            if any(bad) or any(good):
                problems.append(f"{task['id']}: an honest program passes it")
            continue
        if not all(good):
            problems.append(f"{task['id']}: the solution answers {sum(good)} of {len(good)}")
        failing[task["split"]] += not all(bad)
        if folder.name in ALL_FAIL:
            if all(bad):
                problems.append(f"{task['id']}: the defect does not show")
            if task["split"] == "train" and not any(bad) and task["assignment"]["call"]["function"] not in NEVER_RIGHT:
                problems.append(f"{task['id']}: no input is answered rightly")
        if each:
            print(f"  {task['id']:28} {task['split']:10} {sum(bad)}/{len(bad)} right with the defect")
    for split, count in failing.items():
        if count == 0:
            problems.append(f"the defect does not show in {split}")
    print(f"{folder.name:22} {len(files)} files, {defects} defects, {len(tasks)} tasks, failing "
          + ", ".join(f"{failing[split]} of {sum(t['split'] == split and not t.get('impossible') for t in tasks)} {split}" for split in SPLITS))
    return problems


def check_openevolve(folder):
    """Problems of an OpenEvolve task: its evaluator must score its own program below the best."""
    code = ("import json, sys; sys.path.insert(0, sys.argv[1]); import evaluator;"
            "p = sys.argv[1] + '/initial_program.py';"
            "print(json.dumps([evaluator.evaluate_stage1(p), evaluator.evaluate_stage2(p), evaluator.evaluate(p)]))")
    done = subprocess.run([sys.executable, "-B", "-c", code, str(folder)], capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        return [done.stderr.strip().splitlines()[-1]]
    first, second, whole = json.loads(done.stdout)
    problems = []
    if first["combined_score"] < 0.5:
        problems.append("the first stage turns the program away")
    if second != whole:
        problems.append("the stages and the whole disagree")
    score = whole["combined_score"]
    if not (math.isfinite(score) and 0 < score < 0.95):
        problems.append(f"a first score of {score} leaves nothing to gain")
    lines = [line.strip() for line in (folder / "initial_program.py").read_text().splitlines()]
    if not all(lines.count(f"# EVOLVE-BLOCK-{end}") == 1 for end in ("START", "END")):
        problems.append("the markers are not a pair")
    print(f"{folder.name:22} first score {score:.4f}")
    return problems


def check_problem(folder):
    """Problems of a problem: its first score, and cheats that its evaluator does not turn away."""
    problems = []
    expected, cheats = FIRST[folder.name]
    code = ("import json, sys; sys.path.insert(0, sys.argv[1]); import evaluator;"
            "print(json.dumps(evaluator.evaluate(sys.argv[2])['combined_score']))")

    def score(program):
        argv = [sys.executable, "-B", "-c", code, str(folder), str(program)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=4 * SECONDS)
        return float(done.stdout) if done.returncode == 0 else None

    cheats = cheats + [text for name, text in stored() if name == folder.name]
    first = score(folder / "initial_program.py")
    if first is None or abs(first - expected) > 1e-6 or score(folder / "initial_program.py") != first:
        problems.append(f"the first score is {first} and not {expected}")
    with tempfile.TemporaryDirectory() as scratch:
        for number, text in enumerate(cheats):
            program = Path(scratch) / f"cheat_{number}.py"
            program.write_text(text + "\n")
            found = score(program)
            if found is not None and found > expected:
                problems.append(f"a cheat scores {found}: {text.splitlines()[-1]}")
    print(f"{folder.name:22} first score {first}, {len(cheats)} cheats turned away")
    return problems


def check_checker(folder):
    """Problems of a native problem: what its checker says of some answers."""
    problems = []
    for asked, outputs, expected in CHECKED[folder.name]:
        exam = json.dumps({**asked, "outputs": outputs})
        done = subprocess.run([sys.executable, "-B", str(folder / "suite/check.py")], input=exam, capture_output=True,
                              text=True, timeout=SECONDS)
        found = json.loads(done.stdout)["score"] if done.returncode == 0 else None
        if found is None or abs(found - expected) > 1e-9:
            problems.append(f"the checker gives {found} and not {expected} for {outputs!r:.60}")
    print(f"{folder.name:22} {len(CHECKED[folder.name])} answers checked")
    return problems


def check_prompts(folder):
    """A prompt, and rows whose inputs differ from what is expected of them."""
    suite = tomllib.loads((folder / "suite" / "suite.toml").read_text())
    lines = (folder / "suite" / suite["prompt"]["data"]).read_text().splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    problems = [f"row {i}: {row}" for i, row in enumerate(rows) if set(row) != {"input", "expected"}]
    problems += [f"row {i} is right already" for i, row in enumerate(rows) if row.get("input") == row.get("expected")]
    if len({row["input"] for row in rows}) != len(rows) or not rows:
        problems.append("no rows, or two of the same input")
    # That the engine replays it is tried by `.ci/run`; that it is of this prompt and these rows shows here.
    prompt = (folder / "genome" / "prompt.txt").read_text().strip()
    taped = [json.loads(line)["request"]["messages"] for line in (folder / "cassette.jsonl").read_text().splitlines()]
    asked = [[said["content"] for said in messages] for messages in taped]
    problems += [f"the cassette does not ask {row['input']!r}" for row in rows if [prompt, row["input"]] not in asked]
    print(f"{folder.name:22} {len(rows)} rows, {len(taped)} recorded answers")
    return problems


def main():
    broken = 0
    checked = 0
    for folder in sorted(path for path in HERE.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))):
        tool = {"first-fix-rust": "rustc", "first-fix-js": "node"}.get(folder.name)
        if tool and not shutil.which(tool):
            problems = [f"{tool} is not installed"]
        elif folder.name in FIRST:
            problems = check_problem(folder)
        elif folder.name in CHECKED:
            problems = check_checker(folder)
        elif (folder / "genome" / "prompt.txt").is_file():
            problems = check_prompts(folder)
        elif (folder / "meliora.toml").is_file():
            problems = check_project(folder, "--each" in sys.argv)
        elif (folder / "evaluator.py").is_file():
            problems = check_openevolve(folder)
        else:
            continue
        checked += 1
        broken += len(problems)
        for problem in problems:
            print(f"PROBLEM {folder.name}: {problem}")
    print("all green" if not broken and checked else f"{broken} problems in {checked} examples")
    return 1 if broken or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
