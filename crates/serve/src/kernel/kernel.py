# What runs code in a sandbox: one process for each context, told what to do line by line, in JSON.
#
# The first line says who we are: {"nonce", "path"}. Each further line is a cell: {"code", "env"}. Standard output and
# standard error are the code's own, also those of the programs that it starts; between them stand messages, each behind
# the byte 30 and the nonce.
import sys
import os
import json
import signal

CONTROL = os.dup(0)
RUNNING = [False]
COUNT = [0]
MARK = [b""]
SHELL_MAGICS = ("!", "%")
FIGURES = """
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas
def show(*args, **kwargs):
    import builtins
    builtins._show_figures()
"""
# What notebooks import of IPython, where it is not installed.
DISPLAY = """
import builtins
display = builtins.display


def clear_output(wait=False):
    pass


class DisplayObject:
    binary = False

    def __init__(self, data=None, url=None, filename=None, **more):
        if data is None and filename is not None:
            with open(filename, "rb" if self.binary else "r") as file:
                data = file.read()
        self.data = data

    def __repr__(self):
        return "<IPython.display.%s object>" % type(self).__name__


def shown(name, method):
    return type(name, (DisplayObject,), {method: lambda self: self.data})


HTML, Markdown, Latex = shown("HTML", "_repr_html_"), shown("Markdown", "_repr_markdown_"), shown("Latex", "_repr_latex_")
SVG, JSON = shown("SVG", "_repr_svg_"), shown("JSON", "_repr_json_")
Javascript, Pretty = shown("Javascript", "_repr_javascript_"), shown("Pretty", "__repr__")


class Image(DisplayObject):
    binary = True

    def __init__(self, data=None, url=None, filename=None, **more):
        if isinstance(data, str):
            data, filename = None, data
        super().__init__(data, url, filename)

    def _repr_mimebundle_(self):
        data = bytes(self.data or b"")
        return {"image/jpeg" if data[:2] == b"\\xff\\xd8" else "image/png": data}
"""
METHODS = (
    ("html", "_repr_html_"), ("markdown", "_repr_markdown_"), ("svg", "_repr_svg_"), ("png", "_repr_png_"),
    ("jpeg", "_repr_jpeg_"), ("pdf", "_repr_pdf_"), ("latex", "_repr_latex_"), ("json", "_repr_json_"),
    ("javascript", "_repr_javascript_"), ("data", "_repr_e2b_data_"), ("chart", "_repr_e2b_chart_"),
)
MIMES = {
    "text/plain": "text", "text/html": "html", "text/markdown": "markdown", "image/svg+xml": "svg", "image/png": "png",
    "image/jpeg": "jpeg", "application/pdf": "pdf", "text/latex": "latex", "application/json": "json",
    "application/javascript": "javascript",
}


def put(fd, data):
    while data:
        data = data[os.write(fd, data):]


def flush():
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except Exception:
            pass


def tell(**message):
    flush()
    put(1, MARK[0] + json.dumps(message, default=repr).encode("utf-8", "replace") + b"\n")


def as_text(data):
    if isinstance(data, (bytes, bytearray)):
        import base64
        return base64.b64encode(data).decode("ascii")
    return data


def plain(value):
    """Only what JSON has: other numbers and keys become texts."""
    try:
        return json.loads(json.dumps(value, default=str), parse_constant=str)
    except (TypeError, ValueError):
        return None


def shapes(value):
    """All forms in which a value can be shown."""
    found = {}
    bundle = getattr(value, "_repr_mimebundle_", None)
    if callable(bundle) and not isinstance(value, type):
        try:
            made = bundle()
            made = made[0] if isinstance(made, tuple) else made
            for mime, data in (made or {}).items():
                found[MIMES.get(mime, mime)] = data
        except Exception:
            pass
    for name, method in METHODS:
        if name in found or isinstance(value, type):
            continue
        make = getattr(type(value), method, None)
        if make is None:
            continue
        try:
            data = make(value)
            data = data[0] if isinstance(data, tuple) else data
        except Exception:
            continue
        if data is not None:
            found[name] = data
    module = sys.modules.get("matplotlib.figure")
    if module is not None and isinstance(value, module.Figure):
        found["png"] = png(value)
        plt = sys.modules.get("matplotlib.pyplot")
        if plt is not None:
            plt.close(value)
    pandas = sys.modules.get("pandas")
    if pandas is not None and "data" not in found and isinstance(value, getattr(pandas, "DataFrame", ())):
        found["data"] = value.to_dict(orient="list")
    if "text" not in found:
        try:
            found["text"] = repr(value)
        except Exception as error:
            found["text"] = "<%s whose repr failed: %s>" % (type(value).__name__, error)
    known = set(MIMES.values()) | {"data", "chart"}
    result, extra = {}, {}
    for name, data in found.items():
        data = as_text(data)
        if name in ("json", "data", "chart"):
            data = plain(data)
        if data is None:
            continue
        if name in known:
            result[name] = data
        else:
            extra[name] = plain(data)
    if extra:
        result["extra"] = extra
    return result


def png(figure):
    import io
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()


def display(*values, **_):
    for value in values:
        tell(type="result", is_main_result=False, **shapes(value))


def show_figures():
    plt = sys.modules.get("matplotlib.pyplot")
    if plt is None:
        return
    for number in plt.get_fignums():
        display(plt.figure(number))
    plt.close("all")


