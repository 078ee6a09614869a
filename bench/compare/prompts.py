#!/usr/bin/env python3
"""What an engine costs beside the model when it makes a prompt better: GEPA 0.1.4 (PyPI) and Meliora's `gepa`, with a model that
answers at once.

    cargo build --release
    python3 bench/compare/prompts.py                     # about 5,000 answers each, medians of three runs
    python3 bench/compare/prompts.py --answers 1000 --runs 1

Both optimize the same prompt on the same 40 train and 40 validation rows with the same model, one question at a time. The model is
a process of its own, which this script serves: it gives a row's label as often as the number in the prompt says, and a new number
when it is asked for better instructions. What is told for each engine: answers that the model gave, seconds, the same without the
start (a run of one examination), milliseconds an answer, and what is left of them without the model: less what an answer takes on a
bare connection from Python, in the same run.

GEPA is given two small functions over one kept connection in the place of its own client, which costs more. `gepa, saved` keeps its
state in a folder after each iteration, as Meliora keeps its journal. An engine's first answers are the same for every seed. Exit code:
0 done; 1 something did not run.
"""
import argparse
import asyncio
import hashlib
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PINNED = "gepa==0.1.4"
ROWS = 40
SEED_PROMPT = "Give the label of the word. Rule 0."
PROJECT = """name = "labels"
goal = "Label words"
[genome]
root = "genome"
editable = ["prompt.txt"]
[suite]
folder = "suite"
[run]
proposers = ["gepa"]
strategy = "pareto"
seed = {seed}
jobs = 1
[model]
base_url = "{base}"
name = "stub"
[student]
temperature = 0.0
max_tokens = 20
at_once = 1
[budget]
evals = {evals}
minutes = 0
"""


def chance(*words):
    """A number from 0 to 99 that follows from the words."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, words)).encode()).digest()[:4], "big") % 100


def word(split, row):
    return f"{split}-{row}"


def label(of):
    return f"label-{chance('label', of)}"


class Stub:
    """The model: counts its answers, and is a function of them and of what it is asked."""

    def __init__(self):
        self.answers = self.reflections = 0

    def answer(self, messages):
        text = "\n".join(message["content"] for message in messages)
        if "<instructions>" in text or "write a new instruction" in text:
            self.reflections += 1
            new = f"Give the label of the word. Rule {self.reflections}."
            return f"<instructions>{new}</instructions>" if "<instructions>" in text else f"```\n{new}\n```"
        rule = re.search(r"Rule (\d+)", text)[1]
        of = re.findall(r"(?:train|validation)-\d+", text)[-1]
        # Between a fifth and four fifths of all rows: no prompt is ever done, and each second one is better than another.
        right = chance("row", rule, of) < 20 + chance("rule", rule) * 0.6
        return label(of) if right else "none"

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length:\s*(\d+)", head)
                asked = await reader.readexactly(int(length[1])) if length else b""
                if head.startswith(b"GET /served"):
                    body = {"answers": self.answers, "reflections": self.reflections}
                elif head.startswith(b"GET"):
                    body = {"object": "list", "data": [{"id": "stub", "object": "model"}]}
                else:
                    self.answers += 1
                    said = self.answer(json.loads(asked)["messages"])
                    body = {"id": "stub", "object": "chat.completion", "created": 0, "model": "stub",
                            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}],
                            "usage": {"prompt_tokens": 50, "completion_tokens": 5, "total_tokens": 55}}
                out = json.dumps(body).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(out) + out)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def serve():
    async def forever():
        server = await asyncio.start_server(Stub().serve, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()
    asyncio.run(forever())


class Connection:
    """One kept connection to the model."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port)

    def get(self, path):
        self.http.request("GET", path)
        return json.loads(self.http.getresponse().read())

    def ask(self, messages):
        asked = json.dumps({"model": "stub", "messages": messages, "temperature": 0.0, "max_tokens": 20})
        self.http.request("POST", "/v1/chat/completions", asked, {"Content-Type": "application/json"})
        return json.loads(self.http.getresponse().read())["choices"][0]["message"]["content"]


def optimize(port, answers, folder, seed):
    """Within GEPA's own interpreter: one run of it."""
    import gepa
    connection = Connection(port)

    class Quiet:
        def log(self, *_):
            pass

    def rows(split):
        return [{"input": word(split, i), "additional_context": {}, "answer": label(word(split, i))} for i in range(ROWS)]

    gepa.optimize(seed_candidate={"prompt": SEED_PROMPT}, trainset=rows("train"), valset=rows("validation"),
                  task_lm=connection.ask, reflection_lm=lambda text: connection.ask([{"role": "user", "content": text}]),
                  max_metric_calls=answers, run_dir=folder, seed=seed, logger=Quiet())


