//! Python: what textbook slips look like.

use super::{Slip, measure, slip};
use crate::mutate::language::Lang;

const ADD: &str = "def add(a, b):\n    return a + b\n";
const MULTIPLY: &str = "def multiply(x, y):\n    return x * y\n";

const POPCOUNT: &str = "\
def ones(n):
    total = 0
    while n:
        n &= n - 1
        total += 1
    return total
";

const REACH: &str = "\
from collections import deque

def reachable(start, goal):
    todo = deque([start])
    seen = {start}
    while todo:
        node = todo.popleft()
        if node is goal:
            return True
        for other in node.successors:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return False
";

const DEPTH: &str = "\
def connected(start, goal):
    visited = set()

    def explore(node):
        if node in visited:
            return False
        if node is goal:
            return True
        visited.add(node)
        return any(explore(other) for other in node.successors)

    return explore(start)
";

const TALLY: &str = "\
def tally_sort(values, top):
    counts = [0] * top
    for value in values:
        counts[value] += 1
    result = []
    for value, count in enumerate(counts):
        result.extend([value] * count)
    return result
";

const CYCLE: &str = "\
def has_cycle(head):
    slow = fast = head
    while True:
        if fast is None or fast.next is None:
            return False
        slow = slow.next
        fast = fast.next.next
        if slow is fast:
            return True
";

const BISECT: &str = "\
def locate(values, x):
    def look(low, high):
        if low == high:
            return -1
        mid = low + (high - low) // 2
        if x < values[mid]:
            return look(low, mid)
        elif x > values[mid]:
            return look(mid + 1, high)
        else:
            return mid
    return look(0, len(values))
";

const FIRST: &str = "\
def first_at(values, x):
    low = 0
    high = len(values)
    while low < high:
        mid = (low + high) // 2
        if x == values[mid] and (mid == 0 or x != values[mid - 1]):
            return mid
        elif x <= values[mid]:
            high = mid
        else:
            low = mid + 1
    return -1
";

const FLAT: &str = "\
def flat(items):
    for item in items:
        if isinstance(item, list):
            for inner in flat(item):
                yield inner
        else:
            yield item
";

const EUCLID: &str = "\
def euclid(a, b):
    if b == 0:
        return a
    else:
        return euclid(b, a % b)
";

