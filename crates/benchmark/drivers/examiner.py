# The evaluator's cage in the tier `split`: loads evaluator.py once, and examines in copies of this process, one for each
# order of the host.
#
# No examination finds anything of one before it: a copy begins with the memory of the loading, all that it started is
# killed, and it counts how files were left. Where loading opens, shares or starts something that copies would have in
# common, or asks for the candidate, or where a copy leaves a file, there is no second copy: the process ends, and the
# host starts another.
import gc

PLACES = (WORK, "/tmp", "/dev/shm")
# More files than are looked at after each examination.
MANY = 2000


def left(folders):
    """What can be found in folders; None where that is too much to be looked at each time."""
    found, open_ends = {}, list(folders)
    try:
        while open_ends:
            folder = open_ends.pop()
            for name in posix.listdir(folder):
                path = folder + "/" + name
                status = posix.lstat(path)
                if status.st_mode & 0o170000 == 0o040000:
                    found[path] = status.st_ino, status.st_mode
                    open_ends.append(path)
                else:
                    found[path] = status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns
            if len(found) > MANY:
                return None
    except OSError:
        return None
    return found


def alone():
    """Whether this process has one thread, no child and no memory that its copies would share."""
    for _ in range(1000):
        # A thread that has ended may be seen a moment longer.
        if len(posix.listdir("/proc/self/task")) == 1:
            break
        time.sleep(0.0001)
    else:
        return False
    try:
        posix.waitpid(-1, posix.WNOHANG)
        return False
    except ChildProcessError:
        pass
    fd = posix.open("/proc/self/maps", posix.O_RDONLY | posix.O_CLOEXEC)
    maps = stretch_of(fd)
    posix.close(fd)
    return b" rw-s " not in maps


def order(host_in):
    """Waits for an order: the seed and the nonce of an examination. What is left of the one before it is passed over."""
    def take(size):
        parts = []
        while size:
            part = posix.read(host_in, size)
            if not part:
                posix._exit(0)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    while True:
        head = take(9)
        words = take(int.from_bytes(head[5:], "little"))
        if head[:1] == b"o":
            seed, nonce = words.decode("ascii").split()
            return int(seed), nonce


def end_as(status):
    """Ends as the copy did, or at least not well."""
    how, number = end_of(status)
    if how == "signal":
        try:
            _signal.signal(number, _signal.SIG_DFL)
        except (OSError, ValueError):
            pass
        posix.kill(posix.getpid(), number)
    posix._exit(number or 1)


def sweep():
    """Ends all that a copy left running, but PID 1."""
    try:
        posix.kill(-1, SIGKILL)
    except OSError:
        pass
    try:
        while True:
            posix.waitpid(-1, 0)
    except ChildProcessError:
        pass


def examine(plan, host_in, host_out):
    """Examines as often as it is asked to, and ends this process."""
    seed, nonce = order(host_in)
    lines = []

    def say(text):
        lines[-1].to_host(b"r", 0, text.encode("ascii"))

    def connect():
        lines.append(Exchange(SOCKET, select.poll(), host_in, host_out))

    def mark():
        plant(seed)
        evaluate(plan, module, tell)

    def finish():
        lines[-1].drain()
        if lines[-1].unfit is not None:
            say("u %s\n" % quote(lines[-1].unfit))
        say(".\n")

    ready()
    stand_ins = type(sys)("_stand_in")
    stand_ins.fill = fill
    sys.modules["_stand_in"] = stand_ins
    watch_readers(PROGRAMS + plan["program"], say)
    refuse_meters(refuse)
    tell = timing(plan, say)
    opened = posix.listdir("/proc/self/fd")
    connect()
    say(nonce + "\n")
    lines[-1].begin()
    module = loaded(plan, tell)
    over(plan)
    asked = any(OPENS.values()) or any(COUNTS.values())
    if module is None or asked or not lines[-1].undo():
        if module is not None:
            mark()
        finish()
        posix._exit(0)
    files = left(PLACES) if alone() and posix.listdir("/proc/self/fd") == opened else None
    if files is not None:
        # A copy's collector of garbage does not look at what is there now, which would write to it.
        gc.freeze()
    again = False
    while True:
        done_in, done_out = posix.pipe()
        copy = posix.fork() if files is not None else 0
        if copy == 0:
            connect()
            if again:
                say(nonce + "\n")
            lines[-1].begin()
            mark()
            finish()
            if files is not None:
                lines[-1].wait_for_leave()
                posix.unlink(SOCKET)
                posix.write(done_out, b".")
            posix._exit(0)
        status = posix.waitpid(copy, 0)[1]
        sweep()
        posix.close(done_out)
        done = posix.read(done_in, 1)
        posix.close(done_in)
        if status:
            end_as(status)
        if not done or left(PLACES) != files:
            posix._exit(0)
        # The host takes it for the end of what was printed, and that it may ask again.
        write_all(2, ("\n%s\n" % nonce).encode("ascii"))
        again = True
        seed, nonce = order(host_in)
