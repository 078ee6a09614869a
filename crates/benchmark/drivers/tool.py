# Calls a tool of a program of prompts with its arguments by name: a function of a Python file, or a program that reads
# them as JSON from its standard input.
import importlib.util
import json
import os
import subprocess


def call(file, name, arguments):
    arguments = json.loads(arguments)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), file)
    if not file.endswith(".py"):
        argv = ["/bin/sh", path] if file.endswith(".sh") else [path]
        done = subprocess.run(argv, input=json.dumps(arguments), capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            raise RuntimeError("exit code %d: %s" % (done.returncode, (done.stderr or done.stdout).strip()[-500:]))
        return done.stdout.strip()
    spec = importlib.util.spec_from_file_location("tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    value = getattr(module, name)(**arguments)
    try:
        json.dumps(value, allow_nan=False)
        return value
    except (TypeError, ValueError):
        return str(value)
