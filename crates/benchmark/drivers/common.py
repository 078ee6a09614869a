# What the Python drivers share. They start once an examination, so they import nothing that costs time: no os (half of
# a bare interpreter's own imports), no json, no signal, no traceback.
#
# A driver is executed ahead, but for its last two lines: until `main` it does nothing but define (`sandbox/src/warm.py`).
# `rehearse` does what each examination does, without any effect; it is called often, ahead as well.
import posix
import select
import sys
import time

WORDS = {"true": True, "false": False, "null": None, "__builtins__": {}}
SIGKILL = 9
NEXT = time.monotonic
WORK = "/work"
ROOT = WORK + "/genome/"
SELF = sys._getframe().f_code.co_filename

try:
    from _json import encode_basestring_ascii as quote
except ImportError:
    from json import dumps as quote


def hide():
    """Makes this process's memory and descriptors unreadable for the others of the cage, which are the same user.

    What the driver still has to read (later inputs, the nonce) is then out of the subject's reach. A Python without
    ctypes cannot do it; keys are not here in any case.
    """
    try:
        import _ctypes
        _ctypes.call_cdeclfunction(_ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl"), (4, 0, 0, 0, 0))
    except (ImportError, AttributeError, OSError):
        pass


def is_file(path):
    """Whether there is a regular file."""
    try:
        return posix.stat(path).st_mode & 0o170000 == 0o100000
    except (OSError, ValueError):
        return False


def exists(path):
    """Whether there is anything."""
    try:
        posix.stat(path)
        return True
    except (OSError, ValueError):
        return False


def read_line():
    """One line of standard input, read byte by byte so that nothing after it is taken."""
    line = b""
    while True:
        byte = posix.read(0, 1)
        if not byte or byte == b"\n":
            return line.decode("ascii")
        line += byte


def read_block():
    """A line with a length, then so many bytes."""
    size = int(read_line())
    parts = []
    while size:
        part = posix.read(0, min(size, 1 << 20))
        if not part:
            raise EOFError("the plan is cut short")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_plan():
    """A block that holds JSON, which is a Python expression, given three names."""
    return eval(read_block().decode("utf-8"), dict(WORDS))


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[posix.write(fd, view):]


class LateSite:
    """The last finder. When an import fails it reads the .pth files once, which costs milliseconds, and tries again."""

    def __init__(self, modules):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        if self.modules is None or path is not None:
            return None
        modules, self.modules = self.modules, None
        import site
        site.main()
        for folder in modules:
            site.addsitedir(folder)
        finder = sys.modules["_frozen_importlib_external"].PathFinder
        return finder.find_spec(name, path, target)


def open_paths(first, modules):
    """Sets sys.path: the given folders, the standard library, installed modules; and what else site would set."""
    import builtins
    here = sys.argv[0].rpartition("/")[0]
    # `lib/python311.zip` does not exist as a rule; each import would look for it.
    library = [p for p in sys.path if p and p != here and exists(p)]
    sys.path[:] = list(first) + library + [m for m in modules if m not in library]
    sys.meta_path.append(LateSite(modules))
    builtins.exit = builtins.quit = sys.exit


class Seeder:
    """The first finder. A generator that is imported later than the seed was given gets it as it is imported."""

    def __init__(self, seed):
        self.seed = seed

    def find_spec(self, name, path=None, target=None):
        if name not in ("random", "numpy.random"):
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                execute = spec.loader.exec_module

                def seeded(module):
                    execute(module)
                    self.give(module)

                try:
                    spec.loader.exec_module = seeded
                except AttributeError:
                    pass  # A loader of the subject's own.
                return spec
        return None

    def give(self, module):
        seed = getattr(module, "seed", None)
        if seed is not None:
            seed(self.seed)


def plant(seed):
    """Gives the seed to what draws by chance: the global generators, and the environment for whatever else asks."""
    text = "%d" % seed
    posix.putenv("MELIORA_SEED", text)
    # What `os.environ` is made from once `os` is imported.
    posix.environ[b"MELIORA_SEED"] = text.encode("ascii")
    if "os" in sys.modules:
        sys.modules["os"].environ["MELIORA_SEED"] = text
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder) is not Seeder]
    seeder = Seeder(seed)
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            seeder.give(sys.modules[name])
    sys.meta_path.insert(0, seeder)


def describe(error, hidden=()):
    """An exception in a few lines: kind, message, where."""
    try:
        text = str(error)[:400]
    except BaseException:
        text = "(its message cannot be read)"
    kind = type(error).__name__
    head = kind + (": " + text if text else "")
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename not in hidden:
            places.append((code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno, "syntax"))
    lines = []
    for file, number, name in places[-4:]:
        shown = file[len(ROOT):] if file.startswith(ROOT) else file
        lines.append("  at %s:%s in %s" % (shown, number, name))
    return "\n".join([head] + lines)


HIDE = (SELF, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>", "<frozen runpy>")


def end_of(status):
    """How a waited-for process ended: ('exit' or 'signal', number)."""
    if posix.WIFSIGNALED(status):
        return "signal", posix.WTERMSIG(status)
    return "exit", posix.WEXITSTATUS(status)


def kill_tree(pid):
    """Kills a child with its process group and takes its status."""
    for target in (-pid, pid):
        try:
            posix.kill(target, SIGKILL)
        except OSError:
            pass
    try:
        return end_of(posix.waitpid(pid, 0)[1])
    except OSError:
        return "signal", SIGKILL
