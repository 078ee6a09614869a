"""The official Python SDK, unmodified, as a person writes it. Ends with a line that says that all of it ran."""
import base64
import io
import os
import threading
import time
import traceback
import urllib.request

from e2b import (
    AuthenticationException, CommandExitException, FileNotFoundException, FilesystemEventType, FileType,
    InvalidArgumentException, NotFoundException, PtySize, SandboxException, SandboxNotFoundException, SandboxQuery,
    SandboxState, TimeoutException,
)
from e2b_code_interpreter import Sandbox

CASES = []
# No other run's, should one use the same service.
WHO = "test-%d-%d" % (os.getpid(), time.time_ns())


def case(function):
    CASES.append(function)
    return function


def raises(kind, function, *words):
    try:
        function()
    except kind as error:
        for word in words:
            assert word in str(error), (word, str(error))
        return error
    raise AssertionError("nothing was raised")


@case
def the_quickstart(sbx):
    execution = sbx.run_code("print('hello world')")
    assert execution.logs.stdout == ["hello world\n"], execution.logs
    assert {"home", "tmp", "usr"} <= {entry.name for entry in sbx.files.list("/")}


@case
def state_is_kept_between_calls(sbx):
    sbx.run_code("x = 41\ndef more(): return x + 1")
    execution = sbx.run_code("more()")
    assert execution.text == "42" and execution.results[0].is_main_result
    assert sbx.run_code("x = 7;").results == []
    assert sbx.run_code("import os; os.getcwd()").text == "'/home/user'"
    counts = [sbx.run_code("1").execution_count for _ in range(2)]
    assert counts[1] == counts[0] + 1
    assert sbx.run_code("_").text == "1"
    assert sbx.run_code("__name__").text == "'__main__'"
    assert sbx.run_code("import pickle\nclass P: pass\ntype(pickle.loads(pickle.dumps(P()))) is P").text == "True"


@case
def output_streams_while_it_runs(sbx):
    heard = []
    code = "import sys, time\nfor i in range(3):\n    print(i); time.sleep(0.2)\nprint('e', file=sys.stderr)"
    begin = time.time()
    execution = sbx.run_code(code, on_stdout=lambda m: heard.append((m.line, time.time() - begin)),
                             on_stderr=lambda m: heard.append((m.line, m.error)))
    assert [line for line, _ in heard] == ["0\n", "1\n", "2\n", "e\n"], heard
    assert heard[0][1] + 0.3 < heard[2][1], heard
    assert heard[3][1] is True and execution.logs.stderr == ["e\n"]
    assert sbx.run_code("import subprocess; subprocess.run(['echo', 'sub']);").logs.stdout == ["sub\n"]
    big = sbx.run_code("print('ü' * 300_000)")
    assert "".join(big.logs.stdout) == "ü" * 300_000 + "\n"


@case
def errors_have_name_value_and_traceback(sbx):
    error = sbx.run_code("def f():\n    return 1 / 0\nf()").error
    assert (error.name, error.value) == ("ZeroDivisionError", "division by zero")
    assert "line 2, in f" in error.traceback and "return 1 / 0" in error.traceback
    assert "kernel" not in error.traceback, error.traceback
    error = sbx.run_code("def f(:").error
    assert error.name == "SyntaxError" and "def f(:" in error.traceback
    assert sbx.run_code("import sys; sys.exit(3)").error.name == "SystemExit"
    assert sbx.run_code("raise KeyError('k')").error.value == "'k'"
    assert sbx.run_code("input()").error.name == "EOFError"
    assert sbx.run_code("1 + 1").text == "2"


@case
def results_come_in_all_their_shapes(sbx):
    code = """
class Rich:
    def __repr__(self): return 'plain'
    def _repr_html_(self): return '<b>h</b>'
    def _repr_markdown_(self): return '*m*'
    def _repr_svg_(self): return '<svg/>'
    def _repr_png_(self): return b'PNG'
    def _repr_jpeg_(self): return b'JPG'
    def _repr_latex_(self): return '$x$'
    def _repr_json_(self): return {'a': [1, float('nan')]}
    def _repr_javascript_(self): return 'j()'
display(Rich(), 5)
Rich()"""
    shown, five, main = sbx.run_code(code).results
    for result in (shown, main):
        assert (result.text, result.html, result.markdown, result.svg) == ("plain", "<b>h</b>", "*m*", "<svg/>")
        assert base64.b64decode(result.png) == b"PNG" and base64.b64decode(result.jpeg) == b"JPG"
        assert (result.latex, result.javascript) == ("$x$", "j()") and result.json["a"][0] == 1
    assert five.text == "5" and not shown.is_main_result and main.is_main_result


