# What the warm interpreter runs in itself: once before the first cage, and at the start of each command.
#
# A command must not notice that it did not start its own interpreter. So what was imported ahead is not in
# `sys.modules`: it lies on a shelf, and an import takes it from there together with all that it imports itself, unless a
# file of the command's own comes first on `sys.path`.
import sys

FRESH = frozenset(sys.modules) - {__name__}
# How a script ends that only defines before.
TAIL = 'if __name__ == "__main__":\n    main()\n'
CODES = {}
HELPERS = {}


class Shelf:
    """The first finder: modules that were imported ahead, as long as a normal import would find the same ones."""

    def __init__(self, modules, needs, library):
        self.modules, self.needs, self.library = modules, needs, library
        self.at_fork = {}
        self.specs = {name: module.__spec__ for name, module in modules.items()}

    def find_spec(self, name, path=None, target=None):
        if name not in self.modules:
            return None
        needed = self.needs[name]
        for other in needed:
            if sys.modules.get(other, self.modules[other]) is not self.modules[other]:
                return None
        if not self.first_on_the_path({other.partition(".")[0] for other in needed}):
            return None
        for other in needed:
            if other != name and other not in sys.modules:
                sys.modules[other] = self.modules[other]
                self.bind(other)
                self.wake(other)
        spec = self.specs[name]
        return type(spec)(name, self, origin=spec.origin, is_package=spec.submodule_search_locations is not None)

    def wake(self, name):
        """Registers what a module wants done around forks, and does what it has missed."""
        for hooks in self.at_fork.pop(name, ()):
            sys.modules["posix"].register_at_fork(**hooks)
            if "after_in_child" in hooks:
                hooks["after_in_child"]()
        if name == "numpy.random.mtrand":
            # It draws its seed when it is imported, and knows nothing of forks.
            self.modules[name].seed()

    def bind(self, name):
        """Makes a submodule an attribute of its package, as an import does."""
        package, _, last = name.rpartition(".")
        if package and self.specs[name].name == name:
            parent = self.modules.get(package) or sys.modules[package]
            # What a package made of the name itself stays.
            parent.__dict__.setdefault(last, self.modules[name])

    def first_on_the_path(self, tops):
        """Whether nothing before the standard library has one of these names."""
        tops = {top for top in tops if top in self.modules and self.specs[top].origin not in ("built-in", "frozen")}
        if not tops:
            return True
        posix = sys.modules["posix"]
        for entry in sys.path:
            if entry == self.library:
                return True
            try:
                names = posix.listdir(entry or ".")
            except FileNotFoundError:
                continue
            except (OSError, TypeError, ValueError):
                return False
            if not tops.isdisjoint(name.partition(".")[0] for name in names):
                return False
        return False

    def create_module(self, spec):
        return self.modules[spec.name]

    def exec_module(self, module):
        name = module.__spec__.name
        module.__spec__ = self.specs[name]
        self.wake(name)


def prepare(version, names, required, search, *texts):
    """Imports `names` as far as they are there and `required` from the standard library and the folders of `search`, and
    compiles `texts` (path, text, path, text, ...); one that ends in TAIL is executed up to there. Returns what is wrong, or None; of a required module its name, a line
    break and the reason."""
    if sys.version.replace("\n", " ") != version:
        return "its library is another build: " + sys.version.replace("\n", " ")
    if sys.getfilesystemencoding() != "utf-8":
        return "its locale is not UTF-8"
    # Set for the start alone.
    sys.modules["posix"].environ.pop(b"PYTHONSAFEPATH", None)
    import builtins
    needs, at_fork, inside = {}, {}, {}
    true_import = builtins.__import__

    def note_hooks(**hooks):
        at_fork.setdefault(sys._getframe(1).f_globals["__name__"], []).append(hooks)

    def note(name, globals=None, locals=None, fromlist=(), level=0):
        module = true_import(name, globals, locals, fromlist, level)
        importer = globals.get("__name__") if globals else None
        if importer is not None:
            full = name
            if level:
                package = globals.get("__package__") or importer.rpartition(".")[0]
                parts = package.split(".")
                full = ".".join(parts[:len(parts) - level + 1] + ([name] if name else []))
            if full not in inside:
                inside[full] = {other for other in sys.modules if other.rpartition(".")[0] == full}
            needs.setdefault(importer, set()).add(full)
            needs[importer].update("%s.%s" % (full, part) for part in fromlist or ())
        return module

    builtins.__import__ = note
    import os
    true_register, os.register_at_fork = os.register_at_fork, note_hooks
    try:
        for name in names.split(","):
            try:
                true_import(name)
            except ImportError:
                pass
        for name in filter(None, required.split(",")):
            wrong = bring(name, search.split("\n"), true_import, needs)
            if wrong:
                return "%s\n%s" % (name, wrong)
        for path, text in zip(texts[::2], texts[1::2]):
            CODES[path] = text.encode("utf-8"), *begun(path, text)
    finally:
        builtins.__import__, os.register_at_fork = true_import, true_register
    import gc
    modules = {name: module for name, module in sys.modules.items()
               if name not in FRESH and name != __name__ and getattr(module, "__spec__", None) is not None}
    for name in [name for name in sys.modules if name not in FRESH]:
        del sys.modules[name]
    # Other names of a module (`os.path`) come with the package that gives them.
    for name, module in modules.items():
        package = name.rpartition(".")[0]
        if module.__spec__.name != name and name in inside.get(package, (name,)):
            needs.setdefault(package, set()).add(name)
    shelf = Shelf(modules, {name: closure(name, needs, modules) for name in modules}, os.path.dirname(os.__file__))
    for name, module in modules.items():
        package, _, last = name.rpartition(".")
        parent = modules.get(package) or sys.modules.get(package)
        # Importing a package does not give it submodules that only others asked for.
        if package and module.__spec__.name == name and getattr(parent, last, None) is module:
            if name not in shelf.needs.get(package, ()):
                delattr(parent, last)
    shelf.at_fork = at_fork
    sys.meta_path.insert(0, shelf)
    HELPERS["collect"] = gc.collect
    HELPERS["required"] = [name for name in required.split(",") if name]
    HELPERS["kept"] = dict(modules, **{name: sys.modules[name] for name in FRESH if name != "__main__"})
    HELPERS["folder"] = lambda script, path=os.path: path.dirname(path.realpath(script))
    for _, _, main in CODES.values():
        if hasattr(main, "rehearse"):
            rehearse(main)
    gc.collect()
    gc.freeze()
    return None


