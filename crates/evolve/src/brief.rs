//! What a step takes with it: parents, feedback, inspirations, and the memory of what was tried.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use meliora_domain::{
    BidOutcome, Cost, Digest, Event, Example, Feedback, Genome, Judgement, MarkStatus, Scorecard, Split, TreeId,
    VariantId, Verdict,
};

use crate::approval::Approved;
use crate::error::EvolveError;
use crate::further::Further;
use crate::lineage::{Lineage, reference};
use crate::novelty::{KEPT, cosine};
use crate::port::{Ancestor, Archive, Inspiration, PastAttempt, Tried};
use crate::scales::{Rival, Scales, refs};
use crate::strategy::{Arm, Exam};

/// How many variants' files, marks and feedback are kept at hand.
const AT_HAND: usize = 128;

/// How many ancestors a brief holds at most.
const LONGEST_LINE: usize = 32;

/// One step to be carried out, with everything it needs and nothing that changes meanwhile.
#[derive(Clone, Debug)]
pub struct Errand {
    /// The step.
    pub step: u64,
    /// Its seed.
    pub seed: u64,
    /// Parents, the one to change first.
    pub parents: Vec<VariantId>,
    /// Which proposer.
    pub arm: Arm,
    /// What is set aside for the proposal.
    pub price: Cost,
    /// What is set aside for models that answer in its examination.
    pub answers: Cost,
    /// The first parent's files.
    pub genome: Arc<Genome>,
    /// Its mean validation score.
    pub score: Option<f64>,
    /// Its marks under the evaluator in force.
    pub cards: Vec<Arc<Scorecard>>,
    /// Those of its nearest ancestor that was examined on all tasks, itself for the most part.
    pub held: Vec<Arc<Scorecard>>,
    /// The champion, where it is not the first parent.
    pub champion: Option<Rival>,
    /// On what terms what comes of it is weighed.
    pub scales: Scales,
    /// What train tasks told of it.
    pub feedback: Arc<Vec<Feedback>>,
    /// For prompts: the train rows, and what it made of each.
    pub examples: Arc<Vec<Example>>,
    /// What the first parent was made from, the nearest first; only for proposers that look at it.
    pub ancestors: Vec<Ancestor>,
    /// The other parents.
    pub mates: Vec<Inspiration>,
    /// Others to learn from.
    pub inspirations: Vec<Inspiration>,
    /// What did not help.
    pub attempts: Vec<PastAttempt>,
    /// Gains that the run has accepted so far, in score points.
    pub gains: Vec<f64>,
    /// How what comes of it is examined.
    pub exam: Exam,
    /// A variant that is examined further, where nothing new is made: then the first parent is what it is judged against.
    pub further: Option<Further>,
    /// What is to be tried, where a person said yes to it: then nobody is asked for a proposal.
    pub approved: Option<Approved>,
}

impl Errand {
    /// All that is set aside for it beside evaluations.
    pub fn aside(&self) -> Cost {
        self.price + self.answers
    }
}

/// Trees and ideas that were tried, those under way included. Shared by all workers.
#[derive(Debug, Default)]
pub struct Seen {
    /// Each with the step that claimed it; none for what an earlier sitting tried.
    trees: Mutex<HashMap<TreeId, Option<u64>>>,
    shapes: Mutex<HashMap<Digest, Option<u64>>>,
    ideas: Mutex<HashSet<Digest>>,
    /// Directions of the newest variants, each with its step.
    directions: Mutex<VecDeque<(u64, Vec<f32>)>>,
}

impl Seen {
    /// Claims a tree for a step; `false` if it was tried or is under way. A step that is done anew finds its own claim.
    pub fn claim(&self, tree: TreeId, step: u64) -> bool {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        *trees.entry(tree).or_insert(Some(step)) == Some(step)
    }

    /// Claims a shape for a step, likewise.
    pub fn claim_shape(&self, shape: Digest, step: u64) -> bool {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        *shapes.entry(shape).or_insert(Some(step)) == Some(step)
    }

