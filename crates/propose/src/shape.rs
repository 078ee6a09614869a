//! What is left of a program without white space, comments and the names of local variables: programs with the same shape do
//! the same, so that examining both would tell nothing new.
//!
//! Cautious rather than thorough: names are left as they are where something might look at them (attributes, keywords, parameters,
//! text that is evaluated), and a file in an unknown language, or one that does not parse, has its bytes for a shape.

use std::collections::{BTreeMap, BTreeSet};

use meliora_domain::{Digest, Genome};
use tree_sitter::Node;

use crate::mutate::language::Lang;
use crate::syntax::parse;

/// Hash of the shapes of all files. The same for programs that differ in layout, comments and names of locals alone.
pub fn shape(genome: &Genome) -> Digest {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for (path, body) in genome.files() {
        parts.push(path.as_str().as_bytes().to_vec());
        let shaped = body.text().and_then(|text| shape_of(Lang::of(path.extension())?, text));
        parts.push(shaped.unwrap_or_else(|| body.bytes().to_vec()));
    }
    Digest::of(parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn shape_of(lang: Lang, text: &str) -> Option<Vec<u8>> {
    let tree = parse(lang, text)?;
    if tree.root_node().has_error() {
        return None;
    }
    let evaluated = ["eval(", "exec(", "locals(", "vars(", "globals("].iter().any(|call| text.contains(call));
    // Rust's macros hide names in their tokens and texts.
    let names = if evaluated || lang == Lang::Rust { BTreeMap::new() } else { renamed(tree.root_node(), text) };
    let mut out = Vec::new();
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        let comment = node.kind().contains("comment");
        let end = node.kind() == ";" && node.parent().is_none_or(|up| up.kind() != "for_statement");
        if !comment && !end {
            out.extend_from_slice(&node.kind_id().to_le_bytes());
            let whole = quoted(node);
            if node.child_count() == 0 || whole {
                match names.get(&node.start_byte()).filter(|_| node.kind() == "identifier") {
                    Some(nth) => out.extend_from_slice(&nth.to_le_bytes()),
                    None => out.extend_from_slice(text[node.byte_range()].as_bytes()),
                }
            }
            out.push(0);
            if !whole && cursor.goto_first_child() {
                continue;
            }
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return Some(out);
            }
            out.push(1);
        }
    }
}

/// For each place of a local variable's name, the number that stands for it: the order of first use in its outermost function.
fn renamed(root: Node<'_>, text: &str) -> BTreeMap<usize, u32> {
    let mut made = BTreeMap::new();
    for function in functions(root) {
        let (mut uses, mut bound, mut fixed) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut classes = false;
        let mut stack = vec![function];
        while let Some(node) = stack.pop() {
            let mut cursor = node.walk();
            let children: Vec<Node<'_>> = node.children(&mut cursor).collect();
            stack.extend(children.iter().rev());
            let name = &text[node.byte_range()];
            classes |= node.kind().starts_with("class");
            // What stands in a text is compared as text.
            if quoted(node) {
                fixed.extend(name.split(|c: char| !c.is_alphanumeric() && c != '_'));
                stack.truncate(stack.len() - children.len());
                continue;
            }
            match node.kind() {
                "identifier" if role(node) == Role::Bound => {
                    bound.insert(name);
                    uses.push((node.start_byte(), name));
                }
                "identifier" if role(node) == Role::Fixed => {
                    fixed.insert(name);
                }
                "identifier" => uses.push((node.start_byte(), name)),
                "shorthand_property_identifier" | "shorthand_property_identifier_pattern" => {
                    fixed.insert(name);
                }
                _ => {}
            }
        }
        // What a class sets is known by its name elsewhere.
        if classes {
            continue;
        }
        uses.sort_unstable();
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        for (at, name) in uses.into_iter().filter(|(_, name)| bound.contains(name) && !fixed.contains(name)) {
            let next = numbers.len() as u32;
            made.insert(at, *numbers.entry(name).or_insert(next));
        }
    }
    made
}

/// Whether a node is a text, in which blanks count.
fn quoted(node: Node<'_>) -> bool {
    node.is_named() && node.kind().contains("string")
}

