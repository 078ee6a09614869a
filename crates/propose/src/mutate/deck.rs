//! A parent's candidates in their order, and how far they have been dealt.

use meliora_domain::{Change, Digest, Feedback, TreeId};
use meliora_evolve::Brief;
use tree_sitter::{InputEdit, Parser, Point};

use super::LARGEST;
use super::language::Lang;
use super::localise::Suspicion;
use super::ops;
use super::rank::{essence, rank};
use super::render::{Blocks, after, between, change, idea, reason};
use super::reopen::before;
use super::sketch::{Candidate, Sketch};
use super::tree::Ast;

/// How many candidates of functions as they stood before come for each of the functions as they stand now.
const OLD_AT_ONCE: usize = 3;

/// One file of the parent, or of what the parent was before changes that are in doubt.
struct File {
    path: String,
    text: String,
    ast: Ast,
    /// Broken places that the text has already.
    errors: usize,
    /// The parent's own text, if this one is not.
    own: Option<String>,
}

/// What is known of a candidate once its turn came.
#[derive(Clone, Copy)]
struct Face {
    tree: TreeId,
    idea: Digest,
}

enum State {
    Hidden,
    Seen(Face),
    /// It does not parse, or changes nothing.
    Void,
}

struct Card {
    file: usize,
    candidate: Candidate,
    state: State,
}

/// A card that is played.
pub(super) struct Played {
    pub(super) change: Change,
    pub(super) reason: String,
    pub(super) idea: Digest,
}

/// The ranked candidates of one parent.
pub(super) struct Deck {
    files: Vec<File>,
    cards: Vec<Card>,
    /// Every card before this was tried as a tree or as an idea, or is void.
    fresh: usize,
    /// Every card before this was tried as a tree, or is void.
    open: usize,
}

impl Deck {
    /// Draws and ranks the candidates of the brief's parent.
    pub(super) fn new(brief: &Brief<'_>) -> Deck {
        let mut files = Vec::new();
        let mut weighed: Vec<(f64, usize, Candidate)> = Vec::new();
        let mut again: Vec<(f64, usize, Candidate)> = Vec::new();
        for (path, body) in brief.genome.files() {
            let Some(lang) = Lang::of(path.extension()) else { continue };
            if body.bytes().len() > LARGEST || !(brief.editable)(path.as_str()) {
                continue;
            }
            let Some(text) = body.text() else { continue };
            let Some(ast) = Ast::parse(lang, text) else { continue };
            let before = before(brief, path, text, &ast);
            weigh(&mut files, &mut weighed, path.as_str(), text.to_owned(), ast, brief.feedback, None);
            if let Some(before) = before
                && let Some(ast) = Ast::parse(lang, &before.text)
            {
                let own = Some(text.to_owned());
                weigh(&mut files, &mut again, path.as_str(), before.text, ast, before.feedback, own);
            }
        }
        // Stable: equal weights keep the order of files and of their own ranking.
        weighed.sort_by(|a, b| b.0.total_cmp(&a.0));
        again.sort_by(|a, b| b.0.total_cmp(&a.0));
        // What came before the change that was made then was tried then.
        let made = again.iter().rposition(|(_, file, candidate)| {
            let File { text, own, .. } = &files[*file];
            own.as_ref().is_some_and(|own| essence(text, candidate) == essence(text, &between(text, own)))
        });
        let done = made.map_or(0, |n| n + 1);
        let card = |file, candidate| Card { file, candidate, state: State::Hidden };
        let firsts = weighed.into_iter().enumerate().map(|(n, (_, f, c))| (n * OLD_AT_ONCE, card(f, c)));
        let seconds = again.into_iter().enumerate().map(|(n, (_, f, c))| (n.saturating_sub(done), card(f, c)));
        let mut placed: Vec<(usize, Card)> = firsts.chain(seconds).collect();
        placed.sort_by_key(|(place, _)| *place);
        Deck { files, cards: placed.into_iter().map(|(_, card)| card).collect(), fresh: 0, open: 0 }
    }

    /// The next card: of those whose idea is new first, then of those whose idea was tried on another parent.
    pub(super) fn deal(&mut self, brief: &Brief<'_>) -> Option<Played> {
        self.check(brief);
        while self.fresh < self.cards.len() {
            if let Some(face) = self.turn(self.fresh, brief)
                && !brief.tried.tree(&face.tree)
                && !brief.tried.idea(&face.idea)
            {
                return Some(self.play(self.fresh, face));
            }
            self.fresh += 1;
        }
        while self.open < self.cards.len() {
            if let Some(face) = self.turn(self.open, brief)
                && !brief.tried.tree(&face.tree)
            {
                return Some(self.play(self.open, face));
            }
            self.open += 1;
        }
        None
    }

