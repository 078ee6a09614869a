# Driver of OpenEvolve tasks: loads evaluator.py and lets it evaluate the candidate, in a child that a parent watches.
#
# In the tier `together` evaluator and candidate share that child, so what it says is only as true as the candidate is
# honest; the nonce stays in the parent's standard input until the child is dead. In the tier `split` the candidate is
# in another cage, and what is loaded here is a stand-in; the parent carries what they say to each other.
TASK = WORK + "/task"
PROGRAMS = ROOT
SHIM = WORK + "/shim"
ARTIFACT = 4096


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


def load():
    """evaluator.py as OpenEvolve loads it."""
    external = sys.modules["_frozen_importlib_external"]
    spec = external.spec_from_file_location("evaluation_module", TASK + "/evaluator.py")
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


def evaluate(plan, give):
    """In the child."""
    out = write_all

    def tell(text):
        out(give, text.encode("ascii"))

    if plan["split"]:
        module = type(sys)("_stand_in")
        module.fill = fill
        sys.modules["_stand_in"] = module
        watch_readers(PROGRAMS + plan["program"], tell)
        refuse_meters(refuse)
    paths = ":".join(plan["modules"])
    posix.putenv("PYTHONPATH", paths)
    # What `os.environ` is made from once `os` is imported.
    posix.environ[b"PYTHONPATH"] = paths.encode("utf-8", "surrogateescape")
    program = PROGRAMS + plan["program"]
    try:
        module = load()
    except BaseException as error:
        tell("l %s\n.\n" % quote(describe(error, HIDE)))
        return
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
    tell(".\n")


def main():
    plan = read_plan()
    if not plan["split"]:
        hide()
    open_paths([TASK], plan["modules"])
    sys.path.append(SHIM)
    null = posix.open("/dev/null", posix.O_RDWR)
    take, give = posix.pipe()
    hear, say = posix.pipe()
    poller = select.poll()
    exchange = Exchange(SHIM + "/line", poller) if plan["split"] else None
    pid = posix.fork()
    if pid == 0:
        try:
            posix.setsid()
            for end in (take, hear):
                posix.close(end)
            posix.dup2(null, 0)
            posix.dup2(say, 1)
            posix.dup2(say, 2)
            posix.close(say)
            evaluate(plan, give)
        finally:
            posix._exit(0)
    posix.close(give)
    posix.close(say)
    poller.register(take, select.POLLIN)
    poller.register(hear, select.POLLIN)
    if exchange:
        # No code of the candidate is here that could read it.
        nonce = read_line()
        exchange.begin()
    data, heard, count, end, stage = bytearray(), bytearray(), 0, None, 0
    limit = NEXT() + plan["timeout"]
    while end is None:
        left = limit - NEXT()
        if left <= 0:
            end = ("time", stage)
            break
        for fd, event in poller.poll(left * 1000 + 1):
            if exchange and exchange.serve(fd, event):
                continue
            if fd not in (take, hear):
                continue
            part = posix.read(fd, 1 << 16)
            if fd == hear:
                count += len(part)
                heard = (heard + part)[-3000:]
                if not part:
                    poller.unregister(hear)
                elif count > plan["output"]:
                    end = ("size", 0)
                continue
            data += part
            # Each stage has the whole time.
            starts = data.count(b"\ns ") + data.startswith(b"s ")
            if starts != stage:
                stage, limit = starts, NEXT() + plan["timeout"]
            if data.endswith(b"\n.\n"):
                end = ("done", 0)
            elif len(data) > 1 << 20:
                end = ("size", 0)
            elif not part:
                end = ("gone", 0)
    status = kill_tree(pid)
    for fd, _ in poller.poll(0):
        if fd == hear:
            heard = (heard + posix.read(hear, 1 << 16))[-3000:]
    if end[0] == "gone":
        end = status
    said, unfit = bytes(data).decode("ascii", "replace"), None
    if exchange:
        exchange.drain()
        unfit = exchange.unfit
        reads = [int(line[2:]) for line in said.split("\n") if line.startswith("t ")]
        if unfit is None and reads and reads[-1] > exchange.texts:
            unfit = "the evaluator reads the candidate's text, which is not in its cage; `--isolation together` shows it"
    else:
        nonce = read_line()
    frame = ('\n%s {"task":0,"end":"%s","code":%d,"said":%s,"error":%s%s}\n' % (
        nonce, end[0], end[1], quote(said), quote(bytes(heard).decode("utf-8", "replace")),
        "" if unfit is None else ',"unfit":' + quote(unfit))).encode("ascii")
    if exchange:
        exchange.to_host(b"r", 0, frame)
    else:
        write_all(1, frame)
    posix._exit(0)


# Not where a subject starts processes anew, which run this file under another name.
if __name__ == "__main__":
    main()
