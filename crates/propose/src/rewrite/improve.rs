//! Asks a small model for what is better where nothing fails: it copies most of what it is shown, so it is asked for
//! a function whose body it does not see, or for the values of the program's numbers alone.

use meliora_domain::{Change, Genome, GenomePath};
use meliora_evolve::Brief;
use meliora_llm::text_tokens;

use super::gaps::without_body;
use super::items::{self, Item};
use super::prompt::{Asked, Form, SMALL, goal, past, question};
use super::reply::{Parsed, fenced, without_thinking};
use super::{Settings, replacement};
use crate::mutate::render::Blocks;

/// Begins the reason of other values for numbers, by which it is known among past attempts.
const LABEL: &str = "numbers: ";
/// Bytes of a value that is asked for at the most: a long list is no number to choose.
const LONGEST: usize = 80;

/// The editable files that have a text.
fn files<'b>(brief: &Brief<'b>) -> Vec<(&'b str, &'b str)> {
    let files = brief.genome.files().filter(|(path, _)| (brief.editable)(path.as_str()));
    files.filter_map(|(path, body)| Some((path.as_str(), body.text()?))).collect()
}

/// Asks for the function of this rank (they take turns) with its body left out; `None` if there is none.
pub(super) fn anew(brief: &Brief<'_>, rank: usize, settings: &Settings) -> Option<Asked> {
    let found: Vec<(&str, &str, Item)> =
        files(brief).into_iter().flat_map(|(path, text)| functions(path, text)).collect();
    let (path, text, item) = found.get(rank % found.len().max(1))?;
    let shown = without_body(path, text, item, settings)?;
    let ask = format!(
        "{}Write the function `{}` of this program, in the best way that you know:\n\n{}\nAnswer with the complete code of \
         `{}` in one code block, without explanation. Names that are not defined above are defined inside of it.",
        goal(brief),
        item.name,
        fenced(extension(path), &shown),
        item.name
    );
    let most = text_tokens(&text[item.bytes.clone()]) * 2 + 300;
    Some((Form::Part { path: (*path).to_owned() }, question(ask), most))
}

/// The functions of a file that may change and that an answer can name, each with the file. What belongs to a class is
/// left out: a class that is written anew with one of its methods loses the others.
fn functions<'t>(path: &'t str, text: &'t str) -> Vec<(&'t str, &'t str, Item)> {
    let blocks = Blocks::of(text);
    let items = items::items(extension(path), text).unwrap_or_default();
    let names: Vec<String> = items.iter().filter(|i| !i.nested).map(|item| item.name.clone()).collect();
    let once = |name: &str| names.iter().filter(|other| *other == name).count() == 1;
    let whole = |item: &Item| item.function && !item.nested && item.head.is_some() && once(&item.name);
    let may = |item: &Item| whole(item) && blocks.hold(item.bytes.start, item.bytes.end);
    items.into_iter().filter(may).map(|item| (path, text, item)).collect()
}

/// Asks for other values of the numbers that stand by their names in one file; `None` if there are none.
pub(super) fn numbers(brief: &Brief<'_>, settings: &Settings) -> Option<Asked> {
    let short = |text: &str| text.lines().count() <= SMALL && text_tokens(text) <= settings.context_tokens / 3;
    let found = files(brief).into_iter().filter(|(_, text)| short(text)).map(|(path, text)| (path, text, named(text)));
    let (path, text, named) = found.max_by_key(|(_, _, named)| named.len())?;
    let first = named.first()?;
    let score =
        brief.score.map(|score| format!("Its score now is {score:.6}; higher is better.\n\n")).unwrap_or_default();
    let names: Vec<&str> = named.iter().map(|number| number.name).collect();
    let ask = format!(
        "{}Find better values for {} of this program:\n\n{}\n{score}{}Answer with a line for each value that you change, \
         like `{} = {}`, without explanation. At least one value changes.",
        goal(brief),
        names.join(", "),
        fenced(extension(path), text),
        past(brief, 8, |reason| reason.starts_with(LABEL)),
        first.name,
        first.value,
    );
    let tokens = named.iter().map(|number| text_tokens(number.name) + text_tokens(number.value) + 8).sum::<u64>();
    Some((Form::Numbers { path: path.to_owned() }, question(ask), tokens * 2 + 60))
}