class Lender:
    """Gives modules that are not installed: a backend of matplotlib that shows figures here, and IPython's display. Made
    only when they are asked for."""

    TEXTS = {"_figures_of_the_sandbox": FIGURES, 
             "IPython": "version_info = (8, 24, 0)\ndef get_ipython():\n    return None\n",
             "IPython.display": DISPLAY}

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in cls.TEXTS:
            return None
        from importlib.machinery import ModuleSpec
        return ModuleSpec(name, cls, is_package=name == "IPython")

    @staticmethod
    def create_module(spec):
        return None

    @classmethod
    def exec_module(cls, module):
        exec(cls.TEXTS[module.__name__], module.__dict__)


def shell(command):
    flush()
    status = os.system(command)
    if status:
        sys.stderr.write("exit status %d\n" % (os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1))


def without_magics(code):
    """`!command` and the few `%` lines that need no network, as Python."""
    first, _, rest = code.lstrip().partition("\n")
    if first.strip() in ("%%bash", "%%sh", "%%shell"):
        return "__shell__(%r)" % rest
    lines = []
    for line in code.split("\n"):
        bare = line.lstrip()
        margin = line[:len(line) - len(bare)]
        word, _, rest = bare.partition(" ")
        if bare.startswith("!"):
            line = "%s__shell__(%r)" % (margin, bare[1:])
        elif word == "%cd":
            line = "%s__import__('os').chdir(__import__('os').path.expanduser(%r))" % (margin, rest.strip() or "~")
        elif word == "%env" and "=" in rest:
            name, _, value = rest.partition("=")
            line = "%s__import__('os').environ[%r] = %r" % (margin, name.strip(), value.strip())
        elif word == "%pip":
            line = "%s__shell__(%r)" % (margin, "%s -m pip %s" % (sys.executable, rest))
        elif word in ("%matplotlib", "%config", "%autosave", "%load_ext"):
            line = margin + "pass"
        lines.append(line)
    return "\n".join(lines)


def parse(code, name):
    import ast
    try:
        return ast.parse(code, name)
    except SyntaxError:
        other = without_magics(code)
        if other == code:
            raise
        return ast.parse(other, name)


def evaluate(code, name, space):
    """Runs a cell; the value of its last expression, if it ends with one, is shown."""
    import ast
    import linecache
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)
    tree = parse(code, name)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not code.rstrip().endswith(";"):
        last = ast.Expression(tree.body.pop().value)
    if tree.body:
        execute(compile(tree, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True), space)
    if last is None:
        return
    value = execute(compile(last, name, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True), space)
    if value is not None:
        space["_"] = value
        tell(type="result", is_main_result=True, **shapes(value))


def execute(code, space):
    if code.co_flags & 0x80:  # CO_COROUTINE: it awaits at its top
        import asyncio
        loop = LOOP[0] if LOOP else None
        if loop is None:
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            LOOP.append(loop)
        return loop.run_until_complete(eval(code, space))
    return eval(code, space)


LOOP = []


def explain(error):
    import traceback
    if isinstance(error, SyntaxError) and not ours_only(error.__traceback__):
        lines = traceback.format_exception_only(type(error), error)
    else:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        lines = traceback.format_exception(type(error), error, trace)
    try:
        value = str(error)
    except Exception:
        value = "<its text cannot be made>"
    tell(type="error", name=type(error).__name__, value=value, traceback="".join(lines))


def ours_only(trace):
    """Whether the code itself ran when it was raised."""
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith("<cell "):
            return True
        trace = trace.tb_next
    return False


def cell(request, space):
    COUNT[0] += 1
    before = dict(os.environ)
    os.environ.update(request.get("env") or {})
    try:
        RUNNING[0] = True
        try:
            evaluate(request["code"], "<cell %d>" % COUNT[0], space)
        finally:
            RUNNING[0] = False
        show_figures()
    except BaseException as error:
        RUNNING[0] = False
        explain(error)
    for name in (request.get("env") or {}):
        if name in before:
            os.environ[name] = before[name]
        else:
            os.environ.pop(name, None)


def on_interrupt(number, frame):
    if RUNNING[0]:
        raise KeyboardInterrupt


def lines():
    buffer = b""
    while True:
        at = buffer.find(b"\n")
        if at >= 0:
            yield buffer[:at]
            buffer = buffer[at + 1:]
            continue
        data = os.read(CONTROL, 1 << 16)
        if not data:
            return
        parts = [buffer, data]
        while not parts[-1].endswith(b"\n") and len(parts[-1]) == 1 << 16:
            parts.append(os.read(CONTROL, 1 << 16))
        buffer = b"".join(parts)


def main():
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    requests = lines()
    start = json.loads(next(requests))
    MARK[0] = b"\x1e" + start["nonce"].encode("ascii")
    sys.path[:] = [""] + [entry for entry in sys.path if entry != ""] + start.get("path", [])
    os.environ.setdefault("MPLBACKEND", "module://_figures_of_the_sandbox")
    sys.meta_path.append(Lender)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    import builtins
    builtins.display = display
    builtins._show_figures = show_figures
    builtins.__shell__ = shell
    signal.signal(signal.SIGINT, on_interrupt)
    main_module = type(sys)("__main__")
    main_module.__builtins__ = builtins
    sys.modules["__main__"] = main_module
    sys.argv = [""]
    home = os.getpid()
    for line in requests:
        cell(json.loads(line), main_module.__dict__)
        if os.getpid() != home:
            # A child that the code forked and that came back here: it is no context.
            flush()
            os._exit(0)
        tell(type="end")
        put(2, MARK[0] + b'{"type": "end"}\n')


main()
