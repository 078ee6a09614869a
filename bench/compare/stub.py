#!/usr/bin/env python3
"""A chat model whose n-th answer to a program is a function of a seed, n and that program alone.

It reads the program that it is asked to improve, changes one to three of its numbers, and answers with the whole program. Which
numbers, and by how much, is drawn from the seed and the number of the request: two engines that ask it get one stream of
edits, and differ only in which programs they send. It also counts its answers and the tokens, four bytes each.

    python3 bench/compare/stub.py SEED [PORT]                           prints the port, then serves
    python3 bench/compare/stub.py SEED [PORT] --replies replies.jsonl   recorded answers instead

With `--replies` the n-th answer is one that a real model once gave (`recorder.py`), whatever is asked: the files' answers in an order
that the seed draws, again from the first when all are given.
"""
import argparse
import json
import random
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Not part of a name, nor of another number; not an index.
NUMBER = re.compile(r"(?<![\w.\[])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])")
BLOCK = re.compile(r"```[a-z]*\n(.*?)```", re.S)


def program_of(text):
    """The program to be improved: under OpenEvolve's heading, else the first that has the markers."""
    if "# Current Program\n" in text:
        text = text.split("# Current Program\n", 1)[1]
    blocks = BLOCK.findall(text)
    marked = [block for block in blocks if "EVOLVE-BLOCK-START" in block]
    return (marked or blocks or [""])[0]


def edited(program, numbers):
    """The program with one to three numbers changed."""
    start = program.find("EVOLVE-BLOCK-START") + 1
    end = program.find("EVOLVE-BLOCK-END")
    found = [m for m in NUMBER.finditer(program) if start <= m.start() < (end if end >= 0 else len(program))
             and not program[:m.start()].rsplit("\n", 1)[-1].lstrip().startswith("#")]
    count = 1 + min(int(numbers.expovariate(1.2)), 2)
    picks = [(numbers.random(), numbers.gauss(0, 0.6), numbers.gauss(0, 1), numbers.random()) for _ in range(count)]
    for place, factor, shift, kind in picks:
        if not found:
            break
        match = found[int(place * len(found))]
        text = match[0]
        if "." in text or "e" in text:
            value = float(text)
            new = value * pow(2.718281828, factor) if kind < 0.6 and value != 0 else value + shift * (abs(value) * 0.3 + 0.05)
            made = repr(float(f"{new:.6g}"))
        else:
            value = int(text)
            new = round(value * pow(2.718281828, factor)) if kind < 0.6 and value != 0 else value + round(shift * 2)
            made = str(new if new != value else value + (1 if shift > 0 else -1))
            if value >= 0:
                made = made.lstrip("-")
        program = program[:match.start()] + made + program[match.end():]
        found = [m for m in NUMBER.finditer(program) if start <= m.start() < (program.find("EVOLVE-BLOCK-END") if end >= 0 else len(program))
                 and not program[:m.start()].rsplit("\n", 1)[-1].lstrip().startswith("#")]
    return program


class Stub(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    seed = 0
    replies = None
    answers = 0
    tokens = 0

    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/served":
            self.reply({"answers": Stub.answers, "tokens": Stub.tokens})
        else:
            self.reply({"object": "list", "data": [{"id": "stub", "object": "model"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Stub.lock:
            Stub.answers += 1
            number = Stub.answers
        if Stub.replies:
            content = Stub.replies[(number - 1) % len(Stub.replies)]
        else:
            text = "\n".join(message["content"] for message in asked["messages"] if message["role"] == "user")
            program = edited(program_of(text), random.Random(f"{Stub.seed}/{number}"))
            content = f"```python\n{program}```"
        sent = sum(len(message["content"]) for message in asked["messages"]) // 4
        usage = {"prompt_tokens": sent, "completion_tokens": len(content) // 4, "total_tokens": sent + len(content) // 4}
        with Stub.lock:
            Stub.tokens += usage["total_tokens"]
        self.reply({"id": "stub", "object": "chat.completion", "created": 0, "model": "stub", "usage": usage,
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}]})

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("seed", type=int)
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--replies", nargs="+", default=[], help="files of answers that a model gave before, a JSON object a line")
    options = parser.parse_args()
    Stub.seed = options.seed
    if options.replies:
        lines = [line for name in options.replies for line in open(name).read().splitlines() if line.strip()]
        Stub.replies = [json.loads(line)["content"] for line in lines]
        if not Stub.replies:
            parser.error("the files hold no answer")
        random.Random(f"{Stub.seed}/replies").shuffle(Stub.replies)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Stub)
    print(server.server_address[1], flush=True)
    server.serve_forever()