def rehearse(main):
    """Lets a script do often what it will do once in each command. What Python notes of code that runs often, it then has
    noted already, in memory that the commands share, and each of them writes to fewer pages of its own."""
    modules, path, finders = dict(sys.modules), list(sys.path), list(sys.meta_path)
    try:
        for _ in range(40):
            with_files(main.rehearse)
    except Exception:
        # Its commands are slower then, and nothing else; tests rehearse each driver.
        pass
    sys.modules.clear()
    sys.modules.update(modules)
    sys.path[:], sys.meta_path[:] = path, finders
    sys.path_importer_cache.clear()


def with_files(work):
    """Calls it with what lends it a text as a file: gives a path by which this process alone reads it."""
    posix, files = sys.modules["posix"], []

    def lend(text):
        files.append(posix.memfd_create("rehearsal"))
        posix.write(files[-1], text.encode("utf-8"))
        return "/proc/self/fd/%d" % files[-1]

    work(lend)
    while files:
        posix.close(files.pop())


def begun(path, text):
    """The code of a script that is left to run, and the module in which the rest has run already, if it has."""
    body, tail, behind = text.rpartition(TAIL)
    if not tail or behind:
        return compile(text, path, "exec", dont_inherit=True), None
    main = type(sys)("__main__")
    main.__dict__.update(__builtins__=sys.modules["builtins"], __file__=path)
    exec(compile(body, path, "exec", dont_inherit=True), main.__dict__)
    return compile("\n" * body.count("\n") + TAIL, path, "exec", dont_inherit=True), main


def bring(name, search, true_import, needs):
    """Imports an installed module. Returns what is wrong, or None."""
    import os
    before, path = set(sys.modules), list(sys.path)
    # A thread would not be there in the cages, where it is then waited for without end.
    single = [variable + "_NUM_THREADS" for variable in ("OPENBLAS", "OMP", "MKL", "BLIS", "NUMEXPR", "VECLIB")]
    single = [variable for variable in single if variable not in os.environ]
    os.environ.update(dict.fromkeys(single, "1"))
    try:
        import site
        for folder in filter(None, search):
            site.addsitedir(folder)
        module = true_import(name)
        for part in name.split(".")[1:]:
            module = getattr(module, part)
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, str(error).split("\n")[0])
    finally:
        sys.path[:] = path
        for variable in single:
            del os.environ[variable]
    if len(os.listdir("/proc/self/task")) > 1:
        return "it starts threads when it is imported"
    # Whoever imports it has all that its import brings.
    needs.setdefault(name, set()).update(set(sys.modules) - before)
    return None


def closure(name, needs, modules):
    """A module with its packages and all that these import, in the order of the shelf."""
    found, open_ends = set(), [name]
    while open_ends:
        name = open_ends.pop()
        while name and name not in modules:
            name = name.rpartition(".")[0]
        if name and name not in found:
            found.add(name)
            open_ends.extend(needs.get(name, ()))
            open_ends.append(name.rpartition(".")[0])
    return tuple(other for other in modules if other in found)