/// A number, or a few, with a name of its own.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Named<'t> {
    name: &'t str,
    value: &'t str,
    /// Where the value begins.
    at: usize,
}

/// The lines `NAME = value` at the left edge of a text, where they may change, of names that have one such line.
fn named(text: &str) -> Vec<Named<'_>> {
    let blocks = Blocks::of(text);
    let mut at = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some((name, value)) = assignment(line) {
            let begin = at + (value.as_ptr() as usize - line.as_ptr() as usize);
            found.push(Named { name, value, at: begin });
        }
        at += line.len();
    }
    let names: Vec<&str> = found.iter().map(|number| number.name).collect();
    let once = |name: &str| names.iter().filter(|other| **other == name).count() == 1;
    found.retain(|n| once(n.name) && n.value.len() <= LONGEST && blocks.hold(n.at, n.at + n.value.len()));
    found
}

/// Words that may stand before a name that is given a value.
const BEFORE: [&str; 7] = ["pub", "export", "const", "static", "let", "mut", "var"];

/// Name and value of a line that gives a name one number, or a list of numbers, with or without a type.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (left, value) = line.split_once('=')?;
    let mut words = left.split(':').next()?.split_ascii_whitespace();
    let name = words.next_back()?;
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !line.starts_with(char::is_whitespace)
        && words.all(|word| BEFORE.contains(&word));
    let value = value.split(['#', ';']).next().unwrap_or_default().trim();
    (is_name && numeric(value)).then_some((name, value))
}

/// Whether a text is one number, or numbers in brackets; nothing else could come with it.
fn numeric(value: &str) -> bool {
    let number = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_digit() || "-.".contains(c))
            && part.parse::<f64>().is_ok_and(f64::is_finite)
    };
    parts(value).into_iter().all(number)
}

/// The numbers of a list in brackets, or the text itself.
fn parts(value: &str) -> Vec<&str> {
    let list = [('(', ')'), ('[', ']')].into_iter().find_map(|(a, b)| value.strip_prefix(a)?.strip_suffix(b));
    list.map_or_else(|| vec![value], |list| list.trim_end().trim_end_matches(',').split(',').map(str::trim).collect())
}

/// The value as it may stand in the place of the old one; `None` if it is of another form: another number of numbers, or a
/// broken one for a whole one.
fn fitted(new: &str, old: &str) -> Option<String> {
    let (news, olds) = (parts(new), parts(old));
    let bracket = |text: &str| text.chars().next().filter(|c| "([".contains(*c));
    let whole = |part: &str| part.parse::<i64>().is_ok();
    let fits = olds.len() == news.len()
        && bracket(new) == bracket(old)
        && olds.iter().zip(&news).all(|(old, new)| !whole(old) || whole(new));
    // A whole number in the place of a broken one stays of its type, where types matter.
    let alone = !whole(old) && whole(new);
    fits.then(|| if alone { format!("{new}.0") } else { new.to_owned() })
}