    /// Whether a direction is that of another step's variant, by their cosine. If not, it is kept for this step.
    pub(crate) fn like(&self, direction: &[f32], step: u64, above: f64) -> bool {
        let mut known = self.directions.lock().unwrap_or_else(PoisonError::into_inner);
        if known.iter().any(|(of, other)| *of != step && cosine(direction, other) >= above) {
            return true;
        }
        known.retain(|(of, _)| *of != step);
        known.push_back((step, direction.to_vec()));
        if known.len() > KEPT {
            known.pop_front();
        }
        false
    }
}

impl Tried for Seen {
    fn tree(&self, tree: &TreeId) -> bool {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner).contains_key(tree)
    }

    fn idea(&self, idea: &Digest) -> bool {
        self.ideas.lock().unwrap_or_else(PoisonError::into_inner).contains(idea)
    }
}

/// Everything at hand about variants: a cache over archive and journal.
pub struct Memory<'a> {
    archive: &'a dyn Archive,
    seen: Arc<Seen>,
    issued: u64,
    /// By run, whether marks depend on the seed.
    chance: Option<(u32, bool)>,
    genomes: Shelf<Arc<Genome>>,
    cards: Shelf<Vec<Arc<Scorecard>>>,
    feedback: Shelf<Arc<Vec<Feedback>>>,
    examples: Shelf<Arc<Vec<Example>>>,
}

impl<'a> Memory<'a> {
    /// An empty memory over this archive.
    pub fn new(archive: &'a dyn Archive) -> Self {
        Memory {
            archive,
            seen: Arc::default(),
            issued: 0,
            chance: None,
            genomes: Shelf::default(),
            cards: Shelf::default(),
            feedback: Shelf::default(),
            examples: Shelf::default(),
        }
    }

    /// Begins with what the journal's run has tried.
    pub fn begin(&mut self, trees: HashSet<TreeId>, shapes: HashSet<Digest>, ideas: HashSet<Digest>) {
        let trees = trees.into_iter().map(|tree| (tree, None)).collect();
        let shapes = shapes.into_iter().map(|shape| (shape, None)).collect();
        self.seen = Arc::new(Seen {
            trees: Mutex::new(trees),
            shapes: Mutex::new(shapes),
            ideas: Mutex::new(ideas),
            directions: Mutex::default(),
        });
    }

    /// What was tried, for workers.
    pub fn seen(&self) -> Arc<Seen> {
        self.seen.clone()
    }

    /// The number of the step after the last one in the journal and the last one given out.
    pub fn next_step(&self, journalled: u64) -> u64 {
        self.issued.max(journalled) + 1
    }

    /// Makes the errand for a step.
    #[expect(clippy::too_many_arguments, reason = "each is one thing the strategy decided")]
    pub fn errand(
        &mut self,
        lineage: &Lineage,
        step: u64,
        seed: u64,
        parents: Vec<VariantId>,
        inspirations: &[VariantId],
        arm: Arm,
        price: Cost,
    ) -> Result<Errand, EvolveError> {
        self.issued = step;
        let parent = parents[0];
        let node = lineage.find(&parent).map(|i| lineage.node(i));
        let evaluator = node.and_then(|n| n.evaluator).unwrap_or_default();
        let cards = self.cards(&parent, &evaluator)?;
        let whole = lineage.find(&parent).map(|index| lineage.node(reference(lineage, index)).id);
        let held = self.cards(&whole.unwrap_or(parent), &evaluator)?;
        let feedback = self.feedback(&parent, &cards)?;
        let champion = lineage.champion().map(|n| n.id).filter(|id| *id != parent);
        let champion = champion
            .map(|variant| {
                let (genome, cards) = (self.genome(&variant)?, self.cards(&variant, &evaluator)?);
                Ok::<_, EvolveError>(Rival { variant, genome, cards })
            })
            .transpose()?;
        let examples = self.examples.get(&parent).cloned().unwrap_or_default();
        let mates = self.others(lineage, &parents[1..])?;
        let inspirations = self.others(lineage, inspirations)?;
        let attempts = node.map(|n| n.attempts.as_slice()).unwrap_or_default();
        let attempts = attempts
            .iter()
            .map(|t| PastAttempt { reason: t.reason.clone(), outcome: t.outcome.clone(), feedback: t.feedback.clone() })
            .collect();
        let genome = self.genome(&parent)?;
        let score = node.and_then(|n| n.score);
        let ancestors = Vec::new();
        Ok(Errand {
            step,
            seed,
            parents,
            arm,
            price,
            answers: Cost::ZERO,
            genome,
            score,
            cards,
            held,
            champion,
            scales: Scales::default(),
            feedback,
            examples,
            ancestors,
            mates,
            inspirations,
            attempts,
            gains: lineage.run.as_ref().map(|r| r.gains.clone()).unwrap_or_default(),
            exam: Exam::Whole,
            further: None,
            approved: None,
        })
    }

