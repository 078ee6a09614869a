//! Numeric operators: numbers of a program moved by log-scale steps, alone or with those that stand beside them.
//!
//! What was accepted on the way to the parent, and how often it failed since, decides how far and where to ([`step`]). All of it is
//! read from the brief, so that a run that goes on draws as one that never stopped.

mod dice;
mod literal;
mod step;

use std::sync::{Arc, Mutex, PoisonError};

use meliora_domain::{Change, Digest, Genome};
use meliora_evolve::Brief;

use super::LARGEST;
use super::language::Lang;
use super::render::{between, change};
use super::tree::Ast;
use dice::Dice;
use literal::{Literal, arrange, literals, scales, written};
use step::{Space, Way, step};

/// Genomes whose numbers are kept.
const KEPT: usize = 64;
/// Draws for one bid before there is nothing new: only programs of a few whole numbers come that far.
const DRAWS: u64 = 64;
/// How much of a step does not matter: literals are written with digits down to it.
const GRAIN: f64 = 1e-4;
/// What numeric steps begin with, beside one of syntax, where failing tests tell lines: a slip in a number is mostly one by one,
/// to zero or in the sign, which syntax has too, and of the many other numbers some pass the tests that are shown by chance.
const LOCATED: f64 = 0.02;
/// Ends the reason of a numeric step, by which it is known among past attempts.
const LABEL: &str = "(numbers)";

struct Page {
    path: String,
    text: String,
    literals: Vec<Literal>,
}

/// The numbers of a genome.
struct Sheet {
    pages: Vec<Page>,
    /// The program without its numbers: where it is the same, numbers can be compared.
    skeleton: Digest,
}

impl Sheet {
    fn of(genome: &Genome, editable: &dyn Fn(&str) -> bool) -> Sheet {
        let mut pages = Vec::new();
        let mut bones = Vec::new();
        for (path, body) in genome.files() {
            let Some(lang) = Lang::of(path.extension()) else { continue };
            let Some(text) = body.text().filter(|text| text.len() <= LARGEST && editable(path.as_str())) else {
                continue;
            };
            let Some(ast) = Ast::parse(lang, text) else { continue };
            let literals = literals(&ast, text);
            let mut at = 0;
            for literal in &literals {
                bones.extend_from_slice(&text.as_bytes()[at..literal.start]);
                bones.push(0);
                at = literal.end;
            }
            bones.extend_from_slice(&text.as_bytes()[at..]);
            pages.push(Page { path: path.as_str().to_owned(), text: text.to_owned(), literals });
        }
        Sheet { pages, skeleton: Digest::of([&bones[..]]) }
    }

    fn literals(&self) -> Vec<Literal> {
        self.pages.iter().flat_map(|page| page.literals.iter().cloned()).collect()
    }

    fn space(&self) -> Space {
        let mut space = Space { values: Vec::new(), scales: Vec::new(), groups: Vec::new(), vectors: Vec::new() };
        for page in &self.pages {
            let (groups, vectors) = arrange(&page.literals);
            space.scales.extend(scales(&page.literals, &groups, &vectors));
            let (numbers, held) = (space.values.len(), space.groups.len());
            space.groups.extend(groups.into_iter().map(|g| g.into_iter().map(|i| i + numbers).collect()));
            space.vectors.extend(vectors.into_iter().map(|v| v.into_iter().map(|g| g + held).collect()));
            space.values.extend(page.literals.iter().map(|l| l.value));
        }
        space
    }
}

/// A numeric step that is proposed.
pub(super) struct Moved {
    pub(super) change: Change,
    pub(super) reason: String,
}

/// The numeric operators, with the numbers of the latest genomes at hand. A cache: it never changes what is proposed.
#[derive(Default)]
pub(super) struct Numbers {
    sheets: Mutex<Vec<(Digest, Arc<Sheet>)>>,
}

impl Numbers {
    /// Whether this step is one for numbers rather than for syntax: by how often either helped on the way to the parent and since.
    pub(super) fn turn(&self, brief: &Brief<'_>) -> bool {
        if !movable(&self.sheet(brief.genome, brief), brief) {
            return false;
        }
        let line: Vec<Digest> = self.line(brief).iter().map(|s| s.skeleton).collect();
        let moved = line.windows(2).filter(|w| w[0] == w[1]).count() as f64;
        let edited = line.windows(2).count() as f64 - moved;
        let lost = brief.attempts.iter().filter(|a| a.reason.ends_with(LABEL)).count() as f64;
        let others = brief.attempts.len() as f64 - lost;
        let first = if located(brief) { LOCATED } else { 1.0 };
        // Eight failures since halve what a success before them says.
        let numeric = (moved + first) / (1.0 + lost / 8.0);
        let syntactic = (edited + 1.0) / (1.0 + others / 8.0);
        let share = numeric / (numeric + syntactic);
        Dice::of(brief.seed, u64::MAX).chance(share.clamp(0.02, 0.98))
    }