/// The values of an answer, put in the place of the old ones, and what they are in words. What it says last counts; of an
/// answer that was cut off the last line is left out.
pub(super) fn numbers_change(
    text: &str,
    parsed: &Parsed,
    cut_off: bool,
    path: &str,
    genome: &Genome,
) -> Result<(Change, String), String> {
    let place = GenomePath::new(path).map_err(|e| e.to_string())?;
    let file = genome.get(&place).and_then(|body| body.text()).unwrap_or_default();
    let words = without_thinking(text).map_err(|e| e.to_string())?;
    let mut lines: Vec<&str> = match parsed.fences.as_slice() {
        [] => words.lines().map(str::trim).collect(),
        // A small model may say the whole program, in whose functions the same name may stand.
        fences => fences.iter().flat_map(|fence| at_the_edge(&fence.code)).collect(),
    };
    if cut_off {
        lines.pop();
    }
    let told = |number: &Named<'_>| {
        let bare = |line: &&str| {
            line.trim_start_matches(|c: char| "-*. ".contains(c) || c.is_ascii_digit()).replace(['`', '*'], "")
        };
        let value = |line: String| {
            let (name, value) = assignment(&line)?;
            fitted(value, number.value).filter(|_| name == number.name)
        };
        lines.iter().rev().map(bare).find_map(value)
    };
    let (mut new, mut at, mut known, mut changed) = (String::new(), 0, false, Vec::new());
    for number in named(file) {
        let Some(value) = told(&number) else { continue };
        known = true;
        if value == number.value {
            continue;
        }
        changed.push(format!("{} = {value}", number.name));
        new += &file[at..number.at];
        new += &value;
        at = number.at + number.value.len();
    }
    if !known {
        return Err("the answer gives none of the numbers a value that fits".into());
    }
    new += &file[at..];
    Ok((Change { edits: vec![replacement(path, file, new)] }, format!("{LABEL}{}", changed.join(", "))))
}

/// The lines that are indented least.
fn at_the_edge(code: &str) -> Vec<&str> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines = || code.lines().filter(|line| !line.trim().is_empty());
    let least = lines().map(indent).min().unwrap_or(0);
    lines().filter(|line| indent(line) == least).map(str::trim).collect()
}