    /// Variants with their files and scores.
    fn others(&mut self, lineage: &Lineage, ids: &[VariantId]) -> Result<Vec<Inspiration>, EvolveError> {
        let other = |id: &VariantId| {
            let score = lineage.find(id).and_then(|i| lineage.node(i).score);
            Ok::<_, EvolveError>(Inspiration { variant: *id, genome: Genome::clone(&*self.genome(id)?), score })
        };
        ids.iter().map(other).collect()
    }

    /// What a variant was made from within the run, its own parent first, back to the run's baseline.
    pub fn ancestors(&mut self, lineage: &Lineage, id: &VariantId) -> Result<Vec<Ancestor>, EvolveError> {
        let baseline = lineage.run.as_ref().and_then(|r| r.baseline);
        let mut line = Vec::new();
        let mut at = lineage.find(id);
        while let Some(index) = at.filter(|i| Some(*i) != baseline && line.len() < LONGEST_LINE) {
            at = lineage.node(index).parents.first().copied();
            line.extend(at);
        }
        line.into_iter()
            .map(|index| {
                let node = lineage.node(index);
                let cards = self.cards(&node.id, &node.evaluator.unwrap_or_default())?;
                Ok(Ancestor { genome: self.genome(&node.id)?, feedback: self.feedback(&node.id, &cards)? })
            })
            .collect()
    }

    /// A variant's files.
    pub fn genome(&mut self, id: &VariantId) -> Result<Arc<Genome>, EvolveError> {
        if let Some(genome) = self.genomes.get(id) {
            return Ok(genome.clone());
        }
        let genome = Arc::new(self.archive.load(id)?);
        self.genomes.put(*id, genome.clone());
        Ok(genome)
    }

    /// A variant's marks under this evaluator, first examination first.
    pub fn cards(&mut self, id: &VariantId, evaluator: &Digest) -> Result<Vec<Arc<Scorecard>>, EvolveError> {
        if let Some(cards) = self.cards.get(id)
            && cards.iter().all(|c| c.evaluator == *evaluator)
        {
            return Ok(cards.clone());
        }
        let cards: Vec<_> = scorecards(self.archive, id, evaluator)?.into_iter().map(Arc::new).collect();
        self.cards.put(*id, cards.clone());
        Ok(cards)
    }

    /// Takes in a card that is about to be journalled.
    pub fn keep_card(&mut self, id: &VariantId, card: &Scorecard) -> Result<(), EvolveError> {
        let mut cards = self.cards(id, &card.evaluator)?;
        cards.push(Arc::new(card.clone()));
        self.cards.put(*id, cards);
        Ok(())
    }

    /// Whether marks of the run's baseline depend on the seed, as its first two examinations show.
    pub fn chance(&mut self, lineage: &Lineage) -> Result<bool, EvolveError> {
        let Some((run, baseline)) = lineage.run.as_ref().zip(lineage.baseline()) else { return Ok(false) };
        if let Some((_, chance)) = self.chance.filter(|(known, _)| *known == run.number) {
            return Ok(chance);
        }
        let cards = self.cards(&baseline.id, &run.plan.evaluator)?;
        let chance = !meliora_judge::repeats(&refs(&cards[..cards.len().min(2)])).exact();
        self.chance = Some((run.number, chance));
        Ok(chance)
    }