    /// A step of the parent's numbers that leads to a program that was not tried; `None` if there is none.
    pub(super) fn propose(&self, brief: &Brief<'_>) -> Option<Moved> {
        let sheet = self.sheet(brief.genome, brief);
        if !movable(&sheet, brief) {
            return None;
        }
        let literals = sheet.literals();
        let space = sheet.space();
        let past = self.past(brief, &sheet);
        let failures = brief.attempts.iter().filter(|a| a.reason.ends_with(LABEL)).count();
        for nth in 0..DRAWS {
            let (by, way) = step(&space, &past, failures, &mut Dice::of(brief.seed, nth));
            let values = land(&space, &literals, &by);
            let Some(moved) = render(&sheet, &space, &values, way) else { continue };
            if moved.change.apply(brief.genome).is_ok_and(|genome| !brief.tried.tree(&genome.tree())) {
                return Some(moved);
            }
        }
        None
    }

    fn sheet(&self, genome: &Genome, brief: &Brief<'_>) -> Arc<Sheet> {
        let may: Vec<u8> = genome.files().map(|(path, _)| u8::from((brief.editable)(path.as_str()))).collect();
        let key = Digest::of([&genome.tree().0[..], &may[..]]);
        // A panic elsewhere cannot leave a sheet half made: only whole ones are put in.
        let mut sheets = self.sheets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sheet)) = sheets.iter().find(|(k, _)| *k == key) {
            return sheet.clone();
        }
        let sheet = Arc::new(Sheet::of(genome, brief.editable));
        if sheets.len() == KEPT {
            sheets.remove(0);
        }
        sheets.push((key, sheet.clone()));
        sheet
    }

    /// The parent and what it was made from, the nearest first.
    fn line(&self, brief: &Brief<'_>) -> Vec<Arc<Sheet>> {
        let before = brief.ancestors.iter().map(|a| self.sheet(&a.genome, brief));
        std::iter::once(self.sheet(brief.genome, brief)).chain(before).collect()
    }

    /// Steps of the numbers on the way to the parent, the newest first, while the rest of the program was what it is now.
    fn past(&self, brief: &Brief<'_>, sheet: &Sheet) -> Vec<Vec<f64>> {
        let values = |s: &Sheet| s.literals().iter().map(|l| l.value).collect::<Vec<_>>();
        let line: Vec<Vec<f64>> =
            self.line(brief).iter().filter(|s| s.skeleton == sheet.skeleton).map(|s| values(s)).collect();
        line.windows(2).map(|w| w[0].iter().zip(&w[1]).map(|(new, old)| new - old).collect()).collect()
    }
}

/// Whether failing tests point at lines. One that did not end tells none, where others do.
fn located(brief: &Brief<'_>) -> bool {
    let told = brief.feedback.iter().any(|f| !f.lines.is_empty());
    brief.feedback.iter().any(|f| !f.passed && (!f.lines.is_empty() || told && f.detail.contains("took longer than")))
}

/// Whether the program has numbers to move. Where failing tests point at lines, whole numbers are rather misspelt than mistuned.
fn movable(sheet: &Sheet, brief: &Brief<'_>) -> bool {
    let mut numbers = sheet.pages.iter().flat_map(|page| &page.literals);
    numbers.any(|l| !l.whole)
        || !located(brief) && sheet.pages.iter().map(|page| page.literals.len()).sum::<usize>() > 2
}

/// Where a step leads: whole numbers to the next whole one, and never below 0 where they were not.
fn land(space: &Space, literals: &[Literal], by: &[f64]) -> Vec<f64> {
    let at = space.values.iter().zip(by).zip(literals);
    at.map(|((value, by), literal)| {
        if !literal.whole || *by == 0.0 {
            return value + by;
        }
        let by = if by.abs() < 1.0 { by.signum() } else { by.round() };
        let least = if *value < 0.0 { f64::MIN } else { 0.0 };
        (value + by).max(least)
    })
    .collect()
}

fn render(sheet: &Sheet, space: &Space, values: &[f64], way: Way) -> Option<Moved> {
    let mut edits = Vec::new();
    let mut told: Vec<String> = Vec::new();
    let (mut count, mut farthest, mut at) = (0, 0.0f64, 0);
    for page in &sheet.pages {
        let mut text = String::new();
        let mut copied = 0;
        for literal in &page.literals {
            let (value, by) = (values[at], (values[at] - literal.value).abs());
            if by > 0.0 && value.is_finite() {
                let new = written(literal, value, by * GRAIN);
                let line = page.text[..literal.start].matches('\n').count() + 1;
                told.push(format!("{}:{line} `{}` -> `{new}`", page.path, &page.text[literal.start..literal.end]));
                text.push_str(&page.text[copied..literal.start]);
                text.push_str(&new);
                copied = literal.end;
                count += 1;
                farthest = farthest.max(by / space.scales[at]);
            }
            at += 1;
        }
        text.push_str(&page.text[copied..]);
        if text != page.text {
            edits.extend(change(&page.path, &page.text, &between(&page.text, &text)).edits);
        }
    }
    let how = match way {
        Way::Along => "along steps that helped",
        Way::Like => "as far as a step that helped",
        Way::Fresh => "a new step",
        Way::Redrawn => "drawn anew",
    };
    let what = match told.as_slice() {
        [] => return None,
        [one] => one.clone(),
        [first, ..] => format!("{count} numbers, {first} and others"),
    };
    (!edits.is_empty()).then(|| Moved {
        change: Change { edits },
        reason: format!("{what}, {how}, {farthest:.1e} of their spread {LABEL}"),
    })
}
