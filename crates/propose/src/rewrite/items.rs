//! Functions and classes of a source text, by name, so that a lone function in an answer finds its place.

use std::ops::Range;

use tree_sitter::{Node, Tree};

use crate::mutate::language::Lang;
use crate::syntax;

/// A named function, class or the like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Item {
    /// Its name; for a method with that of its class, `Class.method`.
    pub(crate) full: String,
    /// Its name alone.
    pub(crate) name: String,
    /// Whole lines, decorators and attributes included.
    pub(crate) bytes: Range<usize>,
    /// Where its name, parameters and documentation end, if it has a body.
    pub(crate) head: Option<usize>,
    /// Whether it stands inside a class or an `impl`.
    pub(crate) nested: bool,
    /// Whether it is a function or a method.
    pub(crate) function: bool,
}

fn parse(extension: &str, text: &str) -> Option<Tree> {
    syntax::parse(Lang::of(extension)?, text)
}

/// The items of a text, outer ones before those inside them; `None` for languages that are not known.
pub(crate) fn items(extension: &str, text: &str) -> Option<Vec<Item>> {
    let tree = parse(extension, text)?;
    let mut found = Vec::new();
    gather(tree.root_node(), text, "", &mut found);
    Some(found)
}

fn gather(node: Node<'_>, text: &str, within: &str, found: &mut Vec<Item>) {
    let mut cursor = node.walk();
    // Rust attributes stand before the item as nodes of their own.
    let mut start: Option<usize> = None;
    for child in node.named_children(&mut cursor) {
        if child.kind() == "attribute_item" {
            start.get_or_insert(child.start_byte());
            continue;
        }
        let begin = start.take().unwrap_or(child.start_byte());
        let inner = match child.kind() {
            "decorated_definition" => child.child_by_field_name("definition"),
            "export_statement" => child.child_by_field_name("declaration"),
            _ => Some(child),
        };
        let Some(inner) = inner else { continue };
        let named = match inner.kind() {
            "impl_item" => inner.child_by_field_name("type"),
            // `const f = (a) => …`
            "lexical_declaration" | "variable_declaration" => inner
                .named_child(0)
                .filter(|d| {
                    let value = d.child_by_field_name("value");
                    value.is_some_and(|v| matches!(v.kind(), "arrow_function" | "function_expression" | "class"))
                })
                .and_then(|d| d.child_by_field_name("name")),
            "function_definition"
            | "class_definition"
            | "function_item"
            | "struct_item"
            | "enum_item"
            | "trait_item"
            | "function_declaration"
            | "generator_function_declaration"
            | "class_declaration"
            | "method_definition" => inner.child_by_field_name("name"),
            _ => None,
        };
        let Some(name) = named.map(|n| text[n.byte_range()].to_owned()) else { continue };
        let full = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        found.push(Item {
            bytes: whole_lines(text, begin..child.end_byte()),
            head: head(inner, text),
            nested: !within.is_empty(),
            function: inner.kind().contains("function") || inner.kind() == "method_definition",
            full: full.clone(),
            name,
        });
        if matches!(inner.kind(), "class_definition" | "class_declaration" | "impl_item" | "trait_item")
            && let Some(body) = inner.child_by_field_name("body")
        {
            gather(body, text, &full, found);
        }
    }
}

/// The end of all that comes before a function's statements; Python's documentation is the first of them.
fn head(item: Node<'_>, text: &str) -> Option<usize> {
    let body = item.child_by_field_name("body")?;
    let documentation = body.named_child(0).filter(|first| {
        let string = first.named_child(0).is_some_and(|s| s.kind() == "string");
        first.kind() == "string" || (first.kind() == "expression_statement" && string)
    });
    let end = documentation.filter(|_| body.kind() == "block").map(|d| d.end_byte());
    Some(end.unwrap_or_else(|| text[..body.start_byte()].trim_end().len()))
}

