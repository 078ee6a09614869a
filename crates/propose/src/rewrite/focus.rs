//! Where to look first: which failing task, which lines, which function.

use std::collections::{BTreeMap, BTreeSet};

use meliora_domain::{Feedback, Genome, GenomePath};

use super::items::{Item, items};

/// A line of a file, counted from 0.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) line: usize,
}

/// What one attempt is about.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Focus<'a> {
    /// Failing tasks that run the same code.
    pub(crate) failing: Vec<&'a Feedback>,
    /// Passing tasks, those that share most lines with the failing ones first.
    pub(crate) passing: Vec<&'a Feedback>,
    /// Lines worth changing, the most suspicious first.
    pub(crate) suspects: Vec<Place>,
    /// How many such groups of failing tasks there are, at least 1.
    pub(crate) groups: usize,
}

/// Functions, as file and name, and the failing tasks that run just those.
type Group<'p, 'f> = (BTreeSet<(&'p str, &'p str)>, Vec<&'f Feedback>);

/// The group of failing tasks whose turn it is, attempt after attempt, and where its defect may be.
pub(crate) fn focus<'a>(
    genome: &Genome,
    feedback: &'a [Feedback],
    editable: &dyn Fn(&str) -> bool,
    turn: usize,
) -> Focus<'a> {
    let outlines: BTreeMap<&str, Vec<(Item, usize, usize)>> = genome
        .files()
        .filter(|(path, _)| editable(path.as_str()))
        .filter_map(|(path, body)| Some((path.as_str(), outline(path, body.text()?)?)))
        .collect();
    // Failing tasks that end up in the same functions, or some of them in fewer, are one trouble.
    let mut groups: Vec<Group<'_, 'a>> = Vec::new();
    for task in feedback.iter().filter(|f| !f.passed) {
        let mut touched = BTreeSet::new();
        for (path, lines) in &task.lines {
            let Some((path, outline)) = outlines.get_key_value(path.as_str()) else { continue };
            for (item, first, last) in outline {
                // The line that defines a function runs when the file is loaded.
                if lines.iter().any(|l| *l as usize > *first + 1 && *l as usize <= *last) {
                    touched.insert((*path, item.full.as_str()));
                }
            }
        }
        groups.push((touched, vec![task]));
    }
    let mut at = 0;
    while at < groups.len() {
        let one = &groups[at].0;
        let joins = |(other, _): &Group<'_, '_>| one.is_subset(other) || other.is_subset(one);
        match groups.iter().skip(at + 1).position(joins) {
            Some(found) => {
                let (touched, tasks) = groups.remove(at + 1 + found);
                groups[at].0.extend(touched);
                groups[at].1.extend(tasks);
            }
            None => at += 1,
        }
    }
    let count = groups.len().max(1);
    let failing = if groups.is_empty() { Vec::new() } else { groups.swap_remove(turn % count).1 };
    let mut passing: Vec<&Feedback> = feedback.iter().filter(|f| f.passed).collect();
    let broken: BTreeSet<(&str, u32)> =
        failing.iter().flat_map(|f| f.lines.iter().flat_map(|(p, l)| l.iter().map(|n| (p.as_str(), *n)))).collect();
    let shared = |p: &Feedback| {
        let lines = p.lines.iter().flat_map(|(path, l)| l.iter().map(|n| (path.as_str(), *n)));
        lines.filter(|line| broken.contains(line)).count()
    };
    passing.sort_by_cached_key(|p| std::cmp::Reverse(shared(p)));
    let suspects = suspects(genome, &failing, &passing, editable);
    Focus { failing, passing, suspects, groups: count }
}

fn outline(path: &GenomePath, text: &str) -> Option<Vec<(Item, usize, usize)>> {
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
    let line_of = |byte: usize| starts.partition_point(|start| *start <= byte) - 1;
    let with_lines = |item: Item| {
        let (first, last) = (line_of(item.bytes.start), line_of(item.bytes.end));
        (item, first, last)
    };
    Some(items(path.extension(), text)?.into_iter().map(with_lines).collect())
}