@case
def what_notebooks_import_is_there(sbx):
    code = "from IPython.display import display, HTML, Image\ndisplay(HTML('<i>i</i>'))\nImage(b'\\x89PNG')"
    execution = sbx.run_code(code)
    assert execution.error is None, execution.error.traceback
    assert [result.html for result in execution.results] == ["<i>i</i>", None]
    assert base64.b64decode(execution.results[1].png) == b"\x89PNG"


@case
def pictures_of_matplotlib_are_results(sbx):
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.figure(); plt.bar([1], [2]);"
    execution = sbx.run_code(code, timeout=120)
    assert execution.error is None, execution.error.traceback
    assert len(execution.results) == 2, execution.results
    assert all(base64.b64decode(result.png).startswith(b"\x89PNG") for result in execution.results)
    assert "Warning" not in "".join(execution.logs.stderr), execution.logs
    assert sbx.run_code("1").results[0].png is None


@case
def awaiting_at_the_top_and_shell_lines_work(sbx):
    assert sbx.run_code("import asyncio\nawait asyncio.sleep(0, result='done')").text == "'done'"
    assert sbx.run_code("!echo one\nprint('two')").logs.stdout[0].startswith("one\n")
    assert "".join(sbx.run_code("%%bash\necho $((6*7))").logs.stdout) == "42\n"


@case
def variables_of_sandbox_and_call(sbx):
    code = "import os; (os.environ.get('OF_SANDBOX'), os.environ.get('OF_CALL'), os.environ['E2B_SANDBOX_ID'])"
    assert sbx.run_code(code, envs={"OF_CALL": "c"}).text == str(("s", "c", sbx.sandbox_id))
    assert sbx.run_code("os.environ.get('OF_CALL')").text is None
    told = sbx.commands.run("echo $OF_SANDBOX $OF_COMMAND $HOME", envs={"OF_COMMAND": "'o k'"})
    assert told.stdout == "s 'o k' /home/user\n", told


@case
def contexts_are_apart(sbx):
    sbx.run_code("apart = 1")
    context = sbx.create_code_context(cwd="/tmp")
    assert (context.language, context.cwd) == ("python", "/tmp")
    assert sbx.run_code("apart", context=context).error.name == "NameError"
    assert sbx.run_code("import os; os.getcwd()", context=context).text == "'/tmp'"
    sbx.run_code("apart = 2", context=context)
    assert sbx.run_code("apart", context=context).text == "2" and sbx.run_code("apart").text == "1"
    assert context.id in {known.id for known in sbx.list_code_contexts()}
    sbx.restart_code_context(context)
    assert sbx.run_code("apart", context=context).error.name == "NameError"
    sbx.remove_code_context(context)
    raises(NotFoundException, lambda: sbx.run_code("1", context=context), "not found")
    raises(NotFoundException, lambda: sbx.remove_code_context("nonesuch"))


@case
def other_languages(sbx):
    assert "".join(sbx.run_code("y=5; echo $((y+1))", language="bash").logs.stdout) == "6\n"
    execution = sbx.run_code("echo $y; cd /tmp; pwd; (exit 3)", language="bash")
    assert "".join(execution.logs.stdout) == "5\n/tmp\n" and execution.error.value == "3"
    assert "".join(sbx.run_code("pwd; echo $Q", language="bash", envs={"Q": "it's"}).logs.stdout) == "/tmp\nit's\n"
    assert "".join(sbx.run_code("echo \"[$Q]\"", language="bash").logs.stdout) == "[]\n"
    execution = sbx.run_code("const a = 5; console.log('l'); a + 1", language="javascript")
    assert (execution.text, execution.logs.stdout) == ("6", ["l\n"])
    assert sbx.run_code("(await Promise.resolve(a)) * 3", language="javascript").text == "15"
    error = sbx.run_code("throw new TypeError('no')", language="javascript").error
    assert (error.name, error.value) == ("TypeError", "no") and "TypeError" in error.traceback
    assert sbx.run_code("nope(", language="javascript").error.name == "SyntaxError"
    assert sbx.run_code("a", language="javascript").text == "5"
    raises(SandboxException, lambda: sbx.run_code("1", language="cobol"), "cobol", "python")


