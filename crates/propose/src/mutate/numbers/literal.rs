//! Numeric literals: where they stand, what they are worth, which stand side by side, and how another value is written.

use std::collections::BTreeSet;

use crate::mutate::language::Lang;
use crate::mutate::render::Blocks;
use crate::mutate::tree::{Ast, Id, Kind};

/// A number in a file.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Literal {
    /// Its bytes, a minus sign before it and the parentheses around that included.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) value: f64,
    /// Whether it must stay a whole number.
    pub(super) whole: bool,
    /// A type's name at its end.
    suffix: &'static str,
    /// Whether a minus sign needs parentheses where it stands.
    guarded: bool,
    /// The list, tuple or the like that it stands in, and the outermost one around that.
    nest: Option<(Id, Id)>,
}

const SUFFIXES: [&str; 16] =
    ["f64", "f32", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize", "n", ""];

/// The numbers of a file that may be moved, in their order: all with a fraction, and whole ones that stand in lists or that
/// something is set to. Others are indexes, exponents and the like.
pub(super) fn literals(ast: &Ast, text: &str) -> Vec<Literal> {
    let blocks = Blocks::of(text);
    let mut found: Vec<Literal> =
        ast.ids().filter_map(|id| literal(ast, text, id)).filter(|l| blocks.hold(l.start, l.end)).collect();
    // Where one of a list has a fraction, all may; in Rust their type says it.
    if ast.lang != Lang::Rust {
        let real: BTreeSet<Id> = found.iter().filter(|l| !l.whole).filter_map(|l| Some(l.nest?.1)).collect();
        found.iter_mut().for_each(|l| l.whole &= l.nest.is_none_or(|n| !real.contains(&n.1)));
    }
    found
}

fn literal(ast: &Ast, text: &str, id: Id) -> Option<Literal> {
    let node = &ast.nodes[id];
    if !matches!(node.kind, Kind::Int | Kind::Float) || node.bind {
        return None;
    }
    let (value, suffix) = read(&text[node.start..node.end])?;
    let up = &ast.nodes[node.parent];
    let negative = up.kind == Kind::Unary && text[up.start..].starts_with('-') && up.end == node.end;
    let (mut at, value) = if negative { (node.parent, -value) } else { (id, value) };
    // Parentheses around a negative number are written with it.
    if negative && ast.nodes[up.parent].kind == Kind::Paren {
        at = up.parent;
    }
    let nest = nest(ast, at);
    let whole = node.kind == Kind::Int;
    let above = &ast.nodes[ast.nodes[at].parent];
    let set = matches!(above.kind, Kind::Assign | Kind::Decl | Kind::Default | Kind::Keyword) && above.b == Some(at);
    if whole && nest.is_none() && !set {
        return None;
    }
    let bare =
        set || matches!(above.kind, Kind::List | Kind::Tuple | Kind::Set | Kind::Args | Kind::Return | Kind::Paren);
    let (start, end) = (ast.nodes[at].start, ast.nodes[at].end);
    Some(Literal { start, end, value, whole, suffix, guarded: !bare, nest })
}

fn read(text: &str) -> Option<(f64, &'static str)> {
    let plain = text.replace('_', "");
    SUFFIXES.into_iter().find_map(|suffix| Some((plain.strip_suffix(suffix)?.parse().ok()?, suffix)))
}

/// The innermost list around a node, and the outermost of those that stand directly in each other.
fn nest(ast: &Ast, id: Id) -> Option<(Id, Id)> {
    let holds = |id: &Id| matches!(ast.nodes[*id].kind, Kind::List | Kind::Tuple | Kind::Set | Kind::Dict | Kind::Pair);
    let line: Vec<Id> = ast.ancestors(id).take_while(holds).collect();
    Some((*line.first()?, *line.last()?))
}

/// The literal with another value. `grain` is a difference that does not matter: digits below it are left out.
pub(super) fn written(literal: &Literal, value: f64, grain: f64) -> String {
    let number = if literal.whole {
        format!("{value:.0}")
    } else {
        let digits = (-grain.log10().floor()).clamp(0.0, 15.0) as usize;
        let rounded = format!("{value:.digits$}").parse().unwrap_or(value);
        format!("{:?}", if rounded == 0.0 { value } else { rounded })
    };
    let number = if number == "-0" || number == "-0.0" { number.replace('-', "") } else { number };
    if number.starts_with('-') && literal.guarded {
        return format!("({number}{})", literal.suffix);
    }
    format!("{number}{}", literal.suffix)
}

/// Which numbers stand side by side: groups of literals, and vectors of groups.
pub(super) fn arrange(literals: &[Literal]) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let mut groups: Vec<(Option<Id>, Vec<usize>)> = Vec::new();
    let mut vectors: Vec<(Option<Id>, Vec<usize>)> = Vec::new();
    for (i, literal) in literals.iter().enumerate() {
        let (inner, outer) = literal.nest.unzip();
        match groups.iter_mut().rfind(|g| inner.is_some() && g.0 == inner) {
            Some(group) => group.1.push(i),
            None => {
                match vectors.iter_mut().rfind(|v| outer.is_some() && v.0 == outer) {
                    Some(vector) => vector.1.push(groups.len()),
                    None => vectors.push((outer, vec![groups.len()])),
                }
                groups.push((inner, vec![i]));
            }
        }
    }
    let mut made: (Vec<Vec<usize>>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    // A long list of plain numbers is a vector of groups of one.
    for (outer, members) in vectors {
        let flat = outer.is_some() && members.len() == 1 && groups[members[0]].1.len() > 3;
        let parts: Vec<Vec<usize>> = if flat {
            groups[members[0]].1.iter().map(|i| vec![*i]).collect()
        } else {
            members.iter().map(|g| groups[*g].1.clone()).collect()
        };
        made.1.push((made.0.len()..made.0.len() + parts.len()).collect());
        made.0.extend(parts);
    }
    made
}

/// A natural length for each number: how far apart the numbers of its column, or of its list, are; else its own size; else 1.
pub(super) fn scales(literals: &[Literal], groups: &[Vec<usize>], vectors: &[Vec<usize>]) -> Vec<f64> {
    let mut scales = vec![0.0; literals.len()];
    for vector in vectors {
        for group in vector {
            for (nth, i) in groups[*group].iter().enumerate() {
                let column = vector.iter().filter_map(|g| groups[*g].get(nth)).map(|i| literals[*i].value);
                scales[*i] = deviation(column.collect());
            }
        }
    }
    for (scale, literal) in scales.iter_mut().zip(literals) {
        // What nearly all agree on is seldom meant to differ by no more than that.
        let own = literal.value.abs();
        if *scale < 1e-3 * own || *scale == 0.0 {
            *scale = if own > 0.0 { own } else { 1.0 };
        }
    }
    scales
}

fn deviation(values: Vec<f64>) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values found in a program, whole ones without a fraction, and the sizes of the groups of each vector.
    #[track_caller]
    fn check(lang: Lang, text: &str, values: &str, sizes: &[&[usize]]) {
        let ast = Ast::parse(lang, text).unwrap();
        let found = literals(&ast, text);
        let shown: Vec<String> =
            found.iter().map(|l| if l.whole { format!("{}", l.value) } else { format!("{:?}", l.value) }).collect();
        assert_eq!(shown.join(" "), values);
        let (groups, vectors) = arrange(&found);
        let shape: Vec<Vec<usize>> = vectors.iter().map(|v| v.iter().map(|g| groups[*g].len()).collect()).collect();
        assert_eq!(shape, sizes);
    }

    #[test]
    fn points_of_a_list_are_groups_of_one_vector() {
        let text = "POINTS = [(0.5, -0.25), (0.75, 1.0)]\nSTEP = 0.1\nx = y[2] + 3 * 1e-3\n";
        check(Lang::Python, text, "0.5 -0.25 0.75 1.0 0.1 0.001", &[&[2, 2], &[1], &[1]]);
    }

    #[test]
    fn a_long_list_is_a_vector_of_single_numbers() {
        check(Lang::Python, "CODE = [1, 2, 3, 4]\n", "1 2 3 4", &[&[1, 1, 1, 1]]);
    }

    #[test]
    fn whole_numbers_beside_a_fraction_may_get_one() {
        check(Lang::Python, "START = (0, 0.5)\n", "0.0 0.5", &[&[2]]);
        check(Lang::JavaScript, "const start = [0, 0.5];\n", "0.0 0.5", &[&[2]]);
    }

    #[test]
    fn rust_keeps_the_types_of_its_literals() {
        let text = "const N: usize = 12;\nconst P: [(f64, f64); 2] = [(0.5, -1.5), (2.0_f64, 3e2)];\nfn f() -> f64 { 2.5f32 as f64 }\n";
        check(Lang::Rust, text, "12 0.5 -1.5 2.0 300.0 2.5", &[&[1], &[2, 2], &[1]]);
        let ast = Ast::parse(Lang::Rust, text).unwrap();
        let found = literals(&ast, text);
        assert_eq!(written(&found[3], 1.0, 1e-3), "1.0f64");
        assert_eq!(written(&found[0], 15.0, 1.0), "15");
    }

    #[test]
    fn what_is_outside_of_the_blocks_stays() {
        let text = "A = 1.5\n# EVOLVE-BLOCK-START\nB = 2.5\n# EVOLVE-BLOCK-END\n";
        check(Lang::Python, text, "2.5", &[&[1]]);
    }

    #[test]
    fn a_value_is_written_with_the_digits_that_matter_and_parses_again() {
        let text = "x = a - 0.5\ny = 0.5\n";
        let ast = Ast::parse(Lang::Python, text).unwrap();
        let found = literals(&ast, text);
        assert_eq!(written(&found[0], -0.123456789, 1e-4), "(-0.1235)");
        assert_eq!(written(&found[1], -0.123456789, 1e-6), "-0.123457");
        assert_eq!(written(&found[1], 3e-9, 1e-4), "3e-9");
        assert_eq!(written(&found[1], 0.0, 1e-4), "0.0");
    }
}
