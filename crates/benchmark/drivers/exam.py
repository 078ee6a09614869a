# Exam driver: runs the suite's own checker on what a subject answered. No code of the subject is in this cage.
# The nonce is read after the checker is dead, so that what a checker prints is never taken for a frame.
SUITE = WORK + "/suite/"


def check(program, seed, text, give):
    """In the child: the checker as the main program, with the exam on its standard input."""
    with open((posix.environ.get(b"TMPDIR") or b"/tmp") + b"/exam.json", "w+b") as file:
        file.write(text)
        file.seek(0)
        posix.dup2(file.fileno(), 0)
    posix.dup2(give, 1)
    plant(seed)
    path = SUITE + program
    sys.argv[:] = [path]
    sys.path.insert(0, path.rpartition("/")[0])
    module = type(sys)("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        exec(code, module.__dict__)
        return 0
    except SystemExit as stop:
        if stop.code in (None, 0):
            return 0
        sys.stderr.write("SystemExit: %s" % (stop.code,))
        return 1
    except BaseException as error:
        sys.stderr.write(describe(error, HIDE))
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass


def main():
    plan = read_plan()
    open_paths([], plan["modules"])
    take, give = posix.pipe()
    take_error, give_error = posix.pipe()
    pid = posix.fork()
    if pid == 0:
        code = 1
        try:
            posix.setsid()
            posix.close(take)
            posix.close(take_error)
            posix.dup2(give_error, 2)
            code = check(plan["program"], plan["seed"], plan["exam"].encode("utf-8"), give)
        finally:
            posix._exit(code)
    posix.close(give)
    posix.close(give_error)
    limit = NEXT() + plan["seconds"]
    poller = select.poll()
    said = {take: bytearray(), take_error: bytearray()}
    for fd in said:
        poller.register(fd, select.POLLIN)
    open_ends, end = 2, None
    while open_ends and end is None:
        left = limit - NEXT()
        if left <= 0:
            end = ("time", 0)
            break
        for fd, _ in poller.poll(left * 1000 + 1):
            part = posix.read(fd, 1 << 16)
            if not part:
                poller.unregister(fd)
                open_ends -= 1
            elif len(said[fd]) < 1 << 18:
                said[fd] += part
    status = kill_tree(pid)
    if end is None:
        end = ("done", 0) if status == ("exit", 0) else status
    nonce = read_line()
    text = said[take].decode("utf-8", "replace")
    error = said[take_error].decode("utf-8", "replace")
    write_all(1, ('\n%s {"task":0,"end":"%s","code":%d,"said":%s,"error":%s}\n' % (
        nonce, end[0], end[1], quote(text), quote(error[-2000:]))).encode("ascii"))


if __name__ == "__main__":
    main()