const FACTORS: &str = "\
def factors(n):
    if n == 1:
        return []
    for i in range(2, int(n ** 0.5) + 1):
        if n % i == 0:
            return [i] + factors(n // i)
    return [n]
";

const TOWERS: &str = "\
def towers(height, start=1, end=3):
    steps = []
    if height > 0:
        spare = ({1, 2, 3} - {start} - {end}).pop()
        steps.extend(towers(height - 1, start, spare))
        steps.append((start, end))
        steps.extend(towers(height - 1, spare, end))
    return steps
";

const PARENS: &str = "\
def balanced(text):
    depth = 0
    for letter in text:
        if letter == '(':
            depth += 1
        else:
            depth -= 1
            if depth < 0:
                return False
    return depth == 0
";

const LARGEST: &str = "\
import heapq

def nearly_sorted(values, k):
    heap = values[:k]
    heapq.heapify(heap)
    for x in values[k:]:
        yield heapq.heappushpop(heap, x)
    while heap:
        yield heapq.heappop(heap)
";

const SACK: &str = "\
from collections import defaultdict

def sack(capacity, items):
    memo = defaultdict(int)
    for i in range(1, len(items) + 1):
        weight, value = items[i - 1]
        for j in range(1, capacity + 1):
            memo[i, j] = memo[i - 1, j]
            if weight <= j:
                memo[i, j] = max(memo[i, j], value + memo[i - 1, j - weight])
    return memo[len(items), capacity]
";

const RANKED: &str = "\
def kth(values, k):
    pivot = values[0]
    below = [x for x in values if x < pivot]
    above = [x for x in values if x > pivot]
    less = len(below)
    most = len(values) - len(above)
    if k < less:
        return kth(below, k)
    elif k >= most:
        return kth(above, k - most)
    else:
        return pivot
";

const COMMON: &str = "\
from collections import Counter

def common_length(s, t):
    table = Counter()
    for i in range(len(s)):
        for j in range(len(t)):
            if s[i] == t[j]:
                table[i, j] = table[i - 1, j - 1] + 1
    return max(table.values()) if table else 0
";

const DISTANCE: &str = "\
def distance(source, target):
    if source == '' or target == '':
        return len(source) or len(target)
    elif source[0] == target[0]:
        return distance(source[1:], target[1:])
    else:
        return 1 + min(
            distance(source, target[1:]),
            distance(source[1:], target[1:]),
            distance(source[1:], target)
        )
";

const RISING: &str = "\
def rising(values):
    ends = {}
    longest = 0
    for i, value in enumerate(values):
        shorter = [j for j in range(1, longest + 1) if values[ends[j]] < value]
        length = max(shorter) if shorter else 0
        if length == longest or value < values[ends[length + 1]]:
            ends[length + 1] = i
            longest = max(longest, length + 1)
    return longest
";

const SUBSEQUENCE: &str = "\
def subsequence(a, b):
    if not a or not b:
        return ''
    elif a[0] == b[0]:
        return a[0] + subsequence(a[1:], b[1:])
    else:
        return max(subsequence(a, b[1:]), subsequence(a[1:], b), key=len)
";

const KADANE: &str = "\
def best_run(values):
    here = 0
    best = 0
    for x in values:
        here = max(0, here + x)
        best = max(best, here)
    return best
";

const MERGE: &str = "\
def merge_sort(values):
    def merge(left, right):
        result = []
        i = 0
        j = 0
        while i < len(left) and j < len(right):
            if left[i] <= right[j]:
                result.append(left[i])
                i += 1
            else:
                result.append(right[j])
                j += 1
        result.extend(left[i:] or right[j:])
        return result

    if len(values) <= 1:
        return values
    middle = len(values) // 2
    left = merge_sort(values[:middle])
    right = merge_sort(values[middle:])
    return merge(left, right)
";

const SPANNING: &str = "\
def spanning(weights):
    group = {}
    tree = set()
    for edge in sorted(weights, key=weights.__getitem__):
        u, v = edge
        if group.setdefault(u, {u}) != group.setdefault(v, {v}):
            tree.add(edge)
            group[u].update(group[v])
            for node in group[v]:
                group[node] = group[u]
    return tree
";

const PALINDROME: &str = "\
def next_palindrome(digits):
    high = len(digits) // 2
    low = (len(digits) - 1) // 2
    while high < len(digits) and low >= 0:
        if digits[high] == 9:
            digits[high] = 0
            digits[low] = 0
            high += 1
            low -= 1
        else:
            digits[high] += 1
            if low != high:
                digits[low] += 1
            return digits
    return [1] + (len(digits) - 1) * [0] + [1]
";

const PERMUTATION: &str = "\
def next_permutation(perm):
    for i in range(len(perm) - 2, -1, -1):
        if perm[i] < perm[i + 1]:
            for j in range(len(perm) - 1, i, -1):
                if perm[i] < perm[j]:
                    after = list(perm)
                    after[i], after[j] = perm[j], perm[i]
                    after[i + 1:] = reversed(after[i + 1:])
                    return after
";

const TRIANGLE: &str = "\
def triangle(n):
    rows = [[1]]
    for r in range(1, n):
        row = []
        for c in range(0, r + 1):
            left = rows[r - 1][c - 1] if c > 0 else 0
            right = rows[r - 1][c] if c < r else 0
            row.append(left + right)
        rows.append(row)
    return rows
";

const CHANGE: &str = "\
def ways(coins, total):
    if total == 0:
        return 1
    if total < 0 or not coins:
        return 0
    first, *rest = coins
    return ways(coins, total - first) + ways(rest, total)
";

const SUBSETS: &str = "\
def subsets(values):
    if values:
        first, *rest = values
        others = subsets(rest)
        return others + [[first] + other for other in others]
    else:
        return [[]]
";

const QUICK: &str = "\
def quick(values):
    if not values:
        return []
    pivot = values[0]
    lesser = quick([x for x in values[1:] if x < pivot])
    greater = quick([x for x in values[1:] if x >= pivot])
    return lesser + [pivot] + greater
";

const REVERSE: &str = "\
def reverse(node):
    prev = None
    while node:
        following = node.next
        node.next = prev
        prev = node
        node = following
    return prev
";

const POLISH: &str = "\
def polish(tokens):
    operators = {
        '+': lambda a, b: a + b,
        '-': lambda a, b: a - b,
    }
    stack = []
    for token in tokens:
        if isinstance(token, float):
            stack.append(token)
        else:
            a = stack.pop()
            b = stack.pop()
            stack.append(operators[token](b, a))
    return stack.pop()
";

const DIJKSTRA: &str = "\
from heapq import heappush, heappop

def shortest(lengths, start, goal):
    frontier = [(0, start)]
    visited = set()
    while frontier:
        distance, node = heappop(frontier)
        if node is goal:
            return distance
        visited.add(node)
        for other in node.successors:
            if other in visited:
                continue
            update(frontier, min(lookup(frontier, other) or float('inf'), distance + lengths[node, other]), other)
    return float('inf')
";

const FLOYD: &str = "\
from collections import defaultdict

def all_lengths(n, edges):
    length = defaultdict(lambda: float('inf'))
    length.update({(i, i): 0 for i in range(n)})
    length.update(edges)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                length[i, j] = min(length[i, j], length[i, k] + length[k, j])
    return length
";

const BELLMAN: &str = "\
def relax_all(source, weight_of_edge):
    weight_of_node = {v: float('inf') for u, v in weight_of_edge}
    weight_of_node[source] = 0
    for i in range(len(weight_of_node) - 1):
        for (u, v), weight in weight_of_edge.items():
            weight_of_node[v] = min(weight_of_node[u] + weight, weight_of_node[v])
    return weight_of_node
";

const YARD: &str = "\
def postfix(tokens):
    precedence = {'+': 1, '-': 1, '*': 2, '/': 2}
    output = []
    operators = []
    for token in tokens:
        if isinstance(token, int):
            output.append(token)
        else:
            while operators and precedence[token] <= precedence[operators[-1]]:
                output.append(operators.pop())
            operators.append(token)
    while operators:
        output.append(operators.pop())
    return output
";

const SIEVE: &str = "\
def primes_to(top):
    primes = []
    for n in range(2, top + 1):
        if all(n % p > 0 for p in primes):
            primes.append(n)
    return primes
";

const ROOT: &str = "\
def root(x, epsilon):
    guess = x / 2
    while abs(x - guess ** 2) > epsilon:
        guess = 0.5 * (guess + x / guess)
    return guess
";

const CHOOSE: &str = "\
def choose(low, high, k):
    if k == 0:
        return [[]]
    result = []
    for i in range(low, high + 1 - k):
        result.extend([i] + rest for rest in choose(i + 1, high, k - 1))
    return result
";

const BASE: &str = "\
import string

def in_base(number, base):
    result = ''
    digits = string.digits + string.ascii_uppercase
    while number > 0:
        i = number % base
        number = number // base
        result = digits[i] + result
    return result
";

const ORDER: &str = "\
def order(nodes):
    ordered = [node for node in nodes if not node.incoming]
    for node in ordered:
        for other in node.outgoing:
            if set(ordered).issuperset(other.incoming) and other not in ordered:
                ordered.append(other)
    return ordered
";

const WRAP: &str = "\
def wrap(text, width):
    lines = []
    while len(text) > width:
        end = text.rfind(' ', 0, width + 1)
        if end == -1:
            end = width
        line, text = text[:end], text[end:]
        lines.append(line)
    lines.append(text)
    return lines
";

const LEAP: &str = "\
def leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
";

const FACTORIAL: &str = "\
def factorial(n):
    if n == 0:
        return 1
    return n * factorial(n - 1)
";

const FIB: &str = "\
def fib(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
";

const MEAN: &str = "\
def mean(values):
    if not values:
        return 0
    return sum(values) / len(values)
";

const VOWELS: &str = "\
def vowels(text):
    count = 0
    for letter in text.lower():
        if letter in 'aeiou':
            count += 1
    return count
";

const WORDS: &str = "\
def frequencies(text):
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts
";

const ROTATE: &str = "\
def rotate(values, k):
    if not values:
        return values
    k = k % len(values)
    return values[-k:] + values[:-k]
";

const BUBBLE: &str = "\
def bubble(values):
    values = list(values)
    n = len(values)
    for i in range(n):
        for j in range(0, n - i - 1):
            if values[j] > values[j + 1]:
                values[j], values[j + 1] = values[j + 1], values[j]
    return values
";

const POWER: &str = "\
def power(base, exponent, modulus):
    result = 1
    base %= modulus
    while exponent > 0:
        if exponent & 1:
            result = result * base % modulus
        exponent >>= 1
        base = base * base % modulus
    return result
";

const TRANSPOSE: &str = "\
def transpose(grid):
    rows, cols = len(grid), len(grid[0])
    result = [[0] * rows for _ in range(cols)]
    for r in range(rows):
        for c in range(cols):
            result[c][r] = grid[r][c]
    return result
";

const LARGEST_OF: &str = "\
def largest(values):
    best = values[0]
    for value in values:
        if value > best:
            best = value
    return best
";

const INSERTION: &str = "\
def insertion(values):
    for i in range(1, len(values)):
        key = values[i]
        j = i - 1
        while j >= 0 and values[j] > key:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = key
    return values
";

const ROMAN: &str = "\
def roman(text):
    worth = {'I': 1, 'V': 5, 'X': 10, 'L': 50, 'C': 100, 'D': 500, 'M': 1000}
    total = 0
    for i, letter in enumerate(text):
        if i + 1 < len(text) and worth[letter] < worth[text[i + 1]]:
            total -= worth[letter]
        else:
            total += worth[letter]
    return total
";

const QUEENS: &str = "\
def placements(size):
    columns, rising = set(), set()

    def place(row):
        if row == size:
            return 1
        ways = 0
        for col in range(size):
            if col in columns or row + col in rising:
                continue
            columns.add(col)
            rising.add(row + col)
            ways += place(row + 1)
            columns.remove(col)
            rising.remove(row + col)
        return ways

    return place(0)
";

const HALVES: &str = "\
def halvings(number):
    count = 0
    while number > 1:
        number //= 2
        count += 1
    return count
";

const CHAIN: &str = "\
def values_of(node):
    found = []
    while node is not None:
        found.append(node.value)
        node = node.next
    return found


def last_of(node):
    while node.next is not None:
        node = node.next
    return node
";

const PADDED: &str = "\
def padded(a, b):
    width = max(len(a), len(b))
    a += [0] * (width - len(a))
    b += [0] * (width - len(b))
    return a, b
";

const SPROUT: &str = "\
class Tree:
    def __init__(self, value):
        self.value = value
        self.left = None


def insert(tree, value):
    if tree is None:
        return Tree(value)
    tree.left = insert(tree.left, value)
    return tree


def walk(tree, out):
    if tree is None:
        return
    walk(tree.left, out)
    out.append(tree.value)
";

const SHELF: &str = "\
class Shelf:
    def __init__(self):
        self.items = {}

    def take(self, key):
        if key not in self.items:
            return -1
        return self.items[key]
";

const NUMERAL: &str = "\
def number_of(text):
    total = 0
    for letter in text:
        total = total * 10 + int(letter)
    return total
";

const SIGNS: &str = "\
def path_of(prefix, key):
    return prefix + '.' + key


def positive(records):
    total = 0
    for record in records:
        if record is None:
            continue
        total += record.amount
    return total
";

const ALLOWED: &str = "\
def allowed(user, public, admin):
    return user.active and (public or admin or user.owner)
";

const SHIFTED: &str = "\
def checksum(data):
    register = 0
    for byte in data:
        carry = register & 0x80
        register = register << 1 & 0xff ^ byte
        if carry:
            register ^= 0x07
    return register
";

const FIELDS: &str = "\
def fields(text):
    found = {}
    for pair in text.split('&'):
        name, _, value = pair.partition('=')
        found[name] = value
    return found
";

const LEVELS: &str = "\
from collections import deque

def levels(start, near):
    far = {start: 0}
    todo = deque([start])
    while todo:
        place = todo.popleft()
        for other in near[place]:
            if other not in far:
                far[other] = far[place] + 1
                todo.append(other)
    return far
";

const CABLES: &str = "\
import heapq

def cables(near):
    joined = set()
    total = 0
    queue = [(0, 0)]
    while queue:
        length, house = heapq.heappop(queue)
        if house in joined:
            continue
        joined.add(house)
        total += length
        for offer in near[house]:
            heapq.heappush(queue, offer)
    return total
";

const FILL: &str = "\
def fill(grid, free, fits):
    if not free:
        return True
    r, c = free[0]
    for digit in range(1, 10):
        if fits(grid, r, c, digit):
            grid[r][c] = digit
            if fill(grid, free[1:], fits):
                return True
            grid[r][c] = 0
    return False
";

const WITHIN: &str = "\
def within(text, target):
    def count(i, j):
        if j == len(target):
            return 1
        if i == len(text):
            return 0
        total = count(i + 1, j)
        if text[i] == target[j]:
            total += count(i + 1, j + 1)
        return total

    return count(0, 0)
";

const MIRRORED: &str = "\
def mirrored(left, right):
    if left is None or right is None:
        return left is right
    if left.value != right.value:
        return False
    return mirrored(left.left, right.right) and mirrored(left.right, right.left)
";

const SETTLED: &str = "\
def settled(values):
    moved = True
    while moved:
        moved = False
        for i in range(len(values) - 1):
            if values[i] > values[i + 1]:
                values[i], values[i + 1] = values[i + 1], values[i]
                moved = True
    return values
";

const ZIGZAG: &str = "\
def zigzag(values):
    up, down = 1, 1
    for before, now in zip(values, values[1:]):
        if now > before:
            up = down + 1
        elif now < before:
            down = up + 1
    return max(up, down)
";

const ROADS: &str = "\
def roads(edges, size):
    near = [[] for _ in range(size)]
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    return near
";

const PIPES: &str = "\
def push_along(room, path, push):
    for a, b in path:
        room[a][b] -= push
        room[b][a] += push
    return room
";

const UNIT: &str = "\
def unit(size):
    return [[int(i == j) for j in range(size)] for i in range(size)]
";

const WOVEN: &str = "\
def woven(a, b, mix):
    reach = [[False] * (len(b) + 1) for _ in range(len(a) + 1)]
    reach[0][0] = True
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            if i > 0 and reach[i - 1][j] and a[i - 1] == mix[i + j - 1]:
                reach[i][j] = True
            if j > 0 and reach[i][j - 1] and b[j - 1] == mix[i + j - 1]:
                reach[i][j] = True
    return reach[len(a)][len(b)]
";

const REDO: &str = "\
def replay(commands):
    done = []
    undone = []
    for name in commands:
        if name == 'undo':
            undone.append(done.pop())
        elif name == 'redo':
            done.append(undone.pop())
        else:
            undone.clear()
            done.append(name)
    return done
";

const SPANS: &str = "\
def spans(reach):
    jumps, end, farthest = 0, 0, 0
    for i in range(len(reach) - 1):
        farthest = max(farthest, i + reach[i])
        if i == end:
            jumps += 1
            end = farthest
    return jumps
";

const SLIPS: &[Slip] = &[
    slip("add subtracts", ADD, "a + b", "a - b"),
    slip("multiply adds", MULTIPLY, "x * y", "x + y"),
    slip("xor for and", POPCOUNT, "&=", "^="),
    slip("counter starts at one", POPCOUNT, "total = 0", "total = 1"),
    slip("endless search", REACH, "while todo:", "while True:"),
    slip("visited mark forgotten", DEPTH, "        visited.add(node)\n", ""),
    Slip {
        name: "queued node not marked",
        program: REACH,
        right: "                seen.add(other)\n                todo.append(other)\n",
        wrong: "                todo.append(other)\n",
        same: &["                todo.append(other)\n                seen.add(other)\n"],
    },
    slip("wrong sequence", TALLY, "enumerate(counts)", "enumerate(values)"),
    slip("absence not tested", CYCLE, "fast is None or fast.next is None", "fast.next is None"),
    slip("search does not shrink", BISECT, "look(mid + 1, high)", "look(mid, high)"),
    slip("boundary of a loop", FIRST, "low < high", "low <= high"),
    slip("leaf is descended into", FLAT, "yield item\n", "yield flat(item)\n"),
    slip("swapped arguments", EUCLID, "euclid(b, a % b)", "euclid(a % b, b)"),
    slip("last factor lost", FACTORS, "return [n]", "return []"),
    slip("wrong peg", TOWERS, "(start, end))\n        steps.extend", "(start, spare))\n        steps.extend"),
    slip("end not tested", PARENS, "return depth == 0", "return True"),
    slip("whole sequence again", LARGEST, "in values[k:]", "in values"),
    slip("exact fit refused", SACK, "weight <= j", "weight < j"),
    slip("rank not shifted", RANKED, "kth(above, k - most)", "kth(above, k)"),
    slip("diagonal of a table", COMMON, "table[i - 1, j - 1]", "table[i - 1, j]"),
    slip(
        "cost without a step",
        DISTANCE,
        "        return distance(source[1:], target[1:])\n    else",
        "        return 1 + distance(source[1:], target[1:])\n    else",
    ),
    slip("longest forgotten", RISING, "max(longest, length + 1)", "length + 1"),
    slip("only one is shortened", SUBSEQUENCE, "a[0] + subsequence(a[1:], b[1:])", "a[0] + subsequence(a[1:], b)"),
    slip("negative run kept", KADANE, "max(0, here + x)", "here + x"),
    Slip {
        name: "base case too narrow",
        program: MERGE,
        right: "len(values) <= 1",
        wrong: "len(values) == 0",
        same: &["len(values) < 2", "not len(values) > 1", "1 >= len(values)"],
    },
    slip("updated instead of shared", SPANNING, "group[node] = group[u]", "group[node].update(group[u])"),
    slip("one digit too many", PALINDROME, "(len(digits) - 1) * [0]", "(len(digits)) * [0]"),
    Slip {
        name: "comparison turned",
        program: PERMUTATION,
        right: "perm[i] < perm[j]",
        wrong: "perm[j] < perm[i]",
        same: &["perm[j] > perm[i]"],
    },
    slip("row too short", TRIANGLE, "range(0, r + 1)", "range(0, r)"),
    Slip {
        name: "no coins left",
        program: CHANGE,
        right: "total < 0 or not coins",
        wrong: "total < 0",
        same: &["not coins or total < 0"],
    },
    slip("half of the subsets", SUBSETS, "others + [[first]", "[[first]"),
    slip("equals dropped", QUICK, "x >= pivot", "x > pivot"),
    slip("link not advanced", REVERSE, "        prev = node\n", ""),
    slip("operands turned", POLISH, "(b, a))", "(a, b))"),
    slip("wrong distance", DIJKSTRA, "distance + lengths", "lookup(frontier, other) + lengths"),
    slip("indices turned", FLOYD, "length[k, j])", "length[j, k])"),
    slip("wrong target", BELLMAN, "weight_of_node[v] = min", "weight_of_edge[u, v] = min"),
    slip("operator not kept", YARD, "            operators.append(token)\n", ""),
    slip("any for all", SIEVE, "if all(", "if any("),
    slip("square forgotten", ROOT, "guess ** 2", "guess"),
    slip("no empty choice", CHOOSE, "return [[]]", "return []"),
    slip("digits turned", BASE, "digits[i] + result", "result + digits[i]"),
    slip("wrong side of the edge", ORDER, "issuperset(other.incoming)", "issuperset(other.outgoing)"),
    slip("last line lost", WRAP, "    lines.append(text)\n", ""),
    slip("precedence of a rule", LEAP, "(year % 100 != 0 or year % 400 == 0)", "year % 100 != 0 or year % 400 == 0"),
    slip("missing base case", FACTORIAL, "    if n == 0:\n        return 1\n", ""),
    slip("wrong start", FIB, "a, b = 0, 1", "a, b = 1, 1"),
    slip("empty input", MEAN, "    if not values:\n        return 0\n", ""),
    slip("integer division", MEAN, "sum(values) / len", "sum(values) // len"),
    slip("case ignored", VOWELS, "text.lower()", "text"),
    slip("negated membership", VOWELS, "letter in 'aeiou'", "letter not in 'aeiou'"),
    slip("default of a count", WORDS, "counts.get(word, 0)", "counts.get(word, 1)"),
    slip("missing default", WORDS, "counts.get(word, 0)", "counts.get(word)"),
    slip("missing modulo", ROTATE, "k % len(values)", "k"),
    slip("wrong halves", ROTATE, "values[-k:] + values[:-k]", "values[:-k] + values[-k:]"),
    slip("runs off the end", BUBBLE, "n - i - 1", "n - i"),
    slip("wrong mask", POWER, "exponent & 1", "exponent & 2"),
    slip("product not reduced", POWER, "base * base % modulus\n    return", "base * base\n    return"),
    slip("wrong grid", TRANSPOSE, "result[c][r] = grid[r][c]", "result[r][c] = grid[r][c]"),
    slip("zero for the first", LARGEST_OF, "best = values[0]", "best = 0"),
    slip("wrong element kept", LARGEST_OF, "best = value\n", "best = values\n"),
    slip("returned inside the loop", LARGEST_OF, "    return best", "        return best"),
    slip("and for or", INSERTION, "j >= 0 and", "j >= 0 or"),
    slip("step forgotten", INSERTION, "            j -= 1\n", ""),
    slip("written one off", INSERTION, "values[j + 1] = key", "values[j] = key"),
    slip("end of text", ROMAN, "i + 1 < len(text) and worth", "worth"),
    slip("sign", ROMAN, "total -= worth", "total += worth"),
    slip("mark not taken back", QUEENS, "            rising.remove(row + col)\n", ""),
    slip("loop that moves nothing on", HALVES, "        number //= 2\n", ""),
    slip(
        "link not followed",
        CHAIN,
        "        found.append(node.value)\n        node = node.next\n",
        "        found.append(node.value)\n",
    ),
    slip("second of two alike", PADDED, "    b += [0] * (width - len(b))\n", ""),
    slip("value for an object", SPROUT, "return Tree(value)", "return value"),
    slip("missing base case without a value", SPROUT, "    if tree is None:\n        return\n", ""),
    slip("missing key not asked for", SHELF, "        if key not in self.items:\n            return -1\n", ""),
    slip("text for a number", NUMERAL, "int(letter)", "letter"),
    slip("ends turned", SIGNS, "prefix + '.' + key", "key + '.' + prefix"),
    slip("turn not skipped", SIGNS, "        if record is None:\n            continue\n", ""),
    slip("group of three clauses", ALLOWED, "(public or admin or user.owner)", "public or admin or user.owner"),
    slip("wrong bit", SHIFTED, "0x80", "0x08"),
    slip("parted at the last sign", FIELDS, "pair.partition", "pair.rpartition"),
    slip("stack for a queue", LEVELS, "popleft", "pop"),
    slip("seen before and not skipped", CABLES, "        if house in joined:\n            continue\n", ""),
    slip("place not set back", FILL, "            grid[r][c] = 0\n", ""),
    slip("one of two base cases", WITHIN, "        if j == len(target):\n            return 1\n", ""),
    slip(
        "two that end together",
        MIRRORED,
        "    if left is None or right is None:\n        return left is right\n",
        "",
    ),
    slip("flag never raised", SETTLED, "                moved = True\n", ""),
    slip("two of a wrong start", ZIGZAG, "1, 1", "0, 0"),
    slip("road in one direction", ROADS, "        near[b].append(a)\n", ""),
    slip("taken and not given back", PIPES, "        room[b][a] += push\n", ""),
    slip("ones for the unit matrix", UNIT, "int(i == j)", "1"),
    Slip {
        name: "clause of the other direction",
        program: WOVEN,
        right: "reach[i - 1][j] and a[i - 1] == mix[i + j - 1]",
        wrong: "a[i - 1] == mix[i + j - 1]",
        same: &["a[i - 1] == mix[i + j - 1] and reach[i - 1][j]"],
    },
    slip("list not emptied", REDO, "            undone.clear()\n", ""),
    slip("name that nothing reads", SPANS, "end = farthest", "end = i + reach[i]"),
];

#[test]
fn textbook_slips_in_python_are_repaired_early() {
    measure(Lang::Python, SLIPS, 2000, 70);
}
