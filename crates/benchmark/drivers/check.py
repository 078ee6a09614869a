# The tests of one row of a prompt suite, as an evaluator: what is imported here is a stand-in for the answer's code.
import importlib.util
import json
import os
import types


def result(score, why, **more):
    return types.SimpleNamespace(metrics=dict(combined_score=score, **more), artifacts={"tests": why} if why else {})


def place(error, text):
    """The line of the tests that raised."""
    found, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<check>":
            found = text.splitlines()[trace.tb_lineno - 1].strip()
        trace = trace.tb_next
    return found


def evaluate(path):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "row.json"), encoding="utf-8") as file:
        row = json.load(file)
    names = {"__name__": "check"}
    try:
        exec(compile(row["before"], "<before>", "exec"), names)
        exec(compile(row["check"], "<check>", "exec"), names)
        check = names["check"]
    except BaseException as error:
        return result(0.0, "cannot be run: %s: %s" % (type(error).__name__, error), broken=1.0)
    spec = importlib.util.spec_from_file_location("answer", path)
    answer = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(answer)
        # Tests may name the function as well as be given it; what stands before the answer holds only its beginning.
        candidate = names[row["function"]] = getattr(answer, row["function"])
        check(candidate)
    except BaseException as error:
        words = "" if isinstance(error, AssertionError) else "%s: %s; " % (type(error).__name__, error)
        return result(0.0, "%sdoes not hold: %s" % (words, place(error, row["check"]) or row["function"]))
    return result(1.0, "")