fn extension(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use meliora_domain::FileBody;

    use super::*;

    #[test]
    fn numbers_by_name_are_found_where_they_may_change() {
        let rust = "const A: f64 = 1.0;\npub static mut B: i32 = -2; // two\nlet c = 3;\nfn f() { let d = 4; }\nA == 5\nA <= 6\n";
        assert_eq!(
            named(rust).into_iter().map(|n| (n.name, n.value)).collect::<Vec<_>>(),
            [("A", "1.0"), ("B", "-2"), ("c", "3")]
        );
        let text = "OUT = 1\n# EVOLVE-BLOCK-START\nA = 1.5  # long\nB = (0.0, -2)\nC = A\nD = f(1)\n    E = 2\nF=-3e-2\nG = 1, 2\nH += 1\n# EVOLVE-BLOCK-END\n";
        let found: Vec<_> = named(text).into_iter().map(|n| (n.name, n.value)).collect();
        assert_eq!(found, [("A", "1.5"), ("B", "(0.0, -2)"), ("F", "-3e-2")]);
        assert!(named(text).iter().all(|n| text[n.at..].starts_with(n.value)));
        assert!(
            ["nan", "inf", "1 + 1", "(1", "[1, f(2)]", "", "1_0", "((1))", "1) + (2"].iter().all(|odd| !numeric(odd))
        );
    }

    const FILE: &str = "START = (0.0, 1.0)\nSTEP = 0.5  # wide\n\n\ndef f(x):\n    return STEP * x\n";

    fn genome() -> Genome {
        [(GenomePath::new("a.py").unwrap(), FileBody::new(FILE.as_bytes(), false))].into_iter().collect()
    }

    fn told(answer: &str) -> Result<(String, String), String> {
        let (path, genome) = (GenomePath::new("a.py").unwrap(), genome());
        let (change, reason) =
            super::super::understand(answer, &Form::Numbers { path: "a.py".into() }, false, &genome)?;
        let new = change.apply(&genome).map_err(|e| e.to_string())?;
        Ok((new.get(&path).and_then(|body| body.text()).unwrap_or_default().to_owned(), reason))
    }

    #[test]
    fn values_are_read_however_they_are_wrapped_and_nothing_else_changes() {
        let wanted = FILE.replace("0.5", "0.25");
        for answer in
            ["STEP = 0.25", "```py\nSTEP = 0.25\n```", "- `STEP = 0.25`", "STEP = 0.9\nSTEP = 0.25\nOTHER = 3"]
        {
            assert_eq!(told(answer).unwrap(), (wanted.clone(), "numbers: STEP = 0.25".to_owned()), "{answer}");
        }
        let whole = FILE.replace("0.5", "0.25").replace("(0.0, 1.0)", "(2, -1)").replace("return", "import os; return");
        let (text, reason) = told(&format!("```py\n{whole}```")).unwrap();
        assert_eq!(text, wanted.replace("(0.0, 1.0)", "(2, -1)"));
        assert_eq!(reason, "numbers: START = (2, -1), STEP = 0.25");
    }

    #[test]
    fn what_an_answer_says_last_and_at_the_edge_counts_even_if_it_was_cut_off() {
        let read = |answer: &str| told(answer).unwrap().0;
        let wanted = FILE.replace("0.5", "0.25");
        assert_eq!(read("Now:\n```\nSTEP = 0.5\n```\nBetter:\n```\nSTEP = 0.25\n```\n"), wanted);
        assert_eq!(read("<think>\nSTEP = 0.1\n</think>\nSTEP = 0.25"), wanted);
        assert_eq!(
            read("```py\nSTEP = 0.25\n\ndef f(x):\n    STEP = 0.1\n    g(\n        STEP=0.3,\n    )\n```"),
            wanted
        );
        assert_eq!(read("1. **STEP** = 0.25"), wanted);
        assert_eq!(read("START = (3, 4)\nSTEP = 2"), FILE.replace("(0.0, 1.0)", "(3, 4)").replace("0.5", "2.0"));
        let parsed = super::super::reply::parse("STEP = 0.25\nSTART = (1, 2", &|_| false).unwrap();
        let genome = genome();
        let cut = numbers_change("STEP = 0.25\nSTART = (1, 2)", &parsed, true, "a.py", &genome).unwrap();
        assert_eq!(cut.1, "numbers: STEP = 0.25");
    }

    #[test]
    fn a_value_keeps_its_form() {
        assert_eq!(fitted("3", "1").as_deref(), Some("3"));
        assert_eq!(fitted("3", "1.5").as_deref(), Some("3.0"));
        assert_eq!(fitted("(1, 2)", "(0.0, -1.0)").as_deref(), Some("(1, 2)"));
        for (new, old) in [
            ("1.5", "1"),
            ("1e3", "1"),
            ("[1]", "1"),
            ("(1, 2, 3)", "(1, 2)"),
            ("[1, 2]", "(1, 2)"),
            ("(1, 2.5)", "(1, 2)"),
        ] {
            assert_eq!(fitted(new, old), None, "{new} for {old}");
        }
        assert!(named("A = 1\nuse(A)\nA = 2\nB = 1\n").iter().map(|n| n.name).eq(["B"]), "a name stands for one place");
    }

    #[test]
    fn functions_that_an_answer_can_name_take_turns() {
        let text = "# EVOLVE-BLOCK-START\ndef f():\n    1\n\ndef g():\n    1\n\nclass C:\n    def h(self):\n        1\n\ndef g():\n    2\n# EVOLVE-BLOCK-END\ndef run():\n    1\n";
        assert!(functions("a.py", text).iter().map(|(_, _, item)| item.name.as_str()).eq(["f"]));
        let rust = "struct S { a: u8 }\nimpl S { fn g() {} }\nfn f() -> u8 { 1 }\n";
        assert!(functions("a.rs", rust).iter().map(|(_, _, item)| item.name.as_str()).eq(["f"]));
    }

    #[test]
    fn what_is_no_number_or_of_no_name_is_not_taken() {
        for answer in ["", "step = 1", "STEP = x", "STEP = __import__('os')", "START = 3", "I would lower STEP."] {
            assert!(told(answer).is_err(), "{answer}");
        }
    }
}