/// Lines that failing tasks run, by Ochiai's coefficient ef / √(F·(ef+ep)), where ef and ep count the failing and
/// passing tasks that run the line and F all failing ones (Abreu, Zoeteweij, van Gemund 2007); without coverage every
/// line of code in a single small file, in order.
fn suspects(
    genome: &Genome,
    failing: &[&Feedback],
    passing: &[&Feedback],
    editable: &dyn Fn(&str) -> bool,
) -> Vec<Place> {
    let mut counts: BTreeMap<Place, (u32, u32)> = BTreeMap::new();
    for (tasks, fails) in [(failing, true), (passing, false)] {
        for task in tasks {
            for (path, lines) in &task.lines {
                let lines: BTreeSet<u32> = lines.iter().copied().filter(|l| *l > 0).collect();
                for line in lines {
                    let place = Place { path: path.clone(), line: line as usize - 1 };
                    let count = counts.entry(place).or_default();
                    if fails { count.0 += 1 } else { count.1 += 1 }
                }
            }
        }
    }
    let score = |(ef, ep): (u32, u32)| f64::from(ef) / (failing.len() as f64 * f64::from(ef + ep)).sqrt();
    let mut ranked: Vec<(f64, Place)> =
        counts.into_iter().filter(|(_, c)| c.0 > 0).map(|(place, c)| (score(c), place)).collect();
    let mut texts = genome.files().filter(|(p, f)| editable(p.as_str()) && f.text().is_some());
    if ranked.is_empty()
        && !failing.is_empty()
        && let (Some((path, body)), None) = (texts.next(), texts.next())
    {
        let lines = body.text().unwrap_or_default().lines().count();
        ranked = (0..lines).map(|line| (0.0, Place { path: path.to_string(), line })).collect();
    }
    // Equal suspicion: conditions and assignments are wrong more often than plain returns and imports.
    let worth = |place: &Place| line_of(genome, place).filter(|_| editable(&place.path)).and_then(weight);
    let mut weighed: Vec<(f64, u8, Place)> =
        ranked.into_iter().filter_map(|(score, place)| Some((score, worth(&place)?, place))).collect();
    weighed.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
    weighed.into_iter().map(|(_, _, place)| place).collect()
}

/// The text of a line.
pub(crate) fn line_of<'a>(genome: &'a Genome, place: &Place) -> Option<&'a str> {
    let path = GenomePath::new(&place.path).ok()?;
    genome.get(&path)?.text()?.lines().nth(place.line)
}

/// How much a line is worth looking at; `None` if nothing in it can be wrong.
fn weight(line: &str) -> Option<u8> {
    let line = line.trim();
    let starts = |words: &[&str]| words.iter().any(|w| line.starts_with(w));
    if line.chars().all(|c| !c.is_alphanumeric())
        || starts(&["#", "//", "\"\"\"", "'''", "import ", "from ", "use ", "else:", "try:", "} else {"])
    {
        return None;
    }
    Some(if starts(&["def ", "class ", "fn ", "function "]) {
        0
    } else if starts(&["return "]) || line == "return" || line == "continue" || line == "break" {
        1
    } else {
        2
    })
}

/// The innermost function around a place, if the language is known.
pub(crate) fn enclosing(genome: &Genome, place: &Place) -> Option<Item> {
    let path = GenomePath::new(&place.path).ok()?;
    let outline = outline(&path, genome.get(&path)?.text()?)?;
    outline.into_iter().rfind(|(_, first, last)| (*first..*last).contains(&place.line)).map(|(item, ..)| item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::{FileBody, TaskId};

    fn genome() -> Genome {
        let text = "def f(a):\n    b = a\n    if b > 0:\n        b = 1\n    return b\n\ndef g(a):\n    return a\n";
        Genome::new().with(GenomePath::new("a.py").unwrap(), FileBody::new(text.as_bytes(), false))
    }

    fn ran(name: &str, passed: bool, lines: &[u32]) -> Feedback {
        let lines = if lines.is_empty() { BTreeMap::new() } else { BTreeMap::from([("a.py".into(), lines.to_vec())]) };
        Feedback { task: TaskId(name.into()), passed, detail: String::new(), lines }
    }

    #[test]
    fn lines_that_only_failing_tasks_run_come_first() {
        let feedback = [ran("p", true, &[1, 2, 3, 5, 7]), ran("q", false, &[1, 2, 3, 4, 5, 7])];
        let focus = focus(&genome(), &feedback, &|_| true, 0);
        let lines: Vec<usize> = focus.suspects.iter().map(|p| p.line).collect();
        assert_eq!(lines, [3, 1, 2, 4, 0, 6]);
        assert_eq!(enclosing(&genome(), &focus.suspects[0]).unwrap().full, "f");
    }

    #[test]
    fn defects_in_different_functions_take_turns() {
        let feedback = [ran("f1", false, &[1, 2, 7]), ran("g1", false, &[1, 7, 8]), ran("f2", false, &[1, 2, 7])];
        let names = |turn| {
            let focus = focus(&genome(), &feedback, &|_| true, turn);
            assert_eq!(focus.groups, 2);
            focus.failing.iter().map(|f| f.task.0.clone()).collect::<Vec<_>>()
        };
        assert_eq!((names(0), names(1), names(2)), (vec!["f1".into(), "f2".into()], vec!["g1".into()], names(0)));
    }

    #[test]
    fn a_task_that_ends_early_is_no_trouble_of_its_own() {
        let feedback = [ran("both", false, &[1, 2, 7, 8]), ran("one", false, &[1, 2, 7]), ran("none", false, &[])];
        let focus = focus(&genome(), &feedback, &|_| true, 0);
        assert_eq!((focus.groups, focus.failing.len()), (1, 3));
    }

    #[test]
    fn without_coverage_each_line_of_a_single_file_is_suspect() {
        let bare = [ran("x", false, &[])];
        assert_eq!(focus(&genome(), &bare, &|_| true, 0).suspects.len(), 7);
        assert_eq!(focus(&genome(), &bare, &|_| false, 0).suspects.len(), 0);
        assert_eq!(focus(&genome(), &[], &|_| true, 0).suspects.len(), 0);
    }
}
