#!/usr/bin/env python3
"""A chat model that answers at once, as cheaply as one Python process can.

Speaks POST /v1/chat/completions (and GET /v1/models) over keep-alive HTTP/1.1;
GET /served tells how many answers it gave.
Each answer is the whole task program with another slope and shift, which are a
function of the request's number alone, so that candidates differ and a run can
be repeated. It reads no request beyond its length.

    python3 bench/openevolve/stub.py [PORT]            prints the port, then serves
    python3 bench/openevolve/stub.py --measure         its own rate over one connection
"""
import asyncio
import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PROGRAM = (Path(__file__).resolve().parent / "task" / "initial_program.py").read_text()
# A prime, so that steps of any size visit all its residues.
MODULUS = 1_000_003
LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d+)")
CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:[ \t]*chunked")
EXPECT = re.compile(rb"(?i)\r\nexpect:[ \t]*100-continue")


def template():
    """The answer's body in three pieces, between which slope and shift go; both have a fixed width."""
    text = PROGRAM.replace("SLOPE = 0.0", "SLOPE = @", 1).replace("SHIFT = 0.0", "SHIFT = @", 1)
    if text.count("@") != 2:
        raise SystemExit("stub: the task program has no slope and shift to vary")
    body = json.dumps({
        "id": "stub", "object": "chat.completion", "created": 0, "model": "stub",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": f"```python\n{text}```"}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 100, "total_tokens": 200},
    })
    return [piece.encode() for piece in body.split("@")]


FIRST, SECOND, THIRD = template()
WIDTH = len("00.000000")
HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % (len(FIRST) + len(SECOND) + len(THIRD) + 2 * WIDTH))
FIRST = HEAD + FIRST
MODELS_BODY = b'{"object":"list","data":[{"id":"stub","object":"model"}]}'
MODELS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(MODELS_BODY), MODELS_BODY)
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def answer(number):
    """The response to the request of this number."""
    # The last six digits of the shift are the number itself: a million answers, all different.
    slope = number * 7919 % MODULUS
    shift = number * 104729 % MODULUS
    return (FIRST + b"%02d.%06d" % (slope % 15, slope % 1_000_000) + SECOND
            + b"%02d.%06d" % (shift % 10, number % 1_000_000) + THIRD)


class Stub(asyncio.Protocol):
    """One connection."""

    served = 0

    def connection_made(self, transport):
        self.transport = transport
        self.held = b""
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.held = self.held + data if self.held else data
        while True:
            end = self.held.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.held[:end]
            length = LENGTH.search(head)
            if length:
                total = end + 4 + int(length[1])
            elif CHUNKED.search(head):
                last = self.held.find(b"0\r\n\r\n", end + 4)
                total = last + 5 if last >= 0 else len(self.held) + 1
            else:
                total = end + 4
            if len(self.held) < total:
                if len(self.held) == end + 4 and EXPECT.search(head):
                    self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            self.held = self.held[total:]
            if head.startswith(b"POST"):
                Stub.served += 1
                self.transport.write(answer(Stub.served))
            elif head.startswith(b"GET /served "):
                body = b"%d" % Stub.served
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            else:
                self.transport.write(MODELS if b"/models" in head[:64] else MISSING)


async def serve(port):
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def start():
    """A stub in a process of its own: the process and its base address."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    port = process.stdout.readline().strip()
    if not port:
        raise SystemExit("stub: it did not start")
    return process, f"http://127.0.0.1:{port}/v1"


def served(base):
    """How many answers it gave so far."""
    with urllib.request.urlopen(base.removesuffix("/v1") + "/served", timeout=10) as reply:
        return int(reply.read())


def measure(base, requests=5000):
    """Requests a second that one keep-alive connection gets out of the stub."""
    port = int(base.split(":")[2].split("/")[0])
    body = b'{"model":"stub","messages":[{"role":"user","content":"%s"}]}' % (b"x" * 4000)
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: stub\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    size = len(answer(1))
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        for _ in range(requests):
            line.sendall(request)
            left = size
            while left:
                left -= len(line.recv(left))
        return requests / (time.perf_counter() - began)


if __name__ == "__main__":
    if "--measure" in sys.argv:
        process, base = start()
        try:
            print(f"stub: {measure(base):,.0f} answers/s over one connection")
        finally:
            process.terminate()
            process.wait()
    else:
        try:
            asyncio.run(serve(int(sys.argv[1]) if sys.argv[1:] else 0))
        except KeyboardInterrupt:
            pass
