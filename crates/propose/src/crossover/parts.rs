//! A file as the sequence of its top-level statements.

use std::collections::BTreeMap;

use crate::mutate::language::Lang;
use crate::mutate::render::Blocks;
use crate::syntax;

/// One top-level statement with the blank lines and comments before it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    /// Name of what it defines, or its kind and how many of the kind stood before it.
    name: String,
    text: String,
    /// Whether it may change.
    open: bool,
}

/// A file's parts, which make up the whole of its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Parts {
    parts: Vec<Part>,
    /// What stands after the last one.
    tail: String,
}

impl Parts {
    /// The parts of a file in a language that is known; `None` for others and where its text does not parse.
    pub(super) fn of(extension: &str, text: &str) -> Option<Parts> {
        let tree = syntax::parse(Lang::of(extension)?, text)?;
        if tree.root_node().has_error() {
            return None;
        }
        let blocks = Blocks::of(text);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let (mut parts, mut at) = (Vec::new(), 0);
        let mut cursor = tree.walk();
        for node in tree.root_node().named_children(&mut cursor) {
            if node.kind().contains("comment") || node.kind() == "attribute_item" {
                continue;
            }
            // What stands on the same line belongs to it: a semicolon, a comment.
            let end = text[node.end_byte()..].find('\n').map_or(text.len(), |n| node.end_byte() + n + 1);
            if end <= at {
                continue;
            }
            let base = name(node, text).unwrap_or_else(|| node.kind().to_owned());
            let nth = seen.entry(base.clone()).and_modify(|n| *n += 1).or_insert(0);
            let name = if *nth == 0 { base } else { format!("{base} ({})", *nth + 1) };
            parts.push(Part { name, text: text[at..end].to_owned(), open: blocks.hold(at, end) });
            at = end;
        }
        Some(Parts { parts, tail: text[at..].to_owned() })
    }

    /// The text of a part, without blanks around it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parts.iter().find(|part| part.name == name).map(|part| part.text.trim())
    }

    /// The file's text with these parts of another. Parts that only the other has come after what stands before them
    /// there; parts that it lacks are left out.
    pub(super) fn with(&self, other: &Parts, names: &[&str]) -> String {
        let mut made: Vec<&Part> = self.parts.iter().collect();
        for (nth, part) in other.parts.iter().enumerate().filter(|(_, part)| names.contains(&&*part.name)) {
            match made.iter().position(|p| p.name == part.name) {
                Some(at) => made[at] = part,
                None => {
                    let before =
                        other.parts[..nth].iter().rev().find_map(|b| made.iter().position(|p| p.name == b.name));
                    made.insert(before.map_or(0, |at| at + 1), part);
                }
            }
        }
        made.retain(|part| !names.contains(&&*part.name) || other.parts.iter().any(|p| p.name == part.name));
        made.iter().map(|part| part.text.as_str()).chain([self.tail.as_str()]).collect()
    }
}

/// Names of the parts that may change and differ, in the order of the first, then of the second.
pub(super) fn differing(a: &Parts, b: &Parts) -> Vec<String> {
    let of = |x: &Parts, y: &Parts| -> Vec<String> {
        x.parts.iter().filter(|p| p.open && y.get(&p.name) != Some(p.text.trim())).map(|p| p.name.clone()).collect()
    };
    let mut names = of(a, b);
    for name in of(b, a) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The name that a statement defines.
fn name(node: tree_sitter::Node<'_>, text: &str) -> Option<String> {
    let field = ["name", "left", "declaration", "definition", "declarator", "type", "trait"];
    for field in field {
        if let Some(inner) = node.child_by_field_name(field) {
            let deeper = matches!(field, "declaration" | "definition");
            return if deeper { name(inner, text) } else { Some(text[inner.byte_range()].to_owned()) };
        }
    }
    // An assignment inside of an expression statement, a declarator inside of a declaration.
    let wraps = matches!(node.kind(), "expression_statement" | "lexical_declaration" | "variable_declaration");
    (wraps && node.named_child_count() > 0).then(|| node.named_child(0)).flatten().and_then(|inner| name(inner, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str =
        "import math\n\nSIZE = 3\n\n\ndef one():\n    return 1\n\n\n# About two.\ndef two():\n    return 2\n";

    #[test]
    fn parts_are_named_by_what_they_define_and_make_up_the_text() {
        let parts = Parts::of("py", OLD).unwrap();
        let names: Vec<&str> = parts.parts.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["math", "SIZE", "one", "two"]);
        assert_eq!(parts.with(&parts, &[]), OLD);
        let rust = "use std::fmt;\nconst N: usize = 1;\n/// Adds.\n#[inline]\npub fn add() {}\nimpl A { fn f() {} }\n";
        let names: Vec<String> = Parts::of("rs", rust).unwrap().parts.into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["use_declaration", "N", "add", "A"]);
        let script = "export const n = 1;\nexport function f() {}\nlet m = 2;\n";
        let names: Vec<String> = Parts::of("mjs", script).unwrap().parts.into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["n", "f", "m"]);
    }

    #[test]
    fn a_part_is_taken_over_added_or_left_out() {
        let new = "import math\n\nSIZE = 4\n\n\ndef half():\n    return 0.5\n\n\ndef one():\n    return 1.0\n";
        let (old, new) = (Parts::of("py", OLD).unwrap(), Parts::of("py", new).unwrap());
        assert_eq!(differing(&old, &new), ["SIZE", "one", "two", "half"]);
        assert_eq!(old.with(&new, &["SIZE"]), OLD.replace("SIZE = 3", "SIZE = 4"));
        let both = old.with(&new, &["half", "two"]);
        assert!(both.contains("SIZE = 3\n\n\ndef half()") && both.contains("return 1\n") && !both.contains("two"));
    }

    #[test]
    fn what_does_not_parse_has_no_parts() {
        assert_eq!(Parts::of("py", "def (:\n"), None);
        assert_eq!(Parts::of("txt", "a"), None);
    }
}
