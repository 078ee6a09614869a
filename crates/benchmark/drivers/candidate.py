# Work driver of the tier `split`: loads the candidate and calls it as the evaluator's cage asks, one message at a time.
#
# It shares its process with the candidate, so nothing it says is believed: the host lets plain data through, in turn,
# and whatever the candidate could forge here it could as well have returned. No code of the evaluator is in this cage.
PROCESS = []
MODULES = {}
SMALL = 1 << 16
LINE = []


class Callback:
    """A function of the evaluator's. Calling it asks there."""

    def __init__(self, number):
        self.number = number

    def __call__(self, *args, **kwargs):
        if [posix.getpid()] != PROCESS:
            raise RuntimeError("a function of the evaluator's can be called only by the process that was given it")
        with LINE[2]:
            say(b"k", "[%d,%s,%s]" % (self.number, written(list(args), number_of), written(kwargs, number_of)))
            reply = read(hear()[1:].decode("utf-8"))
        if reply[0] == "value":
            return reply[1]
        raise exception(reply[1], reply[2])


def number_of(value):
    """What may be passed on of what can be called: the evaluator's own."""
    if type(value) is Callback:
        return value.number
    raise Unfit("a %s" % kind_of(value))


def exception(names, text):
    """The exception of this name, or the nearest that there is."""
    import builtins
    for name in names:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception) and not name.startswith("Unicode"):
            return kind(text) if name == names[0] or kind is not Exception else kind("%s: %s" % (names[0], text))
    return RuntimeError("%s: %s" % (names[0], text))


read = reader(Callback)


def say(kind, text):
    write_all(LINE[1], packed(kind + text.encode("utf-8")))


def hear():
    """The next message. Without one, the evaluation is over."""
    words = message(LINE[0])
    if words is None:
        posix._exit(0)
    return words


