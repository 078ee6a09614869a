# Plain data as text: what crosses between the evaluator's cage and the candidate's, and nothing else does.
#
# JSON, where an object is always one of these: i(nteger, hexadecimal), f(loat that is not finite), t(uple), d(ict, as
# pairs), e (set), z (frozen set), b(ytes), B (bytearray), c(omplex), r(ange), n (iterator, drained), y (array.array),
# a (numpy array), s (numpy scalar), k (a function of the evaluator's, by its number). Base64 holds what is binary. The
# reader makes objects of exactly these types, so nothing of the other side's code comes with them.
import binascii

DEPTH = 40
ITEMS = 2 << 20
LARGEST = 24 << 20
ARRAYS = frozenset(
    ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"))
LETTERS = {"|b1": "?", "|i1": "b", "|u1": "B", "<i2": "h", "<u2": "H", "<i4": "i", "<u4": "I", "<i8": "q", "<u8": "Q",
           "<f2": "e", "<f4": "f", "<f8": "d"}


class Unfit(Exception):
    """A value that is no plain data."""


def kind_of(value):
    """The full name of a value's type."""
    kind = type(value)
    name = "%s.%s" % (type.__getattribute__(kind, "__module__"), type.__getattribute__(kind, "__qualname__"))
    return name[len("builtins."):] if name.startswith("builtins.") else name


class Writer:
    """Values as text. `calls` takes functions, where they may cross."""

    def __init__(self, calls=None, largest=LARGEST):
        self.out, self.left, self.largest, self.calls = [], largest, largest, calls
        self.items = ITEMS

    def text(self):
        return "".join(self.out)

    def room(self, size):
        """Before something large is made into text."""
        if size > self.left:
            raise Unfit("a value of more than %d bytes" % self.largest)

    def put(self, text):
        self.room(len(text))
        self.left -= len(text)
        self.out.append(text)

    def many(self, opening, values, closing, depth):
        mark = opening
        for value in values:
            self.items -= 1
            if self.items < 0:
                raise Unfit("a value of more than %d items" % ITEMS)
            self.out.append(mark)
            self.value(value, depth + 1)
            mark = ","
        self.put(closing if mark == "," else opening + closing)

    def binary(self, tag, *parts):
        parts = [quote(part) if isinstance(part, str) else binascii.b2a_base64(part, newline=False).decode("ascii").join('""')
                 if isinstance(part, (bytes, bytearray, memoryview)) else "[%s]" % ",".join(map(str, part)) for part in parts]
        self.put('{"%s":%s}' % (tag, parts[0] if len(parts) == 1 else "[%s]" % ",".join(parts)))

    def value(self, value, depth=0):
        kind = type(value)
        if value is None:
            self.put("null")
        elif kind is bool:
            self.put("true" if value else "false")
        elif kind.__module__ == "numpy" and self.numeric(value):
            pass
        elif isinstance(value, int):
            if int.bit_length(value) < 63:
                self.put(int.__repr__(value))
            else:
                self.room(int.bit_length(value) // 4)
                self.put('{"i":"%s"}' % hex(int.__index__(value)))
        elif isinstance(value, float):
            text = float.__repr__(value)
            self.put(text if text[-1] not in "nf" else '{"f":"%s"}' % text)
        elif isinstance(value, str):
            self.put(self.quoted(value))
        elif depth > DEPTH:
            raise Unfit("a value nested more than %d deep" % DEPTH)
        elif isinstance(value, list):
            self.many("[", list.__iter__(value), "]", depth)
        elif kind is tuple:
            self.out.append('{"t":')
            self.many("[", value, "]}", depth)
        elif isinstance(value, dict):
            self.out.append('{"d":')
            self.many("[", map(list, dict.items(value)), "]}", depth + 1)
        elif isinstance(value, (set, frozenset)):
            self.out.append('{"e":' if isinstance(value, set) else '{"z":')
            self.many("[", value, "]}", depth)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            self.room(len(value))
            self.binary("B" if isinstance(value, bytearray) else "b", bytes(value))
        elif isinstance(value, complex):
            self.out.append('{"c":')
            self.many("[", [complex(value).real, complex(value).imag], "]}", depth)
        elif kind is range:
            self.out.append('{"r":')
            self.many("[", [value.start, value.stop, value.step], "]}", depth)
        elif kind.__module__ == "array" and kind.__name__ == "array" and value.typecode != "u":
            self.binary("y", value.typecode, value.tobytes())
        elif hasattr(kind, "__next__"):
            self.out.append('{"n":')
            self.many("[", value, "]}", depth)
        elif kind.__name__ in ("dict_keys", "dict_values", "dict_items"):
            self.many("[", value, "]", depth)
        elif self.calls is not None and callable(value):
            self.put('{"k":%d}' % self.calls(value))
        else:
            raise Unfit("a %s" % kind_of(value))

    def quoted(self, text):
        text = str.__str__(text)
        self.room(len(text))
        if not text.isascii():
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                raise Unfit("a text with half of a surrogate pair") from None
        return quote(text)

    def numeric(self, value):
        """Writes an array or a scalar of numpy; False for what else it has."""
        numpy = sys.modules.get("numpy")
        if not isinstance(value, (numpy.ndarray, numpy.generic)):
            return False
        dtype = value.dtype
        if dtype.byteorder == ">":
            dtype = dtype.newbyteorder("<")
        if dtype.str not in ARRAYS:
            raise Unfit("a numpy value of dtype %s" % dtype)
        self.room(value.nbytes)
        data = numpy.asarray(value, dtype=dtype).tobytes()
        if isinstance(value, numpy.ndarray):
            self.binary("a", dtype.str, value.shape, data)
        else:
            self.binary("s", dtype.str, data)
        return True


def written(value, calls=None):
    """A value as text."""
    writer = Writer(calls)
    writer.value(value)
    return writer.text()


def numbers(letters, shape, data):
    """An array of numpy, or lists of numbers where there is no numpy. An empty shape is an array without dimensions."""
    try:
        import numpy
        return numpy.frombuffer(data, dtype=letters).reshape(shape).copy()
    except ImportError:
        pass
    import struct
    if letters[1] == "c":
        flat = struct.unpack("<%d%s" % (len(data) * 2 // int(letters[2:]), "f" if letters == "<c8" else "d"), data)
        flat = [complex(*pair) for pair in zip(flat[::2], flat[1::2])]
    else:
        flat = list(struct.unpack("<%d%s" % (len(data) // int(letters[2:]), LETTERS[letters]), data))
    for size in reversed(shape[1:]):
        flat = [flat[at:at + size] for at in range(0, len(flat), size)] if size else flat
    return flat if shape else flat[0]


def one(number):
    """The scalar in an array without dimensions."""
    return number[()] if hasattr(number, "dtype") else number


def array_of(code, data):
    import array
    return array.array(code, data)


MAKE = {
    "i": lambda value: int(value, 16),
    "f": float,
    "t": tuple,
    "d": dict,
    "e": set,
    "z": frozenset,
    "b": binascii.a2b_base64,
    "B": lambda value: bytearray(binascii.a2b_base64(value)),
    "c": lambda value: complex(*value),
    "r": lambda value: range(*value),
    "n": iter,
    "y": lambda value: array_of(value[0], binascii.a2b_base64(value[1])),
    "a": lambda value: numbers(value[0], value[1], binascii.a2b_base64(value[2])),
    "s": lambda value: one(numbers(value[0], [], binascii.a2b_base64(value[1]))),
}


def reader(call=None):
    """A function from text to the value. `call` makes something of the number of a function."""
    def made(value):
        (tag, inner), = value.items()
        if tag == "k" and call is not None:
            return call(inner)
        return MAKE[tag](inner)

    try:
        from _json import make_scanner
    except ImportError:
        from json import JSONDecoder
        return JSONDecoder(object_hook=made).decode
    settings = type("Settings", (), dict(
        strict=True, object_hook=staticmethod(made), object_pairs_hook=None, parse_float=float, parse_int=int,
        parse_constant=None, memo={}))
    scan = make_scanner(settings)
    return lambda text: scan(text, 0)[0]


def packed(payload):
    """A message behind its length."""
    return len(payload).to_bytes(4, "little") + payload


def stretch(fd, size):
    """So many bytes of a descriptor; None at its end."""
    parts = []
    while size:
        part = posix.read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def message(fd):
    """The next message of a descriptor; None at its end."""
    head = stretch(fd, 4)
    return None if head is None else stretch(fd, int.from_bytes(head, "little"))


def names_of(error):
    """The names of an exception's type and of all that it is a kind of."""
    return [kind.__name__ for kind in type.mro(type(error)) if kind is not object][:20]


def failure(error, places=()):
    """An exception as text: its names, its message, where it came up."""
    try:
        text = str.__str__(str(error))[:2000].encode("utf-8", "replace").decode("utf-8")
    except BaseException:
        text = "(its message cannot be read)"
    return '["raised",%s,%s,%s]' % (written(names_of(error)), quote(text), written(list(places)))
