# Driver of OpenEvolve tasks: loads evaluator.py and lets it evaluate the candidate, in this process.
#
# In the tier `together` evaluator and candidate share it, so what it says is only as true as the candidate is honest. In
# the tier `split` the candidate is in another cage, and what is loaded here is a stand-in (`examiner.py`).
import _signal
import fcntl

TASK = WORK + "/task"
PROGRAMS = ROOT
SHIM = WORK + "/shim"
ARTIFACT = 4096
# When the stage under way has to be over.
STAGE = []


def number(value):
    """A metric as [kind, text]: n(umber), b(ool) or t(ext)."""
    if isinstance(value, bool):
        return "b", "1" if value else "0"
    if isinstance(value, (int, float)):
        try:
            return "n", float.__repr__(float(value))
        except OverflowError:
            pass
    return "t", type(value).__name__


def text_of(value):
    """An artifact as text, shortened."""
    if isinstance(value, bytes):
        return value[:ARTIFACT].decode("utf-8", "replace")
    try:
        return str(value)[:ARTIFACT]
    except BaseException as error:
        return "(cannot be shown: %s)" % type(error).__name__


def opened(result):
    """Metrics and artifacts of a plain dict or of anything shaped like an EvaluationResult; None for anything else."""
    if isinstance(result, dict):
        return dict(result), {}
    metrics = getattr(result, "metrics", None)
    artifacts = getattr(result, "artifacts", None)
    if isinstance(metrics, dict):
        return dict(metrics), dict(artifacts) if isinstance(artifacts, dict) else {}
    return None


def shown(metrics, artifacts):
    """A result as the host reads it."""
    rows = []
    for name, value in list(metrics.items())[:200]:
        kind, text = number(value)
        rows.append("[%s,%s,%s]" % (quote(str(name)[:200]), quote(kind), quote(text)))
    combined = "null"
    if "combined_score" in metrics:
        try:
            combined = quote(float.__repr__(float(metrics["combined_score"])))
        except (ValueError, TypeError, OverflowError):
            pass
    extra = ["[%s,%s]" % (quote(str(k)[:200]), quote(text_of(v))) for k, v in list(artifacts.items())[:20]]
    return 'r {"metrics":[%s],"combined":%s,"artifacts":[%s]}\n' % (",".join(rows), combined, ",".join(extra))


def passes(metrics, threshold):
    """OpenEvolve's rule: combined_score where it is a number, else the mean of the numbers that are not 'error'."""
    score = metrics.get("combined_score")
    if isinstance(score, (int, float)):
        return float(score) >= threshold
    values = [float(v) for k, v in metrics.items() if k != "error" and isinstance(v, (int, float))]
    return bool(values) and sum(values) / len(values) >= threshold


def numeric(metrics):
    """What is left of a stage's metrics when stages are merged: numbers, truth values among them, without 'error'."""
    return {k: float(v) for k, v in metrics.items() if isinstance(v, (int, float)) and k != "error"}


def load(path, loader=None):
    """evaluator.py as OpenEvolve loads it."""
    external = sys.modules["_frozen_importlib_external"]
    spec = external.spec_from_file_location("evaluation_module", path, loader=loader)
    module = sys.modules["_frozen_importlib"].module_from_spec(spec)
    sys.modules["evaluation_module"] = module
    spec.loader.exec_module(module)
    if not hasattr(module, "evaluate"):
        raise AttributeError("evaluator.py has no function 'evaluate'")
    return module


def stage_by_stage(module, program, thresholds, tell):
    """The cascade. A failure of the first stage is the end; a later one keeps what the stages before it gave."""
    metrics, artifacts = {}, {}
    for number_of in (1, 2, 3):
        function = getattr(module, "evaluate_stage%d" % number_of, None)
        if function is None:
            return
        if number_of > 1 and (len(thresholds) < number_of - 1 or not passes(metrics, thresholds[number_of - 2])):
            return
        tell("s %d\n" % number_of)
        try:
            result = function(program)
        except BaseException as error:
            if number_of == 1:
                tell("e %s\n" % quote(described(error)))
                return
            metrics["stage%d_passed" % number_of] = 0.0
            tell(shown(metrics, artifacts))
            tell("n %s\n" % quote("evaluate_stage%d raised %s" % (number_of, described(error))))
            return
        pair = opened(result)
        if pair is None:
            tell("g %s\n" % quote("evaluate_stage%d returned a %s, not a dict" % (number_of, type(result).__name__)))
            return
        if number_of == 1:
            metrics, artifacts = pair
        else:
            metrics = dict(numeric(metrics), **numeric(pair[0]))
            artifacts.update(pair[1])
        tell(shown(metrics, artifacts))


def directly(module, program, tries, tell):
    """One call of evaluate; where the task's configuration says so, again when it raises."""
    for left in range(tries, -1, -1):
        tell("s 0\n")
        try:
            result = module.evaluate(program)
        except BaseException as error:
            if left == 0:
                tell("e %s\n" % quote(described(error)))
            continue
        pair = opened(result)
        if pair is None:
            tell("g %s\n" % quote("evaluate returned a %s, not a dict" % type(result).__name__))
        else:
            tell(shown(*pair))
        return


OPENS = {"importing": 0, "reading": 0}
# These open a program to copy it, to run it, or to show a line of it: not to look at its text.
NO_READERS = ("shutil", "runpy", "zipimport", "linecache", "tokenize", "inspect", "traceback")