class Output:
    """Catches what is printed, where the evaluator does."""

    def __init__(self, wanted):
        self.caught = None
        if wanted:
            import io
            self.caught = io.StringIO()

    def __enter__(self):
        self.before = sys.stdout
        if self.caught is not None:
            sys.stdout = self.caught
        return self

    def __exit__(self, *_):
        sys.stdout = self.before

    def text(self):
        """What an answer has at its end for it."""
        if self.caught is None:
            return ""
        return "," + written(self.caught.getvalue()[:LARGEST // 8].encode("utf-8", "replace").decode("utf-8"))


def load(serial, program, name="program"):
    """The candidate as a new module."""
    with open(program, "rb") as file:
        source = file.read()
    module = type(sys)(name)
    module.__file__ = program
    sys.modules[name] = module
    exec(compile(source, program, "exec", dont_inherit=True), module.__dict__)
    MODULES[serial] = module
    return module


def parameters(function):
    """The parameters of a function as [kind, name, has a default]; None where they cannot be told."""
    code = getattr(function, "__code__", None)
    if type(function) is not type(load) or hasattr(function, "__wrapped__"):
        return None
    names, count = code.co_varnames, code.co_argcount
    first = getattr(code, "co_posonlyargcount", 0)
    without = count - len(function.__defaults__ or ())
    rows = [["p" if at < first else "a", name, at >= without] for at, name in enumerate(names[:count])]
    at = count + code.co_kwonlyargcount
    if code.co_flags & 4:
        rows.append(["*", names[at], False])
        at += 1
    rows += [["k", name, name in (function.__kwdefaults__ or ())] for name in names[count:count + code.co_kwonlyargcount]]
    if code.co_flags & 8:
        rows.append(["**", names[at], False])
    return rows


def surface(module, output):
    """What a module offers: functions, values that are plain data, and the names of the rest."""
    rows = []
    for name, value in list(module.__dict__.items())[:2000]:
        if type(name) is not str or name.startswith("__") or not name.isidentifier() or not name.isascii():
            continue
        if type(value) is type(sys):
            continue
        if callable(value) and not isinstance(value, type):
            shape, doc = parameters(value), getattr(value, "__doc__", None)
            doc = doc[:2000] if type(doc) is str and doc.isascii() else None
            rows.append("[%s,\"f\",%s,%s]" % (quote(name), written(doc), written(shape)))
            continue
        try:
            writer = Writer(None, SMALL)
            writer.value(value)
            rows.append('[%s,"v",%s]' % (quote(name), writer.text()))
        except Exception as error:
            words = str(error) if type(error) is Unfit else "a %s" % kind_of(value)
            rows.append('[%s,"x",%s]' % (quote(name), quote(words[:200].encode("utf-8", "replace").decode("utf-8"))))
    return '["module",[%s]%s]' % (",".join(rows), output)


def places(error):
    """Where an exception came up in the candidate, outermost first."""
    found, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(ROOT):
            found.append("%s:%d in %s" % (code.co_filename[len(ROOT):], trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        found.append("%s:%s" % (str(error.filename).rpartition("/")[2], error.lineno))
    return [place.encode("utf-8", "replace").decode("utf-8")[:200] for place in found[-4:]]


def changeable(value):
    """Whether it is a container that a function may fill."""
    return isinstance(value, (list, dict, set, bytearray)) or hasattr(value, "__setitem__")


def call(program, serial, name, caught, args_text, kwargs_text):
    """A call of a function, as an answer."""
    module = MODULES.get(serial) or load(serial, program)
    args, kwargs = read(args_text), read(kwargs_text)
    output = Output(caught)
    with output:
        value = getattr(module, name)(*args, **kwargs)
    if value is None and '{"n":' not in args_text and any(map(changeable, list(args) + list(kwargs.values()))):
        # What is changed in place does not cross, so a function that only does that would seem to do nothing.
        try:
            same = written(list(args), number_of) == args_text and written(kwargs, number_of) == kwargs_text
        except Exception:
            same = False
        if not same:
            return '["unfit",%s]' % quote("%s() changed its argument in place and returned nothing" % name)
    try:
        return '["value",%s%s]' % (written(value, number_of), output.text())
    except Unfit as error:
        return '["unfit",%s]' % quote("%s() returned %s" % (name, error))


def start(program, argv, given):
    """Runs the candidate as a program of its own, to its end."""
    files = []
    for name in ("stdin", "stdout", "stderr"):
        path = "/tmp/.%s" % name
        files.append(posix.open(path, posix.O_RDWR | posix.O_CREAT | posix.O_TRUNC, 0o600))
        posix.unlink(path)
    write_all(files[0], given)
    posix.lseek(files[0], 0, 0)
    there = posix.listdir(".")
    pid = posix.fork()
    if pid == 0:
        code = 1
        try:
            for stream, file in enumerate(files):
                posix.dup2(file, stream)
            for end in LINE[:2] + files:
                posix.close(end)
            code = as_main(program, argv)
        finally:
            posix._exit(code)
    status = posix.waitpid(pid, 0)[1]
    kind, code = end_of(status)
    said = []
    for file in files[1:]:
        if posix.fstat(file).st_size > LARGEST // 4:
            return '["unfit","program prints more than %d bytes"]' % (LARGEST // 4)
        posix.lseek(file, 0, 0)
        said.append(written(stretch_of(file, LARGEST // 4)))
    for file in files:
        posix.close(file)
    new = [name for name in posix.listdir(".") if name not in there]
    if new:
        return '["unfit",%s]' % quote("program writes a file (%s) into its own cage" % ascii(new[0])[:100])
    return '["ended",%d,%s,%s]' % (code if kind == "exit" else -code, said[0], said[1])


def stretch_of(fd, most):
    """What a file holds, so much at most."""
    parts = []
    while most > 0:
        part = posix.read(fd, min(most, 1 << 20))
        if not part:
            break
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def as_main(program, argv):
    """In a child: the candidate as `__main__`. Returns the exit code."""
    sys.argv[:] = [program] + argv
    module = type(sys)("__main__")
    module.__file__ = program
    sys.modules["__main__"] = module
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    code = 0
    try:
        with open(program, "rb") as file:
            source = file.read()
        exec(compile(source, program, "exec", dont_inherit=True), module.__dict__)
    except SystemExit as stop:
        if isinstance(stop.code, int):
            code = stop.code & 255
        elif stop.code is not None:
            sys.stderr.write("%s\n" % (stop.code,))
            code = 1
    except BaseException as error:
        sys.stderr.write(describe(error, HIDE) + "\n")
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    return code


def answer(program, words):
    """What is to be said to a message."""
    head, _, rest = words.decode("utf-8").partition("\n")
    what, *more = read(head)
    try:
        if what == "load":
            serial, as_main_program, caught = more
            output = Output(caught)
            with output:
                module = load(serial, program, "__main__" if as_main_program else "program")
            return surface(module, output.text())
        if what == "call":
            return call(program, *more, *rest.split("\n"))
        return start(program, more[0], more[1])
    except BaseException as error:
        return failure(error, places(error))


def rehearse(lend):
    program = lend("LIMIT = 2\n\n\ndef value(x, y=1):\n    return [x * LIMIT + y, {'a': 1.5}]\n")
    open_paths([ROOT[:-1]], ["/a"])
    for words in ('["load","1",false,false]', '["call","1","value",false]\n%s\n%s' % (written([1.5]), written({}))):
        answer(program, words.encode("utf-8"))
    MODULES.clear()


def main():
    import _thread
    PROCESS[:] = [posix.getpid()]
    plan = read_plan()
    open_paths([ROOT[:-1]], plan["modules"])
    plant(plan["seed"])
    LINE[:] = [posix.dup(0), posix.dup(1), _thread.allocate_lock()]
    null = posix.open("/dev/null", posix.O_RDWR)
    for stream in (0, 1, 2):
        posix.dup2(null, stream)
    while True:
        text = answer(ROOT + plan["program"], hear()[1:])
        if len(text) > LARGEST + 4096:
            text = '["unfit","more than %d bytes"]' % LARGEST
        say(b"r", text)


# Not where a candidate starts processes anew, which run this file under another name.
if __name__ == "__main__":
    main()
