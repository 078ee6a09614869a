//! Asks for one line that is left out of the program: what the model does not see, it cannot copy.
//!
//! A line that is right is mostly written as it stands, or as something quite different, a defective one as the right
//! line. So only an answer that is near to the line that was left out is taken: a defect in one line is seldom far from
//! its repair. Measured with Qwen2.5-Coder-1.5B on 22 own programs, the defective line and two others left out in turn: 12 of
//! the 22 defective lines got a near answer, 11 of these the repair; four of the 44 others did, and 26 were written as
//! they stand. Without its first word, which keeps the model from writing the line before or after, eight of 22 were
//! repaired. It is the cloze of Xia and Zhang 2022 ("Less Training, More Repairing Please"), asked for in a conversation.

use meliora_evolve::{Brief, Message, Role};
use meliora_llm::text_tokens;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::Settings;
use super::focus::{Focus, Place, enclosing, line_of};
use super::gaps::examples;
use super::items::indent_of;
use super::prompt::{Asked, Form, SMALL, goal, text_of};
use super::reply::fenced;

/// What stands for the line.
const LINE: &str = "____";

const SYSTEM: &str = "You complete programs. In each program one line is missing, where ____ stands. You write that \
    line, and nothing else.";

/// Examples, the program, the missing line. They are always the same, so a server's prompt cache holds them.
const SHOTS: [(&str, &str, &str); 3] = [
    (
        "- total([1, 2, 3], 0): expected 6\n- total([1, 2, 3], 2): expected 3\n",
        "def total(items, start):\n    \"\"\"Sum of the items from index start on.\"\"\"\n    result = 0\n    ____\n        \
         result += items[i]\n    return result\n",
        "for i in range(start, len(items)):",
    ),
    (
        "- widest([[1], [1, 2]]): expected [1, 2]\n",
        "def widest(rows):\n    best = rows[0]\n    for row in rows[1:]:\n        ____\n            best = row\n    \
         return best\n",
        "if len(row) > len(best):",
    ),
    (
        "- count_words('a a'): expected {'a': 2}\n",
        "def count_words(text):\n    counts = {}\n    for word in text.split():\n        \
         counts[word] = counts.get(word, 0) + 1\n    ____\n",
        "return counts",
    ),
];

/// Tokens in which a near line may differ.
const NEAR: usize = 3;

/// Asks for the line at this place, which is not shown. `None` where the program is too long to be shown.
pub(crate) fn hole(brief: &Brief<'_>, about: &Focus<'_>, place: &Place, settings: &Settings) -> Option<Asked> {
    let text = text_of(brief, &place.path);
    let mut lines: Vec<&str> = text.lines().collect();
    let old = line_of(brief.genome, place)?;
    let left_out = format!("{}{LINE}", indent_of(old));
    *lines.get_mut(place.line)? = &left_out;
    let line_at = |byte: usize| text[..byte].matches('\n').count();
    let mut shown = lines.join("\n");
    if lines.len() > SMALL {
        let item = enclosing(brief.genome, place)?;
        shown = lines[line_at(item.bytes.start)..line_at(item.bytes.end).min(lines.len())].join("\n");
    }
    if shown.lines().count() > SMALL || text_tokens(&shown) > settings.context_tokens / 3 {
        return None;
    }
    let extension = place.path.rsplit('.').next().unwrap_or_default();
    let message = |role, content: String| Message { role, content };
    let mut messages = vec![message(Role::System, SYSTEM.to_owned())];
    for (examples, code, answer) in SHOTS {
        messages.push(message(Role::User, ask("", examples, "py", code, answer)));
        messages.push(message(Role::Assistant, answer.to_owned()));
    }
    messages.push(message(Role::User, ask(&goal(brief), &examples(about), extension, &shown, old)));
    Some((Form::Hole(place.clone()), messages, 40.max(2 * text_tokens(old))))
}

/// The examples stand first, since they are the same for every line.
fn ask(goal: &str, examples: &str, language: &str, code: &str, line: &str) -> String {
    let begins = words(line).first().map(|word| format!(", which begins with `{word}`")).unwrap_or_default();
    format!("{goal}Examples:\n{examples}\n{}\nThe missing line{begins}:", fenced(language, code))
}

/// Whether a line differs from the old one, but in few words and signs only.
pub(crate) fn near(old: &str, new: &str) -> bool {
    let (old, new) = (words(old), words(new));
    let differ: usize = capture_diff_slices(Algorithm::Myers, &old, &new)
        .iter()
        .map(|op| match op {
            DiffOp::Equal { .. } => 0,
            other => other.old_range().len().max(other.new_range().len()),
        })
        .sum();
    !new.is_empty() && (1..=NEAR).contains(&differ)
}

/// The words and signs of a line.
fn words(line: &str) -> Vec<&str> {
    let mut rest = line.trim();
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let size = if in_word(first) { rest.find(|c| !in_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        found.push(&rest[..size]);
        rest = rest[size..].trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_line_differs_in_up_to_three_words_or_signs() {
        for (old, new) in [
            ("for m in range(n * n, limit, n):", "for m in range(n * n, limit + 1, n):"),
            ("if left <= right:", "if left < right:"),
            ("return  first", "return last"),
            ("if not a and b:", "if not a or not b:"),
        ] {
            assert!(near(old, new), "{old} {new}");
        }
        for (old, new) in [
            ("if  left<= right:", "if left <= right:"),
            ("x = 1", ""),
            ("b = 0", "for i in range(len(a)):"),
            ("return i - len(a)", "return steps(len(a), len(b))"),
        ] {
            assert!(!near(old, new), "{old} {new}");
        }
    }
}
