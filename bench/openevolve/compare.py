#!/usr/bin/env python3
"""Side by side: iterations a second of Meliora and of OpenEvolve 0.4.0.

Both run the same task folder (bench/openevolve/task) against the same instant
model (bench/openevolve/stub.py), one after the other, each from a fresh copy.
Both get the number of workers that suits them best. The stub counts its
answers, so a run that did less than it was asked for is noticed.

    cargo build --release
    python3 bench/openevolve/compare.py
    python3 bench/openevolve/compare.py --skip-openevolve --scaling 1000,10000

Exit code: 0 done; 1 something did not run; 2 below --at-least, or not flat.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
import stub  # noqa: E402  (after the line above, so that it leaves no __pycache__)

HERE = Path(__file__).resolve().parent
PINNED = "openevolve==0.4.0"
# A rate at the longest run below this share of the shortest one's counts as not flat.
FLAT = 0.8


class Failed(Exception):
    """A half could not be run; the text says why."""


def loud(text):
    print(f"\n!!! {text}\n", file=sys.stderr, flush=True)


def python_with_openevolve(folder):
    """The interpreter of a virtual environment that holds the pinned OpenEvolve; makes it if need be."""
    python = folder / "bin" / "python"
    probe = "from importlib.metadata import version; print('openevolve==' + version('openevolve'))"
    if python.exists():
        done = subprocess.run([python, "-c", probe], capture_output=True, text=True)
        if done.stdout.strip() == PINNED:
            return python
        shutil.rmtree(folder)
    print(f"making {folder} with {PINNED}", file=sys.stderr)
    for argv in ([sys.executable, "-m", "venv", str(folder)],
                 [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PINNED]):
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            last = (done.stderr or done.stdout).strip().splitlines()[-3:]
            raise Failed(f"{' '.join(argv[1:4])} failed: {' / '.join(last)}")
    return python


def timed(argv, where, env, minutes):
    """Runs to the end: exit code, seconds, peak memory in MB, both outputs."""
    with open(where / "out.txt", "w+") as out, open(where / "err.txt", "w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(argv, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=env, cwd=where)
        until = began + minutes * 60
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.perf_counter() > until:
                process.kill()
                os.wait4(process.pid, 0)
                raise Failed(f"not done after {minutes} minutes")
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return process.returncode, seconds, usage.ru_maxrss / 1024, out.read(), err.read()


def fresh_copy(scratch):
    # Kept until all is measured: for a minute after many files were deleted, ext4 is slow to make new ones.
    where = Path(tempfile.mkdtemp(dir=scratch))
    shutil.copytree(HERE / "task", where / "task", ignore=shutil.ignore_patterns("__pycache__", ".meliora"))
    return where


def run_openevolve(python, iterations, workers, base, options):
    """Seconds and peak memory of one OpenEvolve run."""
    where = fresh_copy(options.scratch)
    config = where / "task" / "config.yaml"
    text = config.read_text().replace("parallel_evaluations: 1", f"parallel_evaluations: {workers}")
    config.write_text(text.replace("http://127.0.0.1:1/v1", base))
    before = stub.served(base)
    argv = [str(python), "-m", "openevolve.cli", "task/initial_program.py", "task/evaluator.py",
            "--config", str(config), "--iterations", str(iterations), "--output", str(where / "out")]
    env = {**os.environ, "OPENAI_API_KEY": "none"}
    code, seconds, memory, out, err = timed(argv, where, env, options.minutes)
    if code:
        raise Failed(f"openevolve ended with {code}: {(err or out).strip()[-300:]}")
    answers = stub.served(base) - before
    return seconds, memory, answers


def run_meliora(program, iterations, jobs, base, options):
    """Seconds and peak memory of one Meliora run."""
    where = fresh_copy(options.scratch)
    before = stub.served(base)
    argv = [str(program), "run", str(where / "task"), "--proposer", "rewrite", "--base-url", base, "--model", "stub",
            "--evals", str(iterations), "--strategy", "dgm", "--jobs", str(jobs), "--seed", "1", "--json", "--isolation", options.isolation]
    env = {**os.environ, "OPENAI_API_KEY": "none"}
    code, seconds, memory, out, err = timed(argv, where, env, options.minutes)
    if code not in (0, 5):
        raise Failed(f"meliora ended with {code}: {err.strip()[-300:]}")
    finished = None
    for line in out.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            if event.get("event") == "finished":
                finished = event
    if finished is None:
        raise Failed("meliora printed no finished event")
    answers = stub.served(base) - before
    if finished["evals"] < 0.95 * iterations:
        loud(f"meliora examined {finished['evals']} of {iterations}: {finished.get('reason')}; the rate counts only those")
    return seconds, memory, min(finished["evals"], answers)


def report(name, iterations, measured, start):
    """Prints one line; the median rate of the whole runs, start included."""
    rates = [done / seconds for seconds, _, done in measured]
    seconds = statistics.median(seconds for seconds, _, _ in measured)
    done = statistics.median(done for _, _, done in measured)
    rate = statistics.median(rates)
    net = (done - 1) / max(seconds - start, 1e-9)
    memory = max(memory for _, memory, _ in measured)
    print(f"{name:28} {iterations:7,} iterations  {seconds:8.2f} s  {rate:8.1f}/s  "
          f"without start {net:8.1f}/s  peak {memory:5.0f} MB  {done:,.0f} answers", flush=True)
    return {"name": name, "iterations": iterations, "seconds": seconds, "rate": rate,
            "rate_without_start": net, "start_seconds": start, "peak_mb": memory, "answers": done, "runs": len(measured)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=1, help="runs of each; the median counts")
    parser.add_argument("--workers", default="1,2,4", help="numbers of OpenEvolve workers to try; the best counts")
    parser.add_argument("--jobs", default="2,3", help="values of meliora --jobs to try; the best counts")
    parser.add_argument("--isolation", default="split", choices=["split", "together"], help="meliora --isolation")
    parser.add_argument("--meliora", default="target/release/meliora")
    parser.add_argument("--scaling", default="", metavar="N,N,…", help="also meliora at these numbers of iterations")
    parser.add_argument("--skip-openevolve", action="store_true")
    parser.add_argument("--skip-meliora", action="store_true")
    parser.add_argument("--venv", default=str(HERE / ".venv"), help="where OpenEvolve is installed")
    parser.add_argument("--minutes", type=float, default=30, help="limit of one run")
    parser.add_argument("--at-least", type=float, default=0, help="exit with 2 where the ratio is lower")
    parser.add_argument("--out", help="append the figures to this file, a JSON object a line")
    options = parser.parse_args()
    options.scratch = tempfile.mkdtemp(prefix="meliora-compare-")
    program = Path(options.meliora).resolve()
    lines, failed, best, ours = [], [], None, None

    process, base = stub.start()
    try:
        print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}; "
              f"stub alone: {stub.measure(base):,.0f} answers/s", flush=True)
        if not options.skip_openevolve:
            try:
                python = python_with_openevolve(Path(options.venv).resolve())
                for workers in map(int, options.workers.split(",")):
                    start = run_openevolve(python, 1, workers, base, options)[0]
                    measured = [run_openevolve(python, options.iterations, workers, base, options) for _ in range(options.runs)]
                    line = report(f"openevolve, {workers} workers", options.iterations, measured, start)
                    lines.append(line)
                    if best is None or line["rate"] > best["rate"]:
                        best = line
            except Failed as why:
                failed.append(f"OPENEVOLVE WAS NOT MEASURED: {why}")
                loud(failed[-1])
        if not options.skip_meliora:
            try:
                if not program.is_file():
                    raise Failed(f"no {program}; build it with cargo build --release, or name it with --meliora")
                tried = []
                for jobs in map(int, options.jobs.split(",")):
                    start = run_meliora(program, 1, jobs, base, options)[0]
                    measured = [run_meliora(program, options.iterations, jobs, base, options) for _ in range(options.runs)]
                    tried.append((report(f"meliora, {jobs} jobs", options.iterations, measured, start), jobs, start))
                    lines.append(tried[-1][0])
                ours, jobs, start = max(tried, key=lambda one: one[0]["rate"])
                for iterations in (int(n) for n in options.scaling.split(",") if n):
                    measured = [run_meliora(program, iterations, jobs, base, options) for _ in range(options.runs)]
                    lines.append(report("meliora, scaling", iterations, measured, start))
            except Failed as why:
                failed.append(f"MELIORA WAS NOT MEASURED: {why}")
                loud(failed[-1])
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(options.scratch, ignore_errors=True)

    missed = False
    if best and ours:
        ratio = ours["rate"] / best["rate"]
        print(f"ratio {ratio:.2f} (whole runs), {ours['rate_without_start'] / best['rate_without_start']:.2f} (without start), "
              f"against {best['name']}")
        lines.append({"name": "ratio", "ratio": ratio})
        missed |= ratio < options.at_least
    scaling = sorted((line for line in lines if line["name"] == "meliora, scaling"), key=lambda line: line["iterations"])
    if len(scaling) > 1:
        share = scaling[-1]["rate_without_start"] / scaling[0]["rate_without_start"]
        print(f"rate at {scaling[-1]['iterations']:,} iterations: {share:.2f} of that at {scaling[0]['iterations']:,} "
              f"({'flat' if share >= FLAT else 'NOT FLAT'})")
        lines.append({"name": "flat", "share": share})
        missed |= share < FLAT
    if options.out:
        with open(options.out, "a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return 1 if failed else 2 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
