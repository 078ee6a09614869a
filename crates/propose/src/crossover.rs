//! Crossover of two variants: definition by definition, each from the one or the other.
//!
//! The parts of a program are its top-level statements: functions, classes, constants. Of the parts in which two parents differ
//! the first proposal takes from each parent what it changed since their common origin, as GEPA's merge does (Agrawal et al.
//! 2025, arXiv 2507.19457, appendix on merging); where both changed a part, the side that scores more. Then single parts are
//! taken over, and then left out. What was tried is not proposed again, and nothing is random.

mod parts;

use meliora_domain::{Change, Cost, Edit, FileBody, Genome, GenomePath};
use meliora_evolve::{Bid, Brief, Inspiration, ProposeError, Proposer};

use parts::{Parts, differing};

/// The proposer that crosses two variants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crossover;

/// Parts in which two variants may differ; of more than these, the later ones go with the first proposal alone.
const MOST_PARTS: usize = 64;

impl Proposer for Crossover {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        // Its own parents first; where it has one only, those that it is to learn from.
        let mates = if brief.mates.is_empty() { brief.inspirations } else { brief.mates };
        let bid = mates.iter().find_map(|mate| cross(brief, mate));
        Ok(bid.unwrap_or(Bid::Exhausted))
    }

    fn reads_ancestors(&self) -> bool {
        true
    }

    fn reads_others(&self) -> bool {
        true
    }
}

/// A part in which the parents differ.
struct Site {
    path: GenomePath,
    /// Its name; none where the file as a whole is the part.
    name: Option<String>,
    /// Whether it is as it was at the origin in the parent, and in the mate.
    kept: (bool, bool),
}

fn cross(brief: &Brief<'_>, mate: &Inspiration) -> Option<Bid> {
    let sites = sites(brief, &mate.genome);
    if sites.is_empty() {
        return None;
    }
    let ahead = mate.score > brief.score;
    let merged: Vec<bool> = sites
        .iter()
        .map(|site| match site.kept {
            (true, false) => true,
            (false, true) => false,
            _ => ahead,
        })
        .collect();
    let few = sites.len().min(MOST_PARTS);
    let single = |n: usize| (0..sites.len()).map(|k| k == n).collect::<Vec<bool>>();
    let flipped = |n: usize| merged.iter().enumerate().map(|(k, m)| (k == n) != *m).collect::<Vec<bool>>();
    let plans = std::iter::once(merged.clone()).chain((0..few).map(single)).chain((0..few).map(flipped));
    for taken in plans {
        let count = taken.iter().filter(|t| **t).count();
        if count == 0 || count == sites.len() {
            continue;
        }
        let change = take(brief.genome, &mate.genome, &sites, &taken);
        let Ok(made) = change.apply(brief.genome) else { continue };
        if made.tree() == brief.genome.tree() || made.tree() == mate.genome.tree() || brief.tried.tree(&made.tree()) {
            continue;
        }
        let names: Vec<String> = sites.iter().zip(&taken).filter(|(_, t)| **t).map(|(site, _)| told(site)).collect();
        let shown = names.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        let more = if names.len() > 4 { format!(" and {} more", names.len() - 4) } else { String::new() };
        let reason = format!("takes {shown}{more} from {} (crossover)", mate.variant.short());
        return Some(Bid::Proposal { change, reason, idea: None, cost: Cost::ZERO });
    }
    None
}

fn told(site: &Site) -> String {
    match &site.name {
        Some(name) => format!("`{name}` of {}", site.path),
        None => site.path.to_string(),
    }
}

/// Where the parents differ, among what may change.
fn sites(brief: &Brief<'_>, mate: &Genome) -> Vec<Site> {
    // The oldest ancestor is what all variants of a run come from.
    let origin = brief.ancestors.last().map_or(brief.genome, |a| &*a.genome);
    let mut paths: Vec<&GenomePath> = brief.genome.files().chain(mate.files()).map(|(path, _)| path).collect();
    paths.sort();
    paths.dedup();
    let mut sites = Vec::new();
    for path in paths.into_iter().filter(|path| (brief.editable)(path.as_str())) {
        let [own, other, first] = [brief.genome, mate, origin].map(|genome| genome.get(path));
        if own == other {
            continue;
        }
        let parsed = |body: Option<&FileBody>| Parts::of(path.extension(), body?.text()?);
        match (parsed(own), parsed(other)) {
            (Some(own), Some(other)) => {
                let first = parsed(first);
                let was = |name: &str, parts: &Parts| first.as_ref().is_none_or(|f| f.get(name) == parts.get(name));
                for name in differing(&own, &other) {
                    let kept = (was(&name, &own), was(&name, &other));
                    sites.push(Site { path: path.clone(), name: Some(name), kept });
                }
            }
            _ => sites.push(Site { path: path.clone(), name: None, kept: (own == first, other == first) }),
        }
    }
    sites
}

/// The change that takes these parts from the mate.
fn take(own: &Genome, mate: &Genome, sites: &[Site], taken: &[bool]) -> Change {
    let mut edits: Vec<Edit> = Vec::new();
    let mut rest: Vec<&Site> = sites.iter().zip(taken).filter(|(_, t)| **t).map(|(site, _)| site).collect();
    while let Some(site) = rest.first().copied() {
        let (here, others): (Vec<&Site>, Vec<&Site>) = rest.into_iter().partition(|s| s.path == site.path);
        rest = others;
        let text = |genome: &Genome| genome.get(&site.path).and_then(|body| body.text()).map(str::to_owned);
        let path = site.path.as_str().to_owned();
        let named: Vec<&str> = here.iter().filter_map(|s| s.name.as_deref()).collect();
        match (text(own), text(mate)) {
            (Some(a), Some(b)) if !named.is_empty() => {
                let ext = site.path.extension();
                if let (Some(a), Some(b)) = (Parts::of(ext, &a), Parts::of(ext, &b)) {
                    edits.push(Edit::Write { path, content: a.with(&b, &named) });
                }
            }
            (_, Some(content)) => edits.push(Edit::Write { path, content }),
            (Some(_), None) => edits.push(Edit::Delete { path }),
            (None, None) => {}
        }
    }
    Change { edits }
}

#[cfg(test)]
mod tests;