    /// Whether the lines that a variant's train tasks run are known.
    pub fn traced(&mut self, id: &VariantId) -> Result<bool, EvolveError> {
        if self.feedback.get(id).is_some() {
            return Ok(true);
        }
        let mut found = None;
        for recorded in self.archive.about(id)? {
            if let Event::Traced { feedback, examples, .. } = recorded.event {
                found = Some((feedback, examples));
            }
        }
        let known = found.is_some();
        if let Some((feedback, examples)) = found {
            self.keep_feedback(*id, feedback, examples);
        }
        Ok(known)
    }

    /// Keeps what was gathered.
    pub fn keep_feedback(&mut self, id: VariantId, feedback: Vec<Feedback>, examples: Vec<Example>) {
        self.feedback.put(id, Arc::new(feedback));
        self.examples.put(id, Arc::new(examples));
    }

    /// Keeps a new variant's files and marks.
    pub fn keep(&mut self, id: VariantId, genome: &Genome, cards: Vec<Arc<Scorecard>>) {
        self.genomes.put(id, Arc::new(genome.clone()));
        self.cards.put(id, cards);
    }

    /// A step is over: an idea that did not help is known to all workers from now on.
    pub fn done(&mut self, _step: u64, events: &[Event]) {
        let helped = events.iter().any(|e| match e {
            Event::Judged { judgement, .. } => judgement.verdict == Verdict::Accepted || judgement.hopeful(),
            _ => false,
        });
        let idea = events.iter().find_map(|e| match e {
            Event::Bid(attempt) => match &attempt.outcome {
                BidOutcome::Proposed { idea, .. } => *idea,
                _ => None,
            },
            _ => None,
        });
        if let Some(idea) = idea.filter(|_| !helped) {
            self.seen.ideas.lock().unwrap_or_else(PoisonError::into_inner).insert(idea);
        }
    }

    fn feedback(&mut self, id: &VariantId, cards: &[Arc<Scorecard>]) -> Result<Arc<Vec<Feedback>>, EvolveError> {
        // Asked of the journal where it is not at hand: a run that goes on must tell proposers what the first one would have.
        if self.traced(id)?
            && let Some(feedback) = self.feedback.get(id)
        {
            return Ok(feedback.clone());
        }
        let told_of_train = cards.iter().rev().find(|card| card.of(Split::Train).next().is_some());
        Ok(Arc::new(told_of_train.map(|card| told(card)).unwrap_or_default()))
    }
}

/// What a scorecard's train marks tell a proposer.
fn told(card: &Scorecard) -> Vec<Feedback> {
    card.of(Split::Train)
        .filter(|m| m.status != MarkStatus::Missing)
        .map(|m| Feedback {
            task: m.task.clone(),
            passed: m.status == MarkStatus::Passed,
            detail: m.detail.clone(),
            lines: Default::default(),
        })
        .collect()
}

/// All scorecards of a variant under one evaluator, from the journal.
pub fn scorecards(archive: &dyn Archive, id: &VariantId, evaluator: &Digest) -> Result<Vec<Scorecard>, EvolveError> {
    let events = archive.about(id)?.into_iter();
    Ok(events
        .filter_map(|r| match r.event {
            Event::Examined { variant, scorecard, .. } if variant == *id && scorecard.evaluator == *evaluator => {
                Some(scorecard)
            }
            _ => None,
        })
        .collect())
}

/// The newest judgement on a variant; `None` for a baseline.
pub fn judgement(archive: &dyn Archive, id: &VariantId) -> Result<Option<Judgement>, EvolveError> {
    Ok(archive.about(id)?.into_iter().rev().find_map(|recorded| match recorded.event {
        Event::Judged { variant, judgement, .. } if variant == *id => Some(judgement),
        _ => None,
    }))
}

/// A bounded cache: the oldest goes first.
#[derive(Debug)]
struct Shelf<T> {
    items: HashMap<VariantId, T>,
    order: VecDeque<VariantId>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf { items: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Shelf<T> {
    fn get(&self, id: &VariantId) -> Option<&T> {
        self.items.get(id)
    }

    fn put(&mut self, id: VariantId, item: T) {
        if self.items.insert(id, item).is_none() {
            self.order.push_back(id);
            if self.order.len() > AT_HAND
                && let Some(oldest) = self.order.pop_front()
            {
                self.items.remove(&oldest);
            }
        }
    }
}
