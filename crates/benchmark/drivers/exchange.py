# Between the stand-ins of the evaluator's cage and the host: who asks gets a lane, behind which the host has a candidate
# in a cage of its own. What is said passes through unread, but for its first letter.
#
# A lane belongs to one line at a time. A line that ends while its call is under way takes its lane with it: nobody gets
# an answer that another has asked for.
#
# A thread does this. It is none of Python's `threading`, which an evaluator may count.
import _socket
import _thread

LANES = 16


class Caller:
    """One line to a stand-in."""

    def __init__(self, fd):
        self.fd, self.heard, self.unsaid = fd, bytearray(), bytearray()
        self.lane, self.busy = None, False


class Exchange:
    """All lines and lanes."""

    def __init__(self, path, poller, host_in, host_out):
        self.poller, self.host_in, self.host_out = poller, host_in, host_out
        self.process = posix.getpid()
        # Whoever deals with lines has the first; whoever writes to the host has the second, so that messages stay whole.
        self.turn, self.pen = _thread.allocate_lock(), _thread.allocate_lock()
        self.path = path
        self.listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.callers, self.lanes, self.free, self.waiting = {}, {}, [], []
        self.host = bytearray()
        self.next_lane = self.texts = 0
        self.unfit = None
        # Whoever writes to the second ends the thread, which is told by the lock.
        self.end_in, self.end_out = posix.pipe()
        self.thread = _thread.allocate_lock()

    def begin(self):
        """From now on, lines are taken."""
        for fd in (self.listener.fileno(), self.host_in, self.end_in):
            self.poller.register(fd, select.POLLIN)
        self.thread.acquire()
        _thread.start_new_thread(self.carry, ())

    def carry(self):
        """In the thread."""
        try:
            while True:
                ready = self.poller.poll()
                with self.turn:
                    for fd, event in ready:
                        if fd == self.end_in:
                            self.thread.release()
                            return
                        self.serve(fd, event)
        except BaseException as error:
            write_all(2, ("the exchange broke: %s\n" % describe(error)).encode("utf-8", "replace"))
            posix._exit(1)

    def accept(self):
        line = self.listener._accept()[0]
        posix.set_blocking(line, False)
        self.callers[line] = Caller(line)
        self.poller.register(line, select.POLLIN)

    def undo(self):
        """Takes everything back that `begin` did and before it, if nobody has asked for anything; else False."""
        with self.turn:
            try:
                self.accept()
            except BlockingIOError:
                pass
            if self.callers or self.next_lane or self.texts or self.unfit:
                return False
            posix.write(self.end_out, b".")
        self.thread.acquire()
        self.listener.close()
        posix.unlink(self.path)
        posix.close(self.end_in)
        posix.close(self.end_out)
        return True

    def drain(self):
        """Takes the last notes, and is the end of the exchange."""
        self.turn.acquire()
        try:
            while True:
                self.accept()
        except OSError:
            pass
        for caller in self.callers.values():
            try:
                part = b"more"
                while part:
                    part = posix.read(caller.fd, 1 << 20)
                    caller.heard += part
            except OSError:
                pass
            for words in self.messages(caller.heard, 0):
                self.noted(words[:1], words)

    def wait_for_leave(self):
        """Behind `drain`: waits until the host has nothing more to say, and has said so."""
        while True:
            for words in self.messages(self.host, 5):
                if words[:1] == b"e":
                    return
            part = posix.read(self.host_in, 1 << 20)
            if not part:
                posix._exit(1)
            self.host += part

    def noted(self, kind, words):
        """Keeps a note; False if it is none."""
        if kind == b"x":
            self.unfit = self.unfit or words[1:3000].decode("utf-8", "replace")
        elif kind == b"t":
            self.texts += 1
            self.to_host(b"r", 0, b"x %d\n" % self.texts)
        else:
            return False
        return True

    def serve(self, fd, event):
        """Deals with what happened at a descriptor; False if it is none of these."""
        if fd == self.listener.fileno():
            self.accept()
        elif fd == self.host_in:
            self.from_host()
        elif fd in self.callers:
            caller = self.callers[fd]
            if event & select.POLLOUT:
                self.flush(caller)
            if event & ~select.POLLOUT and fd in self.callers:
                self.from_caller(caller)
        else:
            return False
        return True

    def to_host(self, kind, lane, payload=b""):
        message = kind + lane.to_bytes(4, "little") + packed(payload)
        if posix.getpid() != self.process:
            # A copy of the evaluator, which has a copy of the pen; what it has to tell is short enough to stay whole.
            write_all(self.host_out, message)
            return
        with self.pen:
            write_all(self.host_out, message)

    def from_caller(self, caller):
        try:
            part = posix.read(caller.fd, 1 << 20)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self.end(caller)
            return
        caller.heard += part
        for words in self.messages(caller.heard, 0):
            kind = words[:1]
            if self.noted(kind, words):
                continue
            if kind == b"q":
                caller.busy = words
                self.waiting.append(caller)
                self.lead()
            elif caller.lane is not None:
                self.to_host(b"d", caller.lane, words)

    def lead(self):
        """Gives lanes to those who ask, as long as there are lanes."""
        while self.waiting:
            caller = self.waiting[0]
            if caller.lane is None:
                if self.free:
                    caller.lane = self.free.pop()
                elif len(self.lanes) < LANES:
                    self.next_lane += 1
                    caller.lane = self.next_lane
                elif not self.take_back():
                    return
                else:
                    continue
            self.waiting.pop(0)
            self.lanes[caller.lane] = caller
            self.to_host(b"d", caller.lane, caller.busy)
            caller.busy = True

    def take_back(self):
        """Frees the lane of a line that asks nothing at the moment."""
        for lane, caller in self.lanes.items():
            if caller is not None and not caller.busy:
                caller.lane, self.lanes[lane] = None, None
                self.free.append(lane)
                return True
        return False

    def messages(self, buffer, head):
        """The whole messages at the front of a buffer, which are taken out of it; each with `head` bytes before it."""
        at = 0
        while len(buffer) >= at + head + 4:
            end = at + head + 4 + int.from_bytes(buffer[at + head:at + head + 4], "little")
            if len(buffer) < end:
                break
            yield bytes(buffer[at:at + head] + buffer[at + head + 4:end])
            at = end
        del buffer[:at]

    def from_host(self):
        part = posix.read(self.host_in, 1 << 20)
        if not part:
            posix._exit(1)
        self.host += part
        for words in self.messages(self.host, 5):
            kind, lane, words = words[:1], int.from_bytes(words[1:5], "little"), words[5:]
            caller = self.lanes.get(lane)
            if kind == b"g":
                # Its cage can go as well.
                self.to_host(b"c", lane)
                self.lanes.pop(lane, None)
                if lane in self.free:
                    self.free.remove(lane)
                if caller is not None:
                    caller.lane = None
                    if caller.busy:
                        caller.busy = False
                        self.say(caller, b"g" + words)
                self.lead()
            elif caller is not None:
                if words[:1] == b"r":
                    caller.busy = False
                self.say(caller, words)
                self.lead()

    def say(self, caller, words):
        caller.unsaid += packed(words)
        self.flush(caller)

    def flush(self, caller):
        try:
            while caller.unsaid:
                del caller.unsaid[:posix.write(caller.fd, memoryview(caller.unsaid)[:1 << 20].tobytes())]
        except BlockingIOError:
            pass
        except OSError:
            self.end(caller)
            return
        self.poller.modify(caller.fd, select.POLLIN | (select.POLLOUT if caller.unsaid else 0))

    def end(self, caller):
        """A line has ended."""
        self.callers.pop(caller.fd, None)
        self.poller.unregister(caller.fd)
        posix.close(caller.fd)
        if caller in self.waiting:
            self.waiting.remove(caller)
        lane = caller.lane
        if lane is None:
            return
        if caller.busy:
            self.lanes.pop(lane, None)
            self.to_host(b"c", lane)
        else:
            self.lanes[lane] = None
            self.free.append(lane)
        self.lead()
