#!/usr/bin/env python3
"""What the sandbox service takes, as E2B's own Python SDK sees it.

    cargo build --release
    python3 -m venv venv && venv/bin/pip install -r crates/serve/tests/sdk/requirements.txt
    venv/bin/python bench/e2b/latency.py [--service target/release/meliora] [--rounds 100] [--at-once 100]

Starts a service of its own on a free port; with --url URL, measures one that runs. Prints medians and the 90th percentile in
milliseconds; with --json, one JSON object. Nothing is asserted: the floors are in docs/performance.md.
"""
import argparse
import json
import os
import statistics
import subprocess
import threading
import time


def measure(rounds, work):
    """Milliseconds of each round; the first few, which open connections, are left out."""
    times = []
    for number in range(rounds + 3):
        begin = time.perf_counter()
        work()
        if number >= 3:
            times.append((time.perf_counter() - begin) * 1000)
    return summary(times)


def summary(times):
    times = sorted(times)
    return {"median": round(statistics.median(times), 2), "p90": round(times[int(len(times) * 0.9)], 2), "of": len(times)}


def at_once(count, sandbox_type):
    """So many sandboxes that all exist at the same time: made by eight threads, each runs code, then all are ended."""
    open_ones, times, lock = [], [], threading.Lock()

    def work(share):
        for _ in range(share):
            begin = time.perf_counter()
            sandbox = sandbox_type.create(timeout=300)
            with lock:
                times.append((time.perf_counter() - begin) * 1000)
                open_ones.append(sandbox)

    begin = time.perf_counter()
    shares = [count // 8 + (1 if number < count % 8 else 0) for number in range(8)]
    each(shares, work)
    made = time.perf_counter() - begin

    begin = time.perf_counter()
    right = []

    def run(part):
        for number in part:
            execution = open_ones[number].run_code("n = %d; print(n)" % number)
            right.append(execution.logs.stdout == ["%d\n" % number])

    each([range(number, count, 8) for number in range(8)], run)
    ran = time.perf_counter() - begin
    rounds = measure(50, lambda: open_ones[0].run_code("print(1)"))

    begin = time.perf_counter()
    each([open_ones[number::8] for number in range(8)], lambda part: [sandbox.kill() for sandbox in part])
    ended = time.perf_counter() - begin
    return {"sandboxes": count, "right": sum(right), "create": summary(times), "made_s": round(made, 2),
            "each_ran_once_s": round(ran, 2), "run_code_meanwhile": rounds, "ended_s": round(ended, 2)}


def each(parts, work):
    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", default="target/release/meliora", help="the program to start")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    service = None
    if args.url is None:
        command = [args.service, "--json", "sandbox", "serve", "--listen", "127.0.0.1:0",
                   "--max-sandboxes", str(args.at_once + 8)]
        service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        args.url = json.loads(service.stdout.readline())["url"]
    os.environ.update(E2B_API_URL=args.url, E2B_SANDBOX_URL=args.url)
    os.environ.setdefault("E2B_API_KEY", "e2b_" + "0" * 40)
    try:
        told = figures(args)
    finally:
        if service is not None:
            service.terminate()
            service.wait()
    if args.json:
        print(json.dumps(told))
        return
    for name, value in told.items():
        print("%-22s %s" % (name, value))


def figures(args):
    from e2b_code_interpreter import Sandbox

    told, made = {}, []
    told["create"] = measure(args.rounds, lambda: made.append(Sandbox.create(timeout=300)) or ended(made))
    told["create and first code"] = measure(args.rounds, lambda: first_code(Sandbox))
    sandbox = Sandbox.create(timeout=600)
    told["run_code('print(1)')"] = measure(args.rounds, lambda: sandbox.run_code("print(1)"))
    told["commands.run('true')"] = measure(args.rounds, lambda: sandbox.commands.run("true"))
    told["files.write, 1 kB"] = measure(args.rounds, lambda: sandbox.files.write("a", "x" * 1000))
    told["files.read, 1 kB"] = measure(args.rounds, lambda: sandbox.files.read("a"))
    sandbox.kill()
    told["at once"] = at_once(args.at_once, Sandbox)
    return told


def ended(made):
    """Ends sandboxes now and then, outside of what most rounds measure."""
    if len(made) >= 5:
        threading.Thread(target=lambda some: [sandbox.kill() for sandbox in some], args=(made[:],)).start()
        made.clear()


def first_code(sandbox_type):
    sandbox = sandbox_type.create(timeout=300)
    sandbox.run_code("print(1)")
    threading.Thread(target=sandbox.kill).start()


main()