/// Whether a text has syntax errors; `None` for languages that are not known.
pub(crate) fn garbled(extension: &str, text: &str) -> Option<bool> {
    Some(parse(extension, text)?.root_node().has_error())
}

/// Whether two texts are the same code, comments, documentation and white space aside; `None` for languages that are not known.
pub(crate) fn same_code(extension: &str, a: &str, b: &str) -> Option<bool> {
    let shape = |text: &str| {
        let tree = parse(extension, text)?;
        let mut nodes = Vec::new();
        outline(tree.root_node(), 0, text, &mut nodes);
        Some(nodes)
    };
    Some(shape(a)? == shape(b)?)
}

/// Every node but comments and documentation, with its depth and, of leaves, its text.
fn outline(node: Node<'_>, depth: usize, text: &str, nodes: &mut Vec<(u16, usize, String)>) {
    let lone_string =
        || node.kind() == "expression_statement" && node.named_child(0).is_some_and(|c| c.kind() == "string");
    if node.kind().contains("comment") || (node.named_child_count() == 1 && lone_string()) {
        return;
    }
    let leaf = if node.child_count() == 0 { text[node.byte_range()].to_owned() } else { String::new() };
    nodes.push((node.kind_id(), depth, leaf));
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        outline(child, depth + 1, text, nodes);
    }
}

/// Lines of code that belong to no function or class, of an assignment the name alone.
fn loose(text: &str, items: &[Item]) -> Vec<String> {
    let mut outside = text.as_bytes().to_vec();
    for item in items {
        outside[item.bytes.clone()].fill(b'\n');
    }
    let outside = String::from_utf8_lossy(&outside).into_owned();
    let code = outside.lines().filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with(['#', '/']));
    code.map(|l| l.split('=').next().unwrap_or(l).trim().to_owned()).collect()
}

/// The range widened to the beginning of its first line and the end of its last one.
fn whole_lines(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text[..range.start].rfind('\n').map_or(0, |i| i + 1);
    // A node may end after its line's end already.
    let end = if text[..range.end].ends_with('\n') {
        range.end
    } else {
        text[range.end..].find('\n').map_or(text.len(), |i| range.end + i + 1)
    };
    start..end
}

/// A text into which functions of an answer were put.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Merged {
    /// The new text.
    pub(crate) text: String,
    /// Names of the items that were replaced; none if the answer is the whole file.
    pub(crate) replaced: Vec<String>,
}

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// A file, and a function of it will do.
    Whole,
    /// A function: other statements in the answer are shown use of it.
    Part,
}

/// Puts the code of an answer into a file: as the whole file if it has all that the file has, else function by
/// function. `Err` says why it does not fit.
pub(crate) fn merge(extension: &str, file: &str, answer: &str, extent: Extent) -> Result<Merged, String> {
    let whole = || Ok(Merged { text: with_end(answer), replaced: Vec::new() });
    let (Some(old), Some(new)) = (items(extension, file), items(extension, answer)) else { return whole() };
    let top = |list: &[Item]| list.iter().filter(|i| !i.nested).map(|i| i.name.clone()).collect::<Vec<_>>();
    let (old_top, new_top) = (top(&old), top(&new));
    // Functions alone, or with an example of their use, where the file has more than functions, do not stand for the
    // whole of it.
    let (old_loose, new_loose) = (loose(file, &old), loose(answer, &new));
    let kept = old_loose.iter().filter(|line| new_loose.contains(line)).count();
    let only_items = !new.is_empty()
        && !old_loose.is_empty()
        && (new_loose.is_empty() || (!old.is_empty() && 2 * kept < old_loose.len()));
    let part = extent == Extent::Part && new.iter().any(|item| old.iter().any(|o| o.name == item.name));
    if old_top.iter().all(|name| new_top.contains(name)) && !only_items && !part {
        return whole();
    }
    let mut swaps: Vec<(Range<usize>, String)> = Vec::new();
    let mut replaced = Vec::new();
    let mut extra = imports(answer, file);
    for item in new.iter().filter(|i| !i.nested) {
        let code = &answer[item.bytes.clone()];
        // A method alone is told from its class by its name alone, so that must stand for one thing.
        let places: Vec<&Item> = match old.iter().filter(|o| !o.nested && o.name == item.name).collect::<Vec<_>>() {
            top if top.is_empty() => old.iter().filter(|o| o.name == item.name).collect(),
            top => top,
        };
        match places.as_slice() {
            [] => extra.push(with_end(code)),
            [place] => {
                let fitted = reindent(code, indent_of(&file[place.bytes.clone()]));
                swaps.push((place.bytes.clone(), fitted));
                replaced.push(place.full.clone());
            }
            several => return Err(format!("'{}' stands {} times in the file", item.name, several.len())),
        }
    }
    if replaced.is_empty() {
        return Err("the code in the answer is no function of the file and not the whole file".into());
    }
    swaps.sort_by_key(|(range, _)| range.start);
    if swaps.windows(2).any(|pair| pair[0].0.end > pair[1].0.start) {
        return Err("the answer defines the same function twice".into());
    }
    let mut text = String::new();
    let mut at = 0;
    for (i, (range, code)) in swaps.iter().enumerate() {
        text += &file[at..range.start];
        if i == 0 && indent_of(code).is_empty() {
            text += &extra.concat();
        } else if i == 0 && !extra.is_empty() {
            return Err("the answer adds functions beside a method; which class they belong to is unclear".into());
        }
        text += code;
        at = range.end;
    }
    text += &file[at..];
    Ok(Merged { text, replaced })
}