def begin(flags, safe_path, count, *texts):
    """Makes everything as a fresh interpreter has it when it starts the script, and returns the script's code. `texts`
    are `count` variables and the arguments."""
    import _signal
    import posix
    argv = texts[int(count):]
    for line in texts[:int(count)]:
        name, _, value = (part.encode("utf-8", "surrogateescape") for part in line.partition("="))
        if posix.environ.get(name) != value:
            posix.putenv(name, value)
            # `os.environ` keeps its values in this dictionary.
            posix.environ[name] = value
    script = argv[int(flags)]
    try:
        code, main = code_of(script, posix)
    except BaseException:
        # A script that cannot be read or compiled: what is to be said of it is best said by a fresh interpreter.
        posix.execve(argv[0], argv, posix.environ)
    for number, action in ((2, _signal.default_int_handler), (13, _signal.SIG_IGN), (25, _signal.SIG_IGN)):
        _signal.signal(number, action)
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = list(argv)
    sys.argv = list(argv[int(flags):])
    if not safe_path:
        sys.path.insert(0, HELPERS["folder"](script))
    main = main or type(sys)("__main__")
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader("__main__", script)
    main.__dict__.update(__loader__=loader, __builtins__=sys.modules["builtins"], __file__=script, __cached__=None)
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    return code


def code_of(script, posix):
    """The code of a script and the module to run it in, from before if its text is one that was known."""
    fd = posix.open(script, posix.O_RDONLY | posix.O_CLOEXEC)
    parts = [posix.read(fd, posix.fstat(fd).st_size + 1)]
    while parts[-1]:
        parts.append(posix.read(fd, 1 << 16))
    posix.close(fd)
    source = b"".join(parts)
    text, code, main = CODES.get(script, (None, None, None))
    HELPERS["known"] = text == source
    return (code, main) if text == source else (compile(source, script, "exec", dont_inherit=True), None)


def code_of_exit(stop):
    """The exit status that a SystemExit asks for, said as Python's own `main` says it."""
    code = stop.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xff if -1 << 63 <= code < 1 << 63 else 0xff
    sys.stderr.write("%s\n" % (code,))
    return 1


def end():
    """What a finished command notices of the interpreter's end: threads are waited for, exit functions run, streams are
    flushed, and what the script still holds is let go, in the order of `finalize_modules` (CPython's `pylifecycle.c`). The rest is left to the end of the process, for taking an
    interpreter apart costs more than starting it. Returns whether the process can end at once, without what C libraries do
    at its end. Raises where something fails, and is then done over the long way."""
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    import atexit
    atexit._run_exitfuncs()
    flush()
    if HELPERS["known"]:
        # The host's own: nothing that it holds does anything when it is let go.
        return 1
    kept = HELPERS["kept"]
    import _weakref
    theirs = [name for name, module in sys.modules.items() if kept.get(name) is not module]
    left = []
    for name in theirs:
        module = sys.modules.pop(name)
        try:
            left.append(_weakref.ref(module))
        except TypeError:
            pass
    module = None
    HELPERS["collect"]()
    for reference in reversed(left):
        names = getattr(reference(), "__dict__", None)
        if isinstance(names, dict):
            # The order of Python's own: first names with one underscore, then the others.
            for late in (False, True):
                for name in list(names):
                    if name != "__builtins__" and late != (name[:1] == "_" and name[1:2] != "_"):
                        names[name] = None
        names = None
    HELPERS["collect"]()
    flush()
    return 0


SOME = """
import importlib.util
import json
import math
import os
import random


class Some:
    def __init__(self, given):
        self.given = [float(x) for x in given]

    def sum(self, *more, by=1):
        return sum(x * by for x in self.given if x > 0)


def show(value):
    try:
        return "%s, %d" % (value, int(value)) + f"{value:.3f}".strip().replace(".", ",")
    except (ValueError, TypeError) as error:
        return str(error)


found = {}
for number, name in enumerate(sorted(("b", "a"), key=len), 1):
    found[name] = show(Some(range(9)).sum(by=number)), None, show("x"), b"x".decode("utf-8")
found = [*found.items()][0][:1] + tuple(isinstance(x, str) and x.split(",") for x in "a b".split())
"""


def trial(known=False):
    """Does what commands do, for its traces in memory: known scripts rehearse; where another is meant, that one and the
    imports that were asked for; and the end."""
    for _, _, main in CODES.values():
        if hasattr(main, "rehearse"):
            with_files(main.rehearse)
    HELPERS["known"] = known
    if not known:
        with_files(lambda lend: exec(begin("1", "", "0", "python", lend(SOME)), sys.modules["__main__"].__dict__))
        for name in HELPERS["required"]:
            __import__(name)
    end()


def flush():
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not getattr(stream, "closed", False):
            stream.flush()