@case
def code_that_takes_too_long_is_interrupted_and_its_state_stays(sbx):
    sbx.run_code("kept = 5")
    raises(TimeoutException, lambda: sbx.run_code("import time\nwhile True: time.sleep(0.01)", timeout=1))
    assert sbx.run_code("kept", timeout=20).text == "5"


@case
def an_interpreter_that_dies_is_told_and_begins_anew(sbx):
    error = sbx.run_code("import os; os._exit(7)").error
    assert error.name == "ContextEnded" and "exit status 7" in error.value, error
    assert sbx.run_code("1 + 1").text == "2"


@case
def commands_have_output_and_exit_codes(sbx):
    result = sbx.commands.run("echo out; echo err >&2")
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 0)
    error = raises(CommandExitException, lambda: sbx.commands.run("echo x; exit 3"))
    assert (error.exit_code, error.stdout) == (3, "x\n")
    assert sbx.commands.run("pwd", cwd="/tmp").stdout == "/tmp\n"
    assert sbx.commands.run("pwd").stdout == "/home/user\n"
    assert sbx.commands.run("echo $USER", user="root").exit_code == 0
    assert sbx.commands.run("python3 -c 'print(6*7)'").stdout == "42\n"
    heard = []
    sbx.commands.run("for i in 1 2; do echo $i; sleep 0.1; done", on_stdout=heard.append)
    assert "".join(heard) == "1\n2\n" and len(heard) == 2, heard
    assert len(sbx.commands.run("head -c 5000000 /dev/zero | tr '\\0' a").stdout) == 5_000_000
    raises(TimeoutException, lambda: sbx.commands.run("sleep 30", timeout=1))
    wait_for(lambda: "sleep 30" not in str(sbx.commands.list()))
    error = raises(CommandExitException, lambda: sbx.commands.run("/nonesuch/program"))
    assert error.exit_code == 127


@case
def commands_in_the_background(sbx):
    handle = sbx.commands.run("echo begin; touch begun; sleep 60", background=True)
    wait_for(lambda: sbx.files.exists("begun"))
    assert handle.pid in {process.pid for process in sbx.commands.list()}
    assert sbx.commands.kill(handle.pid) is True
    error = raises(CommandExitException, handle.wait)
    assert error.exit_code != 0 and "begin" in error.stdout
    assert sbx.commands.kill(handle.pid) is False
    reader = sbx.commands.run("cat; echo end", background=True, stdin=True)
    sbx.commands.send_stdin(reader.pid, "one\n")
    again = sbx.commands.connect(reader.pid)
    sbx.commands.send_stdin(reader.pid, "two\n")
    sbx.commands.stream_input(reader.pid, ["three", "\n"])
    sbx.commands.close_stdin(reader.pid)
    assert reader.wait().stdout == "one\ntwo\nthree\nend\n"
    assert again.wait().stdout.endswith("two\nthree\nend\n")
    # What a command left behind lives on.
    sbx.commands.run("(sleep 1; echo late > /tmp/late) >/dev/null 2>&1 &")
    time.sleep(2)
    assert sbx.files.read("/tmp/late") == "late\n"
    handle = sbx.commands.run("sleep 0.5; echo kept > kept.txt", background=True)
    handle.disconnect()
    time.sleep(1.5)
    assert sbx.files.read("kept.txt") == "kept\n"


@case
def terminals(sbx):
    handle = sbx.pty.create(PtySize(rows=24, cols=80), cwd="/tmp")
    seen = []
    thread = threading.Thread(target=lambda: handle.wait(on_pty=lambda data: seen.append(data)))
    thread.start()
    sbx.pty.send_stdin(handle.pid, b"tty && stty size && pwd\n")
    wait_for(lambda: b"24 80" in b"".join(seen), lambda: b"".join(seen))
    assert b"/dev/pts/" in b"".join(seen) and b"/tmp" in b"".join(seen)
    sbx.pty.resize(handle.pid, PtySize(rows=30, cols=100))
    sbx.pty.send_stdin(handle.pid, b"stty size\n")
    wait_for(lambda: b"30 100" in b"".join(seen), lambda: b"".join(seen))
    sbx.pty.send_stdin(handle.pid, b"exit\n")
    thread.join(timeout=20)
    assert not thread.is_alive()
    other = sbx.pty.create(PtySize(rows=24, cols=80))
    assert sbx.pty.kill(other.pid) is True and sbx.pty.kill(other.pid) is False


