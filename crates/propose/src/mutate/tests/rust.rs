//! Rust: what textbook slips look like.

use super::{Slip, measure, slip};
use crate::mutate::language::Lang;

const GCD: &str = "\
pub fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 {
        return a;
    }
    gcd(b, a % b)
}
";

const SEARCH: &str = "\
pub fn search(values: &[i32], x: i32) -> Option<usize> {
    let mut low = 0;
    let mut high = values.len();
    while low < high {
        let mid = low + (high - low) / 2;
        if values[mid] == x {
            return Some(mid);
        } else if values[mid] < x {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    None
}
";

const BEST: &str = "\
pub fn best_run(values: &[i64]) -> i64 {
    let mut here = 0;
    let mut best = 0;
    for &x in values {
        here = (here + x).max(0);
        best = best.max(here);
    }
    best
}
";

const REVERSED: &str = "\
pub fn is_palindrome(text: &str) -> bool {
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let n = letters.len();
    for i in 0..n / 2 {
        if letters[i] != letters[n - 1 - i] {
            return false;
        }
    }
    true
}
";

const SUM: &str = "\
pub fn sum_to(n: u64) -> u64 {
    let mut total = 0;
    for i in 1..=n {
        total += i;
    }
    total
}
";

const DEPTH: &str = "\
pub fn balanced(text: &str) -> bool {
    let mut depth = 0i32;
    for letter in text.chars() {
        if letter == '(' {
            depth += 1;
        } else if letter == ')' {
            depth -= 1;
            if depth < 0 {
                return false;
            }
        }
    }
    depth == 0
}
";

const FACTORIAL: &str = "\
pub fn factorial(n: u64) -> u64 {
    if n <= 1 {
        return 1;
    }
    n * factorial(n - 1)
}
";

const STACK: &str = "\
pub fn dedup(values: &[i32]) -> Vec<i32> {
    let mut out = Vec::new();
    for &value in values {
        if !out.contains(&value) {
            out.push(value);
        }
    }
    out
}
";

const SLIPS: &[Slip] = &[
    slip("swapped arguments", GCD, "gcd(b, a % b)", "gcd(a % b, b)"),
    slip("wrong base value", GCD, "return a;", "return b;"),
    slip("boundary", SEARCH, "low < high", "low <= high"),
    slip("no progress", SEARCH, "low = mid + 1", "low = mid"),
    slip("comparison turned", SEARCH, "values[mid] < x", "values[mid] > x"),
    slip("wrong operator", SEARCH, "(high - low) / 2", "(high - low) * 2"),
    slip("minimum for maximum", BEST, "best.max(here)", "best.min(here)"),
    slip("wrong value kept", BEST, "best = best.max(here)", "best = best.max(x)"),
    slip("off by one", REVERSED, "letters[n - 1 - i]", "letters[n - i]"),
    slip("wrong answer", REVERSED, "return false", "return true"),
    slip("range too short", SUM, "1..=n", "1..n"),
    slip("not accumulated", SUM, "total += i", "total = i"),
    slip("end not tested", DEPTH, "depth == 0\n", "true\n"),
    slip("missing base case", FACTORIAL, "    if n <= 1 {\n        return 1;\n    }\n", ""),
    slip("missing negation", STACK, "!out.contains", "out.contains"),
    slip("never collected", STACK, "            out.push(value);\n", ""),
];

#[test]
fn textbook_slips_in_rust_are_repaired_early() {
    measure(Lang::Rust, SLIPS, 600, 40);
}
