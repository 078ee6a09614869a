# In the evaluator's cage: what a stand-in for the candidate is made of. Its functions ask the host, which asks the
# candidate in its own cage; only plain data comes back.
#
# No code of the candidate is here. What it says is read into values of Python's own types, so that nothing of them can
# lie about itself, and its exceptions become those of Python that have their names.
import _socket
import _thread
import builtins

SOCKET = "/work/shim/line"
BESIDE = "/work/task"
# Of an exception with one of these names, loops and generators of the evaluator's would make something else.
NOT_OURS = frozenset(("StopIteration", "StopAsyncIteration", "GeneratorExit"))
STDOUT = sys.stdout
PROGRAM_FOLDER = "/work/genome/"
LOCK = _thread.allocate_lock()
IDLE = []
COUNTS = {"modules": 0, "in place": 0, "from text": 0}
# What the driver wants to do when a stand-in is executed in its process.
EXECUTED = []
PLAIN = ("only plain data crosses between the evaluator's cage and the candidate's; `--isolation together` lets both "
         "share a cage")


class CandidateError(RuntimeError):
    """The candidate failed in a way that has no exception of its own here: it exited, or its process died."""


class CannotCross(TypeError):
    """Something that is no plain data was to cross."""


class Line:
    """A connection to the host; while a call is under way it belongs to one thread."""

    def __init__(self):
        self.process = posix.getpid()
        self.socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self.socket.connect(SOCKET)

    def say(self, kind, text):
        self.socket.sendall(packed(kind + text.encode("utf-8")))

    def stretch(self, size):
        parts = []
        while size:
            part = self.socket.recv(min(size, 1 << 20))
            if not part:
                raise CandidateError("the evaluation is over")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def hear(self):
        words = self.stretch(int.from_bytes(self.stretch(4), "little"))
        return words[:1], words[1:].decode("utf-8")


def take_line():
    """A line that nobody uses; those of a process that forked this one are not ours."""
    with LOCK:
        while IDLE:
            line = IDLE.pop()
            if line.process == posix.getpid():
                return line
    return Line()


def give_line(line):
    with LOCK:
        IDLE.append(line)


def after_fork():
    global LOCK
    LOCK = _thread.allocate_lock()
    IDLE.clear()


def ready():
    """Before the first stand-in is executed in this process."""
    posix.register_at_fork(after_in_child=after_fork)


def note(kind, words):
    """Tells the driver something that counts whatever the evaluator does next."""
    line = take_line()
    line.say(kind, words)
    give_line(line)


def refuse(words):
    """Notes that this evaluator and this candidate cannot work apart, and raises that."""
    words = "%s, and %s" % (words[:400], PLAIN)
    note(b"x", words)
    raise CannotCross(words)


def ask(text, calls=()):
    """Asks the candidate and waits for its answer, serving its calls of the evaluator's functions meanwhile."""
    if len(text) > LARGEST:
        refuse("the evaluator gives the candidate more than %d bytes at once" % LARGEST)
    line = take_line()
    done = False
    read = reader(lambda number: known(calls, number))
    try:
        line.say(b"q", text)
        while not done:
            kind, words = line.hear()
            if kind == b"k":
                line.say(b"a", serve(read(words), calls))
            elif kind == b"g":
                raise CandidateError(words)
            else:
                done = True
    finally:
        # A call that was broken off (by a signal, a time limit) is still under way there: whoever comes next must not
        # get its answer. The end of the line ends that process.
        if done:
            give_line(line)
        else:
            line.socket.close()
    answer = read(words)
    if answer[0] == "unfit":
        refuse("the candidate's " + answer[1])
    if answer[0] == "raised":
        raise raised(*answer[1:])
    return answer


def known(calls, number):
    """A function that was given to the candidate with this call."""
    if number < len(calls):
        return calls[number]
    raise CandidateError("the candidate names a function that it was not given")


def serve(request, calls):
    """A call of an evaluator's function by the candidate."""
    number, args, kwargs = request
    try:
        value = known(calls, number)(*args, **kwargs)
    except Exception as error:
        return failure(error)
    try:
        return '["value",%s]' % written(value)
    except Unfit as unfit:
        words = "a function that the evaluator gives the candidate returned %s" % str(unfit)[:400]
        note(b"x", "%s, and %s" % (words, PLAIN))
        return failure(TypeError(words))


def missed(names, text):
    """Refuses where the candidate lacks a file or a module that is in this cage alone."""
    word = text.rpartition(": '" if "FileNotFoundError" in names else "named '")[2].rstrip("'")
    if "FileNotFoundError" in names and exists(word if word.startswith("/") else "%s/%s" % (BESIDE, word)):
        refuse("the candidate opens '%s', a file that is in the evaluator's cage" % word)
    if "ModuleNotFoundError" in names:
        place = "%s/%s" % (BESIDE, word.partition(".")[0])
        if exists(place) or exists(place + ".py"):
            refuse("the candidate imports '%s', which is beside the evaluator" % word)


def raised(names, text, places):
    """The candidate's exception, as the nearest of Python's own."""
    missed(names, text)
    for name in names:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception) and "Unicode" not in name and "Group" not in name:
            if NOT_OURS.isdisjoint(names):
                break
    else:
        name, kind = "", CandidateError
    error = kind(text if name == names[0] else "%s: %s" % (names[0], text))
    error.candidate_places = places
    return error


