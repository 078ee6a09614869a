//! Which of several texts is nearest to one, and a short line diff between two.

use std::collections::HashMap;

/// Lines beyond which a diff is no longer computed; prompts have a few hundred.
const LONGEST: usize = 2000;

/// Share of common lines, 0 to 1: the Sørensen-Dice coefficient of the two bags of lines,
/// 2·|A∩B| / (|A|+|B|) (Dice 1945).
pub(crate) fn likeness(a: &str, b: &str) -> f64 {
    let mut bag: HashMap<&str, usize> = HashMap::new();
    let mut total = 0;
    for line in a.lines() {
        *bag.entry(line).or_default() += 1;
        total += 1;
    }
    let mut common = 0;
    for line in b.lines() {
        total += 1;
        if let Some(n) = bag.get_mut(line).filter(|n| **n > 0) {
            *n -= 1;
            common += 1;
        }
    }
    if total == 0 { 1.0 } else { 2.0 * f64::from(common) / f64::from(total) }
}

/// At most `most` lines that differ, `-` only in `a`, `+` only in `b`, each cut after a hundred characters.
pub(crate) fn short_diff(a: &str, b: &str, most: usize) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().take(LONGEST).collect(), b.lines().take(LONGEST).collect());
    let lines = differing(&a, &b);
    let mut out: Vec<String> = lines.iter().take(most).map(|(mark, line)| format!("{mark} {}", cut(line))).collect();
    if lines.len() > most {
        out.push(format!("… and {}", meliora_domain::counted(lines.len() - most, "more line")));
    }
    out.join("\n")
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The lines outside a longest common subsequence, in order.
fn differing<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<(char, &'a str)> {
    // lengths[i][j]: longest common subsequence of a[i..] and b[j..].
    let width = b.len() + 1;
    let mut lengths = vec![0u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i * width + j] = if a[i] == b[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) {
            out.push(('-', a[i]));
            i += 1;
        } else {
            out.push(('+', b[j]));
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_the_share_of_common_lines() {
        assert_eq!(likeness("a\nb", "b\na"), 1.0);
        assert_eq!(likeness("a\na", "a\nb"), 0.5);
        assert_eq!(likeness("a", "b"), 0.0);
        assert_eq!(likeness("", ""), 1.0);
    }

    #[test]
    fn a_diff_shows_only_what_differs() {
        assert_eq!(short_diff("a\nb\nc", "a\nx\nc\nd", 9), "- b\n+ x\n+ d");
        assert_eq!(short_diff("a\nb", "c\nd", 2), "- a\n- b\n… and 2 more lines");
        assert_eq!(short_diff("same", "same", 9), "");
    }
}