class Failed(Exception):
    """A run did not come to its end; the text says why."""


def run(argv, env):
    began = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, env=env)
    if done.returncode not in (0, 5):
        raise Failed(f"{' '.join(map(str, argv))[:200]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return time.perf_counter() - began


def measured(engine, options, seed, answers, scratch):
    """Answers and seconds of one run, with a model of its own."""
    model = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(model.stdout.readline())
        folder = Path(tempfile.mkdtemp(dir=scratch))
        env = {**os.environ, "OPENAI_API_KEY": "none", "XDG_STATE_HOME": tempfile.mkdtemp(dir=scratch)}
        if engine == "bare":
            connection = Connection(port)
            began = time.perf_counter()
            for i in range(answers):
                connection.ask([{"role": "system", "content": SEED_PROMPT}, {"role": "user", "content": word("train", i)}])
            seconds = time.perf_counter() - began
        elif engine == "meliora":
            (folder / "genome").mkdir()
            (folder / "suite").mkdir()
            (folder / "genome/prompt.txt").write_text(SEED_PROMPT)
            # Three train rows for each try, and 40 where they are better.
            (folder / "meliora.toml").write_text(PROJECT.format(seed=seed, base=f"http://127.0.0.1:{port}/v1", evals=max(2, answers // ROWS)))
            (folder / "suite/suite.toml").write_text('kind = "exact"\n[prompt]\ndata = "cases.jsonl"\nmetric = "exact"\n')
            cases = [{"id": word(split, i), "split": split, "input": word(split, i), "expected": label(word(split, i))}
                     for split in ("train", "validation") for i in range(ROWS)]
            (folder / "suite/cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
            seconds = run([str(options.meliora), "run", str(folder), "--json"], env)
        else:
            kept = str(folder / "kept") if engine == "gepa, saved" else ""
            seconds = run([str(options.python), __file__, "--optimize", str(port), str(answers), kept, str(seed)], env)
        return Connection(port).get("/served") | {"seconds": seconds}
    finally:
        model.kill()
        model.wait()


def python_with_gepa(folder):
    """The interpreter of a virtual environment that holds the pinned GEPA; makes it if need be."""
    python = folder / "bin" / "python"
    if not python.exists():
        for argv in ([sys.executable, "-m", "venv", str(folder)],
                     [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PINNED]):
            done = subprocess.run(argv, capture_output=True, text=True)
            if done.returncode:
                shutil.rmtree(folder, ignore_errors=True)
                raise Failed(f"{' '.join(argv[1:4])} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return python


def main():
    if sys.argv[1:2] == ["--serve"]:
        return serve()
    if sys.argv[1:2] == ["--optimize"]:
        port, answers, kept, seed = sys.argv[2:6]
        return optimize(int(port), int(answers), kept or None, int(seed))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--answers", type=int, default=5000, help="about so many of each")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--meliora", default=str(ROOT / "target/release/meliora"))
    parser.add_argument("--venv", default=str(HERE / ".venv-gepa"), help="where GEPA is installed")
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="meliora-gepa-")
    try:
        options.python = python_with_gepa(Path(options.venv).resolve())
        print(f"{'engine':12} {'answers':>8} {'reflections':>12} {'seconds':>8} {'of these, start':>16} {'ms an answer':>13} {'without the model':>18}")
        bare = None
        for engine in ("bare", "gepa", "gepa, saved", "meliora"):
            starts, long = [], []
            for seed in range(1, options.runs + 1):
                if engine != "bare":
                    starts.append(measured(engine, options, seed, ROWS, scratch))
                long.append(measured(engine, options, seed, options.answers, scratch))
            begun = statistics.median(r["seconds"] for r in starts) if starts else 0.0
            seen = statistics.median(r["answers"] for r in starts) if starts else 0
            each = statistics.median((r["seconds"] - begun) / (r["answers"] - seen) * 1e3 for r in long)
            bare = bare or each
            print(f"{engine:12} {statistics.median(r['answers'] for r in long):8.0f} {statistics.median(r['reflections'] for r in long):12.0f} "
                  f"{statistics.median(r['seconds'] for r in long):8.2f} {begun:16.2f} {each:13.3f} {each - bare:18.3f}", flush=True)
    except Failed as why:
        print(f"!!! {why}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