def function(serial, name, doc, shape, untouched, home):
    """A function that calls the candidate's."""
    def stand_in(*args, **kwargs):
        untouched()
        calls = []

        def number(value):
            calls.append(value)
            return len(calls) - 1

        try:
            given = "%s\n%s" % (written(list(args), number), written(kwargs, number))
        except Unfit as unfit:
            words = str(unfit)
        else:
            words = None
        if words is not None:
            refuse("the evaluator calls %s() with %s" % (name, words))
        # Who catches output wants the candidate's, too.
        caught = sys.stdout is not STDOUT
        answer = ask('["call",%s,%s,%s]\n%s' % (quote(serial), quote(name), "true" if caught else "false", given), calls)
        if caught and len(answer) > 2:
            sys.stdout.write(answer[2])
        return answer[1]

    stand_in.__name__ = stand_in.__qualname__ = name
    stand_in.__doc__, stand_in.__module__ = doc, home
    if shape is not None:
        try:
            # Only for who asks for the signature.
            stand_in.__wrapped__ = shaped(shape)
        except (SyntaxError, ValueError):
            pass
    return stand_in


class Default:
    """Stands for a default that is the candidate's own."""

    def __repr__(self):
        return "..."


def shaped(shape):
    """A function with these parameters."""
    parts = []
    for at, (kind, name, default) in enumerate(shape):
        if not (name.isidentifier() and name.isascii()):
            raise ValueError(name)
        if kind == "k" and not any(row[0] in ("*", "k") for row in shape[:at]):
            parts.append("*")
        parts.append((kind if kind[0] == "*" else "") + name + ("=D" if default else ""))
        if kind == "p" and (at + 1 == len(shape) or shape[at + 1][0] != "p"):
            parts.append("/")
    return eval("lambda %s: None" % ", ".join(parts), {"D": Default(), "__builtins__": {}})


class Elsewhere:
    """Stands for something of the candidate's that is no plain data. Any use of it is refused."""

    def __init__(self, name, words):
        self.__dict__["elsewhere"] = "the evaluator uses '%s', which is %s in the candidate" % (name, words)

    def __repr__(self):
        return "<%s>" % self.__dict__["elsewhere"]


def refusing(name):
    def method(self, *args, **kwargs):
        if name == "__getattr__" and args[0].startswith("__"):
            raise AttributeError(args[0])
        refuse(self.__dict__["elsewhere"])
    return method


for at in ("call getattr setattr getitem setitem iter next len contains bool eq ne lt le gt ge add radd sub rsub mul rmul "
           "truediv float int index str format enter exit").split():
    setattr(Elsewhere, "__%s__" % at, refusing("__%s__" % at))


class Everything:
    """Stands for `__all__`: names that the candidate chooses must not come among those of the evaluator."""

    def __init__(self, names):
        self.names = names

    def __getitem__(self, place):
        refuse("the evaluator imports all names of the candidate with '*'")


def fill(space):
    """Fills the namespace of a stand-in that is being executed, or runs the whole candidate if that is what is wanted."""
    frame = sys._getframe(1)
    in_place = frame.f_code.co_filename.startswith(PROGRAM_FOLDER)
    COUNTS["in place" if in_place else "from text"] += 1
    if not in_place and __name__ != "__main__":
        note(b"t", "")
    for react in EXECUTED:
        react()
    home = space.get("__name__")
    if home == "__main__" and (frame.f_back is None or frame.f_back.f_globals.get("__name__") == "runpy"):
        return run_as_main()
    COUNTS["modules"] += 1
    serial = "%d.%d" % (posix.getpid(), COUNTS["modules"])
    before = space.get("__all__")
    if type(before) is Everything:
        # It is executed once more in the same place, as by `importlib.reload`.
        for name in before.names:
            space.pop(name, None)
    others = [name for name in space if not name.startswith("__")]
    filled = {}

    def untouched():
        for name, value in filled.items():
            if space.get(name, filled) is not value:
                refuse("the evaluator changes '%s' in the candidate" % name)
        if "__spec__" in space and len(space) > size:
            refuse("the evaluator puts something new into the candidate")

    caught = sys.stdout is not STDOUT
    answer = ask('["load",%s,%s,%s]' % (
        quote(serial), "true" if home == "__main__" else "false", "true" if caught else "false"))
    if caught and len(answer) > 2:
        sys.stdout.write(answer[2])
    for name, kind, *rest in answer[1]:
        if others and (name in space or hasattr(builtins, name)):
            # Among names of the evaluator's own, the candidate's must not take their place.
            refuse("the evaluator executes the candidate among its own names and both have a '%s'" % name)
        if kind == "f":
            filled[name] = function(serial, name, rest[0], rest[1], untouched, home)
        else:
            filled[name] = rest[0] if kind == "v" else Elsewhere(name, rest[0])
    space.update(filled)
    space["__all__"] = Everything(filled)
    size = len(space)


def run_as_main():
    """The candidate as a program: its arguments and standard input go there, its output and exit code come back."""
    given = stretch_of(0) if not posix.isatty(0) else b""
    _, code, out, err = ask('["main",%s,%s]' % (written(sys.argv[1:]), written(given)))
    write_all(1, out)
    write_all(2, err)
    if code < 0:
        posix.kill(posix.getpid(), -code)
    posix._exit(code)


def stretch_of(fd):
    """All that a descriptor has."""
    parts = []
    while True:
        part = posix.read(fd, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