/// Import lines of the answer that the file lacks.
fn imports(answer: &str, file: &str) -> Vec<String> {
    let is_import = |l: &&str| ["import ", "from ", "use "].iter().any(|word| l.starts_with(word));
    let known = |l: &str| file.lines().any(|f| f.trim_end() == l.trim_end());
    answer.lines().filter(is_import).filter(|l| !known(l)).map(with_end).collect()
}

pub(crate) fn with_end(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// White space before the first line that has anything else.
pub(crate) fn indent_of(text: &str) -> &str {
    let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
    &line[..line.len() - line.trim_start().len()]
}

/// The lines with their common indentation exchanged for another one. Ends with a line's end.
pub(crate) fn reindent(code: &str, indent: &str) -> String {
    let old = indent_of(code);
    let mut out = String::new();
    for line in code.lines() {
        if !line.trim().is_empty() {
            out += indent;
            out += line.strip_prefix(old).unwrap_or(line.trim_start());
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "import os\n\nX = 1\n\n@cache\ndef f(a):\n    return a\n\nclass C:\n    def g(self):\n        return 1\n\n    def h(self):\n        return 2\n\ndef k():\n    return f(1)\n";

    #[test]
    fn items_are_found_in_every_language() {
        let names = |ext, text| items(ext, text).unwrap().into_iter().map(|i| i.full).collect::<Vec<_>>();
        assert_eq!(names("py", FILE), ["f", "C", "C.g", "C.h", "k"]);
        assert_eq!(names("rs", "#[inline]\nfn f() {}\nimpl T { fn g() {} }\n"), ["f", "T", "T.g"]);
        assert_eq!(
            names("js", "export function f() {}\nconst g = (a) => a;\nclass C { h() {} }"),
            ["f", "g", "C", "C.h"]
        );
        assert_eq!(names("ts", "function f(a: number): number { return a }"), ["f"]);
        assert_eq!(items("txt", "hello"), None);
    }

    #[test]
    fn a_lone_function_takes_the_place_of_its_namesake() {
        let merged = merge("py", FILE, "@cache\ndef f(a):\n    return a + 1", Extent::Whole).unwrap();
        assert_eq!(merged.replaced, ["f"]);
        assert_eq!(merged.text, FILE.replace("return a\n", "return a + 1\n"));
    }

    #[test]
    fn a_lone_method_is_indented_as_its_namesake() {
        let merged = merge("py", FILE, "def h(self):\n    if 1:\n        return 3\n", Extent::Whole).unwrap();
        assert_eq!(merged.replaced, ["C.h"]);
        assert_eq!(merged.text, FILE.replace("        return 2\n", "        if 1:\n            return 3\n"));
    }

    #[test]
    fn a_helper_and_an_import_come_before_what_needs_them() {
        let merged = merge(
            "py",
            FILE,
            "import os\nimport re\n\ndef help():\n    pass\n\ndef k():\n    return help()\n",
            Extent::Whole,
        );
        let merged = merged.unwrap().text;
        assert!(merged.contains("import re\ndef help():\n    pass\ndef k():\n    return help()\n"), "{merged}");
        assert_eq!(merged.matches("import os").count(), 1);
    }

    #[test]
    fn functions_alone_leave_constants_and_imports_where_they_are() {
        let file = "import os\nX = 1\n\ndef f(a):\n    return a\n";
        let merged = merge("py", file, "def f(a):\n    return X\n", Extent::Whole).unwrap();
        assert_eq!(merged.text, file.replace("return a", "return X"));
    }

    #[test]
    fn an_example_of_use_is_left_out() {
        let file = "import os\n\ndef f(a):\n    return a\n";
        let answer = "def f(a):\n    return os.sep\n\nprint(f(1))\n";
        let good = file.replace("return a", "return os.sep");
        assert_eq!(merge("py", file, answer, Extent::Whole).unwrap().text, good);
        let lone = "def f(a):\n    return a\n";
        let merged = merge("py", lone, "import os\ndef f(a):\n    return os.sep\n\nprint(f(1))\n", Extent::Part);
        assert_eq!(merged.unwrap().text, "import os\ndef f(a):\n    return os.sep\n");
    }

    #[test]
    fn comments_and_white_space_make_no_other_code() {
        let same = |a, b| same_code("py", a, b).unwrap();
        assert!(same("def f(a):\n    \"\"\"F.\"\"\"\n    return a\n", "def f(a):\n    return a\n"));
        assert!(same("def f(a):\n    return a+1\n", "def f(a):\n\n    # more\n    return a + 1  # one\n"));
        assert!(!same("def f(a):\n    return a+1\n", "def f(a):\n    return a+2\n"));
        assert!(!same("if a:\n    b()\n    c()\n", "if a:\n    b()\nc()\n"));
        assert_eq!(same_code("txt", "a", "a"), None);
    }

    #[test]
    fn a_head_ends_before_the_statements() {
        let head = |ext, text: &str| text[..items(ext, text).unwrap()[0].head.unwrap()].to_owned();
        assert_eq!(head("py", "def f(a):\n    \"\"\"Doc.\"\"\"\n    return 1\n"), "def f(a):\n    \"\"\"Doc.\"\"\"");
        assert_eq!(head("py", "def f(a):\n    return 'x'\n"), "def f(a):");
        assert_eq!(head("rs", "fn f(a: u8) -> u8 {\n    a\n}\n"), "fn f(a: u8) -> u8");
    }

    #[test]
    fn the_whole_file_is_taken_whole_and_strangers_are_not_taken() {
        assert_eq!(
            merge("py", "def f():\n    1\n", "def f():\n    2", Extent::Whole).unwrap().text,
            "def f():\n    2\n"
        );
        assert_eq!(merge("txt", "old", "new", Extent::Whole).unwrap().text, "new\n");
        let whole = format!("X = 2\n\n{}", &FILE[FILE.find("@cache").unwrap()..]);
        assert_eq!(merge("py", FILE, &whole, Extent::Whole).unwrap().text, whole);
        assert!(merge("py", FILE, "return a + 1", Extent::Whole).is_err());
        assert!(merge("py", FILE, "def other():\n    pass", Extent::Whole).is_err());
        let twice = "class A:\n    def g(self): 1\nclass B:\n    def g(self): 2\n";
        assert!(merge("py", twice, "def g(self):\n    3", Extent::Whole).unwrap_err().contains("2 times"));
    }
}