/// The outermost functions.
fn functions(root: Node<'_>) -> Vec<Node<'_>> {
    let (mut found, mut stack) = (Vec::new(), vec![root]);
    while let Some(node) = stack.pop() {
        if matches!(node.kind(), "function_definition" | "function_declaration" | "method_definition") {
            found.push(node);
            continue;
        }
        let mut cursor = node.walk();
        stack.extend(node.children(&mut cursor).collect::<Vec<_>>());
    }
    found
}

#[derive(PartialEq, Eq)]
enum Role {
    /// It gives a local variable its value.
    Bound,
    /// Something else knows it by this name.
    Fixed,
    Used,
}

fn role(node: Node<'_>) -> Role {
    let Some(up) = node.parent() else { return Role::Fixed };
    let is = |field: &str| up.child_by_field_name(field) == Some(node);
    match up.kind() {
        "assignment" | "for_statement" | "for_in_clause" | "for_in_statement" if is("left") => Role::Bound,
        "pattern_list" | "tuple_pattern" => Role::Bound,
        "variable_declarator" if is("name") => Role::Bound,
        "attribute" if is("attribute") => Role::Fixed,
        "keyword_argument" if is("name") => Role::Fixed,
        "parameters"
        | "formal_parameters"
        | "default_parameter"
        | "typed_parameter"
        | "typed_default_parameter"
        | "required_parameter"
        | "optional_parameter"
        | "lambda_parameters"
        | "list_splat_pattern"
        | "dictionary_splat_pattern"
        | "function_definition"
        | "function_declaration"
        | "class_definition"
        | "global_statement"
        | "nonlocal_statement"
        | "dotted_name"
        | "aliased_import" => {
            // A default's value is used, the rest is named.
            if is("value") { Role::Used } else { Role::Fixed }
        }
        _ => Role::Used,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::{FileBody, GenomePath};

    fn of(path: &str, text: &str) -> Digest {
        shape(&Genome::new().with(GenomePath::new(path).unwrap(), FileBody::new(text.as_bytes(), false)))
    }

    const PROGRAM: &str = "def add(a, b):\n    total = a + b  # both\n    for step in range(3):\n        total += step\n    return total\n";

    #[track_caller]
    fn same(path: &str, a: &str, b: &str) {
        assert_eq!(of(path, a), of(path, b), "{a}\n{b}");
    }

    #[track_caller]
    fn other(path: &str, a: &str, b: &str) {
        assert_ne!(of(path, a), of(path, b), "{a}\n{b}");
    }

    #[test]
    fn layout_comments_and_names_of_locals_make_no_difference() {
        same("a.py", PROGRAM, &PROGRAM.replace("  # both", "").replace("a + b", "a  +  b"));
        same("a.py", PROGRAM, &PROGRAM.replace("total", "sum_of_both").replace("step", "n"));
        same(
            "a.js",
            "function f(x) {\n  let y = x;\n  return y;\n}\n",
            "function f(x) { let z = x // z\n return z }\n",
        );
        same("a.rs", "fn f() -> i32 { 1 }\n", "// One.\nfn f() -> i32 {\n    1\n}\n");
    }

    #[test]
    fn what_means_something_else_has_another_shape() {
        for (from, to) in
            [("a + b", "b + a"), ("total += step", "total += 1"), ("range(3)", "range(4)"), ("(a, b)", "(b, a)")]
        {
            other("a.py", PROGRAM, &PROGRAM.replace(from, to));
        }
        // The loop's last line moved out of it.
        other("a.py", PROGRAM, &PROGRAM.replace("    return total", "        return total"));
        other(
            "a.py",
            "def f():\n    x = 1\n    y = 2\n    return x\n",
            "def f():\n    x = 1\n    y = 2\n    return y\n",
        );
        other("a.py", "def f():\n    return \"a  b\"\n", "def f():\n    return \"a b\"\n");
        other("a.py", "X = 1\nY = 2\n", "Y = 1\nX = 2\n");
        other("a.js", "function f() { const a = 1; return { a }; }", "function f() { const b = 1; return { b }; }");
        other("a.py", "def f(g):\n    x = 1\n    return g(x=x)\n", "def f(g):\n    y = 1\n    return g(y=y)\n");
        other("a.py", "def f():\n    x = 1\n    return eval('x')\n", "def f():\n    y = 1\n    return eval('x')\n");
        other("a.js", "for (; x; ) f();", "for (; ; x) f();");
        other(
            "a.py",
            "def f():\n    x = 1\n    y = 2\n    return f'{x}'\n",
            "def f():\n    y = 1\n    x = 2\n    return f'{x}'\n",
        );
        other("a.py", "def f():\n    return 'a\\n b'\n", "def f():\n    return 'a\\n  b'\n");
        other("a.txt", "a b", "a  b");
    }
}