def wait_for(holds, seen=lambda: None, seconds=30):
    end = time.time() + seconds
    while not holds():
        assert time.time() < end, seen()
        time.sleep(0.05)


@case
def files_are_written_and_read(sbx):
    info = sbx.files.write("a.txt", "hällo")
    assert (info.name, info.path, info.type) == ("a.txt", "/home/user/a.txt", FileType.FILE)
    assert sbx.files.read("/home/user/a.txt") == "hällo" and sbx.files.read("~/a.txt") == "hällo"
    assert sbx.files.read("/work/a.txt") == "hällo"
    data = bytes(range(256)) * 5000
    sbx.files.write("deep/er/b.bin", data)
    assert bytes(sbx.files.read("deep/er/b.bin", format="bytes")) == data
    assert b"".join(sbx.files.read("deep/er/b.bin", format="stream")) == data
    sbx.files.write("s.bin", io.BytesIO(data))
    sbx.files.write("z.bin", data, gzip=True)
    assert bytes(sbx.files.read("s.bin", format="bytes")) == bytes(sbx.files.read("z.bin", format="bytes")) == data
    written = sbx.files.write_files([{"path": "m/1", "data": "1"}, {"path": "m/two words ü", "data": b"2"}])
    assert [entry.path for entry in written] == ["/home/user/m/1", "/home/user/m/two words ü"]
    assert sbx.files.read("m/two words ü") == "2" and sbx.files.write("empty", "").name == "empty"
    assert sbx.files.read("empty") == "" and sbx.run_code("open('a.txt').read()").text == "'hällo'"
    noted = sbx.files.write("noted", "n", metadata={"author": "me"})
    assert noted.metadata == sbx.files.get_info("noted").metadata == {"author": "me"}
    raises(FileNotFoundException, lambda: sbx.files.read("none"))
    raises(SandboxException, lambda: sbx.files.write("/etc/x", "x"), "/home/user")
    assert "/home/user" in sbx.files.read("/etc/passwd")
    sbx.commands.run("ln -s a.txt link; ln -s /etc/hostname out")
    assert sbx.files.read("link") == "hällo"


@case
def folders(sbx):
    assert sbx.files.make_dir("d/e") is True and sbx.files.make_dir("d/e") is False
    sbx.files.write("d/e/f", "123")
    assert [entry.path for entry in sbx.files.list("d")] == ["/home/user/d/e"]
    deep = sbx.files.list("d", depth=2)
    assert [(entry.path, entry.type) for entry in deep] == [
        ("/home/user/d/e", FileType.DIR), ("/home/user/d/e/f", FileType.FILE)]
    info = sbx.files.get_info("d/e/f")
    assert (info.size, info.mode, info.permissions, info.owner) == (3, 0o644, "-rw-r--r--", "user"), info
    assert abs(info.modified_time.timestamp() - time.time()) < 60
    assert sbx.files.exists("d/e/f") and not sbx.files.exists("d/x") and sbx.files.exists("/usr/bin/env")
    moved = sbx.files.rename("d/e/f", "d/g")
    assert moved.path == "/home/user/d/g" and not sbx.files.exists("d/e/f")
    sbx.files.remove("d")
    assert not sbx.files.exists("d")
    raises(FileNotFoundException, lambda: sbx.files.list("d"))
    raises(InvalidArgumentException, lambda: sbx.files.list("a\0b"))
    sbx.commands.run("ln -s / up")
    (link,) = [entry for entry in sbx.files.list(".") if entry.name == "up"]
    assert link.type == FileType.SYMLINK and link.symlink_target == "/"


@case
def folders_are_watched(sbx):
    sbx.files.make_dir("w/inner")
    watch = sbx.files.watch_dir("w", recursive=True, include_entry=True)
    events = []

    def seen(kind, name):
        events.extend(watch.get_new_events())
        return any((event.type, event.name) == (kind, name) for event in events)

    sbx.files.write("w/inner/f", "1")
    wait_for(lambda: seen(FilesystemEventType.CREATE, "inner/f"), lambda: events)
    wait_for(lambda: seen(FilesystemEventType.WRITE, "inner/f"), lambda: events)
    assert any(event.entry and event.entry.path == "/home/user/w/inner/f" for event in events)
    sbx.files.rename("w/inner/f", "w/g")
    wait_for(lambda: seen(FilesystemEventType.RENAME, "inner/f"), lambda: events)
    sbx.files.remove("w/g")
    wait_for(lambda: seen(FilesystemEventType.REMOVE, "g"), lambda: events)
    watch.stop()
    raises(FileNotFoundException, lambda: sbx.files.watch_dir("nonesuch"))


