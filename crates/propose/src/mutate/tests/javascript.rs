//! JavaScript and TypeScript: what textbook slips look like.

use super::{Slip, measure, slip};
use crate::mutate::language::Lang;

const SUM: &str = "\
export function sum(values) {
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    total += values[i];
  }
  return total;
}
";

const UNIQUE: &str = "\
function unique(values) {
  const seen = new Set();
  const out = [];
  for (const value of values) {
    if (!seen.has(value)) {
      seen.add(value);
      out.push(value);
    }
  }
  return out;
}
";

const CLAMP: &str = "\
const clamp = (x, low, high) => Math.max(low, Math.min(x, high));
";

const TITLE: &str = "\
function title(text) {
  return text
    .split(' ')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ');
}
";

const PRIME: &str = "\
function isPrime(n) {
  if (n < 2) return false;
  for (let d = 2; d * d <= n; d++) {
    if (n % d === 0) return false;
  }
  return true;
}
";

const BINARY_TS: &str = "\
export function locate(values: number[], x: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low <= high) {
    const mid = Math.floor((low + high) / 2);
    if (values[mid] === x) return mid;
    if (values[mid] < x) {
      low = mid + 1;
    } else {
      high = mid - 1;
    }
  }
  return -1;
}
";

const QUEUE_TS: &str = "\
export function reachable(graph: Map<string, string[]>, start: string): Set<string> {
  const seen = new Set<string>();
  const todo: string[] = [start];
  while (todo.length > 0) {
    const node = todo.shift() as string;
    if (seen.has(node)) {
      continue;
    }
    seen.add(node);
    for (const other of graph.get(node) ?? []) {
      todo.push(other);
    }
  }
  return seen;
}
";

const SLIPS: &[Slip] = &[
    slip("runs off the end", SUM, "i < values", "i <= values"),
    slip("wrong start", SUM, "let i = 0", "let i = 1"),
    slip("not accumulated", SUM, "total += values[i]", "total = values[i]"),
    slip("missing negation", UNIQUE, "!seen.has(value)", "seen.has(value)"),
    slip("mark forgotten", UNIQUE, "      seen.add(value);\n", ""),
    slip("wrong result", UNIQUE, "return out", "return seen"),
    slip("bounds turned", CLAMP, "Math.max(low, Math.min(x, high))", "Math.min(low, Math.min(x, high))"),
    slip("wrong slice", TITLE, "word.slice(1)", "word.slice(0)"),
    slip("wrong case", TITLE, "toUpperCase", "toLowerCase"),
    slip("boundary", PRIME, "d * d <= n", "d * d < n"),
    slip("missing guard", PRIME, "  if (n < 2) return false;\n", ""),
];

const TYPED: &[Slip] = &[
    slip("boundary", BINARY_TS, "low <= high", "low < high"),
    slip("no progress", BINARY_TS, "high = mid - 1", "high = mid"),
    slip("wrong end", BINARY_TS, "values.length - 1", "values.length"),
    slip("wrong answer", BINARY_TS, "return -1", "return 1"),
    slip("comparison turned", BINARY_TS, "values[mid] < x", "values[mid] > x"),
    slip("rounding forgotten", BINARY_TS, "Math.floor((low + high) / 2)", "(low + high) / 2"),
    slip("mark forgotten", QUEUE_TS, "    seen.add(node);\n", ""),
    slip("wrong node", QUEUE_TS, "todo.push(other)", "todo.push(node)"),
    slip("wrong jump", QUEUE_TS, "continue;", "break;"),
];

#[test]
fn textbook_slips_in_javascript_are_repaired_early() {
    measure(Lang::JavaScript, SLIPS, 600, 40);
}

#[test]
fn textbook_slips_in_typescript_are_repaired_early() {
    measure(Lang::TypeScript, TYPED, 900, 150);
}
