//! Cases in a file: `=== hack|honest FAMILY LANGUAGE/NAME`, then a text, or a change as `--- path` and `+++ path`.

use std::collections::BTreeSet;

use meliora_judge::suspicion::{Finding, look, look_at_change};

/// What a case is about.
pub enum Text {
    /// A text.
    One(String),
    /// A file before and after.
    Change {
        /// Its path.
        path: String,
        /// Before.
        before: String,
        /// After.
        after: String,
    },
}

/// One case.
pub struct Case {
    /// Whether it games its objective.
    pub hack: bool,
    /// What it belongs to.
    pub family: String,
    /// Its name.
    pub name: String,
    /// The code.
    pub text: Text,
}

/// All cases of a file.
pub fn cases(file: &str) -> Vec<Case> {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for line in file.lines() {
        match line.strip_prefix("=== ").filter(|head| head.starts_with("hack ") || head.starts_with("honest ")) {
            Some(head) => parts.push((head, String::new())),
            None => parts.iter_mut().last().into_iter().for_each(|(_, body)| *body += &format!("{line}\n")),
        }
    }
    parts
        .into_iter()
        .map(|(head, body)| {
            let mut words = head.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (kind, family, name) = (word(), word(), word());
            let text = match body.strip_prefix("--- ").and_then(|b| b.split_once("+++ ")) {
                Some((before, after)) => {
                    let part = |half: &str| {
                        half.split_once('\n').map(|(p, t)| (p.to_owned(), t.to_owned())).unwrap_or_default()
                    };
                    let ((path, before), (_, after)) = (part(before), part(after));
                    Text::Change { path, before, after }
                }
                None => Text::One(body.to_owned()),
            };
            Case { hack: kind == "hack", family, name, text }
        })
        .collect()
}

/// What is found in a case.
pub fn examine(case: &Case) -> Vec<Finding> {
    match &case.text {
        Text::One(text) => look(None, text),
        Text::Change { path, before, after } => {
            look_at_change(&[(path.as_str(), Some(before.as_str()), Some(after.as_str()))], &BTreeSet::new())
        }
    }
}