@case
def addresses_carry_their_own_permission(sbx):
    sbx.files.write("signed.txt", "signed")
    url = sbx.download_url("signed.txt", user="user")
    assert urllib.request.urlopen(url).read() == b"signed"
    assert urllib.request.urlopen(sbx.download_url("signed.txt", user="user", use_signature_expiration=60)).read() == b"signed"
    for wrong in (url.replace("signed.txt", "a.txt"), url.replace("signature=v1_", "signature=v1_x"),
                  sbx.download_url("signed.txt", user="user", use_signature_expiration=-60)):
        error = raises(urllib.error.HTTPError, lambda: urllib.request.urlopen(wrong))
        assert error.code == 401, error


@case
def sandboxes_are_listed_and_described(sbx):
    info = sbx.get_info()
    assert info.sandbox_id == sbx.sandbox_id and info.metadata == {"who": WHO} and info.state == SandboxState.RUNNING
    found = Sandbox.list(query=SandboxQuery(metadata={"who": WHO})).next_items()
    assert [entry.sandbox_id for entry in found] == [sbx.sandbox_id]
    assert Sandbox.list(query=SandboxQuery(metadata={"who": "else"})).next_items() == []
    other = Sandbox.create(timeout=60)
    pages = Sandbox.list(limit=1)
    ids = []
    while pages.has_next:
        ids += [entry.sandbox_id for entry in pages.next_items()]
    assert {sbx.sandbox_id, other.sandbox_id} <= set(ids) and len(ids) == len(set(ids))
    listed = other.commands.run("ls -la /home/user /tmp")
    assert "a.txt" not in listed.stdout and "late" not in listed.stdout, listed
    execution = other.run_code("x")
    assert execution.error.name == "NameError", execution
    assert other.kill() is True and other.kill() is False
    assert sbx.is_running() and not other.is_running()
    error = raises(Exception, lambda: other.commands.run("true"))
    assert "not found" in str(error) or "NotRunning" in type(error).__name__, repr(error)
    (measure,) = sbx.get_metrics()
    assert measure.mem_total > 0 and measure.disk_used > 0 and measure.cpu_count > 0


@case
def pause_and_connect(sbx):
    sbx.run_code("paused = 'still here'")
    ticks = sbx.commands.run("while true; do echo t; sleep 0.1; done > ticks", background=True)
    wait_for(lambda: sbx.files.exists("ticks"))
    assert sbx.pause() and sbx.get_info().state == SandboxState.PAUSED
    raises(Exception, lambda: sbx.run_code("1"))
    time.sleep(0.5)
    again = Sandbox.connect(sbx.sandbox_id)
    assert again.get_info().state == SandboxState.RUNNING
    assert again.run_code("paused").text == "'still here'"
    size = again.files.get_info("ticks").size
    wait_for(lambda: again.files.get_info("ticks").size > size)
    again.commands.kill(ticks.pid)
    raises(SandboxNotFoundException, lambda: Sandbox.connect("nonesuch"))


@case
def sandboxes_expire(_):
    short = Sandbox.create(timeout=1)
    wait_for(lambda: not short.is_running())
    longer = Sandbox.create(timeout=1)
    longer.set_timeout(60)
    time.sleep(2)
    assert longer.is_running()
    longer.set_timeout(1)
    wait_for(lambda: not longer.is_running())
    with Sandbox.create(timeout=60) as within:
        assert within.run_code("2 + 2").text == "4"
    assert not within.is_running()
    raises(Exception, lambda: Sandbox.create(template="nonesuch"), "nonesuch", "code-interpreter-v1")
    raises(Exception, lambda: Sandbox.create(timeout=10**7), "at most")


@case
def there_is_no_network(sbx):
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)"
    assert sbx.run_code(code).error is not None


def main():
    sbx = Sandbox.create(timeout=600, metadata={"who": WHO}, envs={"OF_SANDBOX": "s"})
    failed = 0
    for function in CASES:
        begin = time.time()
        try:
            function(sbx)
            word = ""
        except Exception:
            traceback.print_exc()
            failed, word = failed + 1, "FAILED"
        print("%-66s %6.0f ms %s" % (function.__name__, (time.time() - begin) * 1000, word), flush=True)
    assert sbx.kill() is True
    assert failed == 0, "%d failed" % failed
    print("all of it ran: %d" % len(CASES))


main()