    /// What was tried only grows within a run, so what was passed over stays passed over. Another run's memory may be
    /// smaller: then a card of those passed over is untried again (looked for at doubling distances), and dealing restarts.
    fn check(&mut self, brief: &Brief<'_>) {
        let untried = |deck: &Deck, end: usize, ideas: bool| {
            let ends = [0, end.wrapping_sub(1)];
            let steps = (0..usize::BITS).map(|bit| 1usize << bit);
            ends.into_iter().chain(steps).filter(|n| *n < end).any(|n| match deck.cards[n].state {
                State::Seen(face) => !(brief.tried.tree(&face.tree) || ideas && brief.tried.idea(&face.idea)),
                _ => false,
            })
        };
        if untried(self, self.fresh, true) {
            self.fresh = 0;
        }
        if untried(self, self.open, false) {
            self.open = 0;
        }
    }

    fn turn(&mut self, nth: usize, brief: &Brief<'_>) -> Option<Face> {
        if let State::Hidden = self.cards[nth].state {
            let face = self.look(&self.cards[nth], brief);
            self.cards[nth].state = face.map_or(State::Void, State::Seen);
        }
        match self.cards[nth].state {
            State::Seen(face) => Some(face),
            _ => None,
        }
    }

    fn look(&self, card: &Card, brief: &Brief<'_>) -> Option<Face> {
        let file = &self.files[card.file];
        if !parses(file, &card.candidate) {
            return None;
        }
        let genome = self.change(card).apply(brief.genome).ok()?;
        Some(Face { tree: genome.tree(), idea: idea(&file.path, &file.text, &file.ast, &card.candidate) })
    }

    fn play(&self, nth: usize, face: Face) -> Played {
        let card = &self.cards[nth];
        let file = &self.files[card.file];
        let mut reason = reason(&file.path, &file.text, &file.ast, &card.candidate);
        if file.own.is_some() {
            reason.push_str(", in place of an earlier change");
        }
        Played { change: self.change(card), reason, idea: face.idea }
    }

    fn change(&self, card: &Card) -> Change {
        let file = &self.files[card.file];
        match &file.own {
            None => change(&file.path, &file.text, &card.candidate),
            Some(own) => change(&file.path, own, &between(own, &after(&file.text, &card.candidate))),
        }
    }
}

/// Adds a file and its candidates that stay inside what may change.
fn weigh(
    files: &mut Vec<File>,
    weighed: &mut Vec<(f64, usize, Candidate)>,
    path: &str,
    text: String,
    ast: Ast,
    feedback: &[Feedback],
    own: Option<String>,
) {
    let suspicion = Suspicion::of(path, feedback);
    let blocks = Blocks::of(&text);
    for (weight, candidate) in candidates(&ast, &text, &suspicion) {
        if blocks.hold(candidate.start, candidate.end) {
            weighed.push((weight, files.len(), candidate));
        }
    }
    let errors = errors(&ast.tree);
    files.push(File { path: path.to_owned(), text, ast, errors, own });
}

/// All candidates of a file, ranked.
pub(super) fn candidates(ast: &Ast, text: &str, suspicion: &Suspicion) -> Vec<(f64, Candidate)> {
    let mut sketch = Sketch::new(text, ast);
    ops::draw(&mut sketch, suspicion);
    rank(ast, text, sketch.out, suspicion)
}

/// Whether the edit leaves no more broken places than there were.
fn parses(file: &File, candidate: &Candidate) -> bool {
    let mut tree = file.ast.tree.clone();
    let new = after(&file.text, candidate);
    let new_end = candidate.start + candidate.text.len();
    tree.edit(&InputEdit {
        start_byte: candidate.start,
        old_end_byte: candidate.end,
        new_end_byte: new_end,
        start_position: point(&file.text, candidate.start),
        old_end_position: point(&file.text, candidate.end),
        new_end_position: point(&new, new_end),
    });
    let mut parser = Parser::new();
    if parser.set_language(&file.ast.lang.grammar()).is_err() {
        return false;
    }
    parser.parse(&new, Some(&tree)).is_some_and(|tree| errors(&tree) <= file.errors)
}

fn point(text: &str, at: usize) -> Point {
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |n| n + 1);
    Point { row: before.matches('\n').count(), column: at - line }
}

/// How many broken or missing places a tree has.
fn errors(tree: &tree_sitter::Tree) -> usize {
    let mut count = 0;
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        count += usize::from(node.is_error() || node.is_missing());
        // Only broken branches are looked into.
        if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return count;
            }
        }
    }
}
