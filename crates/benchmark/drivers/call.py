# Work driver for `call` tasks. Reads a plan, forks one child a task, prints what the children claim.
#
# It holds no answer key: what a child says is a claim about outputs, and forging one gains nothing that returning it
# would not. Each task is read from standard input just before its child is forked, train tasks first: no child holds
# the inputs of a later task, so none of a deciding task's can be passed on as the answer of a train task, which
# proposers are told. The nonce is read only after the last child is dead.
import gc

# Tasks of one function that may run out of time before the rest of its tasks are not run at all.
PATIENCE = 2
# What subjects import most. Imported once, before any fork, where the genome has no module of that name.
LIBRARY = frozenset((
    "abc", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions",
    "functools", "heapq", "itertools", "json", "math", "operator", "os", "random", "re", "statistics", "string",
    "typing",
))
KINDS = (list, tuple)
DEPTH = 90
DRAIN = 100000
EVENTS = 400000
SPENT = [0, 1 << 18]


class Unfit(Exception):
    """A result that JSON cannot hold."""


def spend(size):
    """Counts a text or a number before it is written, so that a huge result costs no time."""
    SPENT[0] += size
    if SPENT[0] > SPENT[1]:
        raise Unfit("returned a value of more than %d bytes" % SPENT[1])


def encode(value, depth, out):
    """Appends a value as JSON text. Tuples become lists, iterators are drained, other objects are unfit."""
    kind = type(value)
    if value is None:
        out.append("null")
    elif kind is bool:
        out.append("true" if value else "false")
    elif isinstance(value, int):
        spend(int.bit_length(value) // 3)
        out.append(int.__repr__(value))
    elif isinstance(value, str):
        spend(str.__len__(value))
        out.append(whole(value))
    elif isinstance(value, float):
        text = float.__repr__(value)
        if text in ("nan", "inf", "-inf"):
            raise Unfit("returned " + text)
        out.append(text)
    elif depth > DEPTH:
        raise Unfit("returned a value nested more than %d deep" % DEPTH)
    elif isinstance(value, dict):
        mark = "{"
        seen = set()
        for key, item in dict.items(value):
            name = key_text(key)
            if name in seen:
                raise Unfit("returned a dict with two keys %r" % name)
            seen.add(name)
            spend(len(name) + 4)
            out.append(mark + whole(name) + ":")
            encode(item, depth + 1, out)
            mark = ","
        out.append("}" if seen else "{}")
    elif isinstance(value, KINDS) or hasattr(kind, "__next__") or kind in (range, VIEWS[0], VIEWS[1], VIEWS[2]):
        mark = "["
        count = 0
        for item in value:
            count += 1
            spend(1)
            if count > DRAIN:
                raise Unfit("returned more than %d items" % DRAIN)
            out.append(mark)
            encode(item, depth + 1, out)
            mark = ","
        out.append("]" if count else "[]")
    elif kind.__module__ == "numpy" and hasattr(value, "tolist"):
        encode(value.tolist(), depth + 1, out)
    else:
        raise Unfit("returned a " + kind.__name__)


def whole(text):
    """A text in quotes. Half of a surrogate pair is no character, and must not become equal to another one."""
    text = str.__str__(text)
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Unfit("returned a text with half of a surrogate pair") from None
    return quote(text)


VIEWS = (type({}.keys()), type({}.values()), type({}.items()))


def key_text(key):
    """A dict key as JSON has it: whole numbers, truth values and None as text, as json.dumps does."""
    if isinstance(key, str):
        return str.__str__(key)
    if key is None:
        return "null"
    if type(key) is bool:
        return "true" if key else "false"
    if isinstance(key, int):
        return int.__repr__(key)
    raise Unfit("returned a dict with a key that is a " + type(key).__name__)


def parse(text):
    """A fresh copy of an input. JSON is a Python expression, given three names; large ones are faster to load."""
    if len(text) < 4096:
        try:
            return eval(text, dict(WORDS))
        except (SyntaxError, MemoryError, RecursionError):
            pass  # Nested deeper than this Python's parser goes.
    import json
    return json.loads(text)


def compiled(path):
    """The module's code, compiled once for all children; compiling runs none of it. None leaves it to the import."""
    try:
        if not is_file(path) or posix.stat(path).st_size > 1 << 18:
            return None
        with open(path, "rb") as file:
            return compile(file.read(), path, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def prepare(codes):
    """Imports what the modules import of the standard library, so that not every child does."""
    names = set()
    for code in codes.values():
        if code is not None:
            names.update(code.co_names)
    folders = {ROOT} | {ROOT + file.rpartition("/")[0] + "/" for file in codes}
    for name in LIBRARY & names:
        if not any(exists(folder + name + end) for folder in folders for end in ("", ".py", ".pyc")):
            try:
                __import__(name)
            except ImportError:
                pass


def load(file, codes):
    """Imports the task's module, so that relative imports and pickling work as in a normal run."""
    path = ROOT + file
    if not is_file(path):
        raise FileNotFoundError("there is no file '%s' in the genome" % file)
    stem = file[:-3] if file.endswith(".py") else file
    name = stem.replace("/", ".")
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        name, parts = "genome_module", ["genome_module"]
    elif len(parts) > 1:
        __import__(name)
        return sys.modules[name]
    external = sys.modules["_frozen_importlib_external"]
    spec = external.spec_from_file_location(name, path)
    module = sys.modules["_frozen_importlib"].module_from_spec(spec)
    sys.modules[name] = module
    code = codes.get(file)
    if code is None:
        spec.loader.exec_module(module)
    else:
        exec(code, module.__dict__)
    return module


class Lines:
    """Which lines ran: one byte a line, in memory shared with the parent, so that no death of the child loses it."""

    def __init__(self, files):
        import mmap
        self.files = files
        self.base = {}
        size = 1
        for file, count in files:
            self.base[ROOT + file] = (size, count)
            size += count + 1
        self.size = size
        self.shared = mmap.mmap(-1, size)

    def clear(self):
        self.shared[:] = bytes(self.size)

    def found(self):
        """As JSON: [[file's position, [line, …]], …]"""
        rows = []
        for position, (file, count) in enumerate(self.files):
            start = self.base[ROOT + file][0]
            part = self.shared[start:start + count + 1]
            if any(part):
                rows.append("[%d,[%s]]" % (position, ",".join(str(i) for i, b in enumerate(part) if b)))
        return "[" + ",".join(rows) + "]"

    def start(self):
        if hasattr(sys, "monitoring"):
            self.monitor()
        else:
            self.trace()

    def monitor(self):
        base, shared, watch = self.base, self.shared, sys.monitoring

        def line(code, number):
            place = base.get(code.co_filename)
            if place and 0 < number <= place[1]:
                shared[place[0] + number] = 1
            return watch.DISABLE

        watch.use_tool_id(watch.COVERAGE_ID, "meliora")
        watch.register_callback(watch.COVERAGE_ID, watch.events.LINE, line)
        watch.set_events(watch.COVERAGE_ID, watch.events.LINE)

    def trace(self):
        """For Python before 3.12. It stops after so many events, so that a task's time is hardly its tracing's."""
        shared, tracers, left = self.shared, {}, [EVENTS]
        for path, (start, count) in self.base.items():
            tracers[path] = self.tracer(start, count, shared, left)

        def enter(frame, event, arg):
            left[0] -= 1
            if left[0] < 0:
                sys.settrace(None)
                return None
            return tracers.get(frame.f_code.co_filename)

        sys.settrace(enter)

    @staticmethod
    def tracer(start, count, shared, left):
        def step(frame, event, arg):
            number = frame.f_lineno
            if event == "line" and 0 < number <= count:
                shared[start + number] = 1
            left[0] -= 1
            if left[0] < 0:
                sys.settrace(None)
                return None
            return step

        return step


def perform(task, codes, lines, plan):
    """In the child: runs every input of the task and says on descriptor 3 what came of each."""
    write, close = write_all, posix._exit
    inputs, SPENT[1] = task["inputs"], plan["room"]
    seed, mark = task["seed"], closing(task)
    plan.clear()
    try:
        plant(seed)
        folder = (ROOT + task["file"]).rpartition("/")[0]
        if folder + "/" != ROOT and not exists(folder + "/__init__.py"):
            sys.path.insert(1, folder)
        if lines is not None:
            lines.start()
        try:
            function = load(task["file"], codes)
            for name in task["function"].split("."):
                function = getattr(function, name, None)
            if function is None:
                raise LookupError("'%s' has no function '%s'" % (task["file"], task["function"]))
        except BaseException as error:
            sys.settrace(None)
            write(3, ("l " + quote(describe(error, HIDE)) + "\n").encode("ascii") + mark)
            close(0)
        for text in inputs:
            arguments = parse(text)
            try:
                value = function(*arguments)
                out, SPENT[0] = [], 0
                encode(value, 0, out)
                said = "v " + "".join(out)
            except Unfit as error:
                said = "o " + quote(str(error))
            except BaseException as error:
                said = "e " + quote(describe(error, HIDE))
            write(3, (said + "\n").encode("ascii"))
        sys.settrace(None)
        write(3, mark)
    finally:
        close(0)


def closing(task):
    """What a child says when it has come to its end, and nobody else can know: the task's canary is of the nonce."""
    return b". %d\n" % task["canary"]


def bound(memory):
    """Leaves the driver a part of the cage's memory: a task that takes too much fails alone, with a MemoryError."""
    try:
        import resource
        most = memory - memory // 8
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    except (ImportError, AttributeError, ValueError, OSError):
        pass  # The cage's own limit holds, for all tasks together.


def supervise(task, codes, lines, plan, until, null):
    """Forks the child of one task and watches it. Returns how it ended and what it said."""
    take, give = posix.pipe()
    try:
        pid = posix.fork()
    except OSError:
        # Processes that an earlier task left behind, out of its group, take all that there may be.
        posix.close(take)
        posix.close(give)
        return ("processes", 0), ""
    if pid == 0:
        try:
            posix.setsid()
            # Three copies of /dev/null, the pipe as 3, and nothing else.
            for fd in (0, 1, 2):
                posix.dup2(null, fd)
            if give != 3:
                posix.dup2(give, 3)
            posix.closerange(4, 65536)
            bound(plan["memory"])
            gc.enable()
            perform(task, codes, lines, plan)
        finally:
            posix._exit(1)
    posix.close(give)
    limit = min(NEXT() + plan["seconds"], until)
    data, end, mark = bytearray(), None, b"\n" + closing(task)
    # A text of `room` characters has up to six times as many bytes when it is escaped.
    room = plan["room"] * 8
    poller = select.poll()
    poller.register(take, select.POLLIN)
    while end is None:
        left = limit - NEXT()
        if left <= 0:
            end = ("time" if limit < until else "budget", 0)
        elif poller.poll(left * 1000 + 1):
            part = posix.read(take, 1 << 16)
            data += part
            if data.endswith(mark):
                end = ("done", 0)
            elif not part:
                break
            elif len(data) > room:
                end = ("size", 0)
    status = kill_tree(pid)
    posix.close(take)
    return end or status, bytes(data[:room]).decode("ascii", "replace")


def frame(end, said):
    return '"end":"%s","code":%d,"said":%s' % (end[0], end[1], quote(said))


def main():
    hide()
    plan = read_plan()
    open_paths([], plan["modules"])
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    null = posix.open("/dev/null", posix.O_RDWR)
    until = NEXT() + plan["budget"]
    codes = {file: compiled(ROOT + file) for file in plan["codes"]}
    prepare(codes)
    try:
        import resource  # For `bound`, once.
    except ImportError:
        pass
    sys.path.insert(0, ROOT[:-1])
    lines = Lines(plan["files"]) if plan["files"] else None
    gc.disable()
    if hasattr(gc, "freeze"):
        gc.freeze()
    frames, left, late = [], plan["output"], {}
    for number in range(plan["count"]):
        task = read_plan()
        traced = lines if task["lines"] else None
        called = task["file"], task["function"]
        if NEXT() >= until:
            text = frame(("budget", 0), "")
        elif late.get(called, 0) >= PATIENCE:
            text = frame(("skipped", 0), "")
        else:
            if traced is not None:
                traced.clear()
            end, said = supervise(task, codes, traced, plan, until, null)
            if end[0] == "time":
                late[called] = late.get(called, 0) + 1
            text = frame(end, said)
            if traced is not None:
                text += ',"lines":' + traced.found()
        if len(text) > left:
            text = frame(("size", 0), "")
        left -= len(text)
        frames.append('{"task":%d,%s}' % (number, text))
    nonce = read_line()
    write_all(1, "".join("\n%s %s\n" % (nonce, f) for f in frames).encode("ascii"))
    # Nothing is left to be done; taking the interpreter down in order would cost a millisecond.
    posix._exit(0)


# Not where a subject starts processes anew, which run this file under another name.
if __name__ == "__main__":
    main()