def asks_for_source(frame):
    """Whether lines of a program are wanted for their own sake, not in the report of an error."""
    names = set()
    while frame is not None and len(names) < 12:
        names.add(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return "inspect" in names and "traceback" not in names


def watch_readers(program, tell):
    """Counts who opens the program in this process: a stand-in can be called, but its text is not the candidate's. Each
    change is told at once, for the evaluator may not live to its end."""
    def report():
        tell("t %d\n" % (OPENS["reading"] - COUNTS["from text"] - max(0, COUNTS["in place"] - OPENS["importing"])))

    EXECUTED.append(report)
    fspath, both = posix.fspath, (program, program.encode("utf-8", "surrogateescape"))

    def look(event, arguments):
        if event != "open":
            return
        try:
            path = fspath(arguments[0])
        except TypeError:
            return
        if path in both:
            name = sys._getframe(1).f_globals.get("__name__")
            if name in ("_frozen_importlib_external", "importlib._bootstrap_external"):
                OPENS["importing"] += 1
            elif name not in NO_READERS or asks_for_source(sys._getframe(1)):
                OPENS["reading"] += 1
                report()

    sys.addaudithook(look)


def refuse_meters(refuse):
    """What measures the processor time or the memory of this process measures nothing of the candidate."""
    import _tracemalloc
    import resource

    def meter(name):
        def refused(*_, **__):
            refuse("the evaluator measures %s(), which tells nothing of the candidate in another cage" % name)
        return refused

    for module, names in ((time, ("process_time", "process_time_ns", "thread_time", "thread_time_ns")),
                          (resource, ("getrusage",)), (_tracemalloc, ("start", "get_traced_memory"))):
        for name in names:
            setattr(module, name, meter("%s.%s" % (module.__name__.strip("_"), name)))


def described(error):
    """An exception of the evaluation; of one that is the candidate's, also where it came up there."""
    places = getattr(error, "candidate_places", ())
    return describe(error, HIDE) + "".join("\n  in the candidate at %s" % place for place in places)


def begin_stage(plan):
    """Each stage has the whole time: the kernel ends this process when it is over."""
    _signal.setitimer(_signal.ITIMER_REAL, plan["timeout"])
    STAGE[:] = [NEXT() + plan["timeout"]]


def over(plan):
    """A stage is over. Where the evaluator had an alarm of its own, nobody has ended it in time."""
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    if STAGE and NEXT() > STAGE.pop():
        _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)
        posix.kill(posix.getpid(), _signal.SIGALRM)


def timing(plan, say):
    """Says what is to be said, with the clock of the stages."""
    def tell(text):
        if text[:2] == "s ":
            say(text)
            begin_stage(plan)
        else:
            over(plan)
            say(text)
    return tell


def loaded(plan, tell):
    """The evaluator as a module, or None and that is told."""
    plant(plan["seed"])
    paths = ":".join(plan["modules"])
    posix.putenv("PYTHONPATH", paths)
    # What `os.environ` is made from once `os` is imported.
    posix.environ[b"PYTHONPATH"] = paths.encode("utf-8", "surrogateescape")
    begin_stage(plan)
    try:
        return load(TASK + "/evaluator.py")
    except BaseException as error:
        tell("l %s\n" % quote(describe(error, HIDE)))
        return None


def evaluate(plan, module, tell):
    program = PROGRAMS + plan["program"]
    try:
        if plan["cascade"] and hasattr(module, "evaluate_stage1"):
            stage_by_stage(module, program, plan["thresholds"], tell)
        else:
            directly(module, program, 0 if plan["cascade"] else plan["retries"], tell)
    except BaseException as error:
        # Metrics that raise when they are looked at, or that no float can hold.
        tell("g %s\n" % quote("its result cannot be read: " + describe(error, HIDE)))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass


REHEARSAL = """
import sys
import time


class Points:
    def __init__(self, given):
        self.given = [float(x) for x in given]


def evaluate(path):
    start = time.time()
    external = sys.modules["_frozen_importlib_external"]
    spec = external.spec_from_file_location("program", path, loader=external.SourceFileLoader("program", path))
    module = sys.modules["_frozen_importlib"].module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {}
    for number, x in enumerate(Points(range(3)).given):
        try:
            found["value%d" % number] = abs(module.value(x) - x) / (1 + x)
        except (ValueError, TypeError) as error:
            return {"combined_score": 0.0, "error": str(error)}
    return {"combined_score": sum(found.values()), "runs": len(found), **found}
"""


def rehearse(lend):
    path, program = lend(REHEARSAL), lend("LIMIT = 2\n\n\ndef value(x):\n    return x * LIMIT + 1\n")
    eval('{"split":false,"program":"a.py","thresholds":[0.5,0.75],"timeout":60.0,"modules":["/a"]}', dict(WORDS))
    open_paths([ROOT], ["/a"])
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader("evaluation_module", path)
    said = []
    directly(load(path, loader), program, 0, said.append)


def main():
    """What it says goes to the host as it is said, behind the nonce: whatever becomes of this process, the host has what
    was said before. The host has the clock and the end of it."""
    plan = read_plan()
    nonce = None if plan["split"] else read_line()
    open_paths([TASK], plan["modules"])
    sys.path.append(SHIM)
    host_in, host_out = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 100), fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 100)
    null = posix.open("/dev/null", posix.O_RDWR)
    posix.dup2(null, 0)
    posix.close(null)
    # What is printed is nothing that anyone believes.
    posix.dup2(2, 1)
    if plan["split"]:
        examine(plan, host_in, host_out)

    def say(text):
        write_all(host_out, text.encode("ascii"))

    say(nonce + "\n")
    tell = timing(plan, say)
    module = loaded(plan, tell)
    if module is not None:
        evaluate(plan, module, tell)
    say(".\n")
    posix._exit(0)


# Not where a subject starts processes anew, which run this file under another name.
if __name__ == "__main__":
    main()
