#!/usr/bin/env python3
"""Stands before a model server, passes every question on, and writes down what was answered.

    python3 bench/compare/recorder.py http://127.0.0.1:8080 replies.jsonl [PORT]        prints the port, then serves

A line of the file is one answer: `{"prompt": tokens, "completion": tokens, "content": text}`, in the order in which they came. `stub.py
SEED --replies replies.jsonl` gives them to somebody else. Questions and headers are not written down.
"""
import json
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Recorder(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    server_url = ""
    file = ""

    def pass_on(self, body=None):
        request = urllib.request.Request(Recorder.server_url + self.path, body, {"Content-Type": "application/json"})
        if "Authorization" in self.headers:
            request.add_header("Authorization", self.headers["Authorization"])
        try:
            with urllib.request.urlopen(request, timeout=3600) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            return 502, json.dumps({"error": {"message": f"{Recorder.server_url} did not answer: {error}"}}).encode()

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(*self.pass_on())

    def do_POST(self):
        status, body = self.pass_on(self.rfile.read(int(self.headers["Content-Length"])))
        if status == 200:
            told = json.loads(body)
            used = told.get("usage") or {}
            line = {"prompt": used.get("prompt_tokens", 0), "completion": used.get("completion_tokens", 0),
                    "content": told["choices"][0]["message"]["content"]}
            with Recorder.lock, open(Recorder.file, "a") as out:
                out.write(json.dumps(line) + "\n")
        self.reply(status, body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Recorder.server_url, Recorder.file = sys.argv[1].rstrip("/"), sys.argv[2]
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3]) if sys.argv[3:] else 0), Recorder)
    print(server.server_address[1], flush=True)
    server.serve_forever()
