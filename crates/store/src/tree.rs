//! The Merkle tree over the journal, hashed as RFC 6962 says. It keeps the roots of its complete parts, not its leaves.
//!
//! A leaf is an event's hash in the chain. One root then stands for every event before it, in this order and number.

use meliora_domain::Digest;
use sha2::{Digest as _, Sha256};

/// A tree that only grows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tree {
    size: u64,
    /// Roots of the complete subtrees, the largest first: one for each bit that is set in `size`.
    peaks: Vec<Digest>,
}

impl Tree {
    /// A tree of this many leaves from the roots of its complete parts; `None` where their number does not fit.
    pub(crate) fn of(size: u64, peaks: Vec<Digest>) -> Option<Tree> {
        (peaks.len() == size.count_ones() as usize).then_some(Tree { size, peaks })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Adds the hash of the next event.
    pub(crate) fn push(&mut self, event: &Digest) {
        let mut node = hashed(0, &[&event.0]);
        // Every set bit from the lowest on is a complete subtree of the size that `node` has by then.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = hashed(1, &[&left.0, &node.0]);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The tree head (RFC 6962, section 2.1): SHA-256 of nothing while it is empty.
    pub(crate) fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(smallest) = peaks.next() else { return Digest(Sha256::digest([]).into()) };
        peaks.fold(*smallest, |right, left| hashed(1, &[&left.0, &right.0]))
    }
}

/// 0 before a leaf and 1 before an inner node, so that neither can be passed off as the other.
fn hashed(prefix: u8, parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([prefix]);
    parts.iter().for_each(|part| hasher.update(part));
    Digest(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962, section 2.1, word for word.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest(Sha256::digest([]).into()),
            [one] => hashed(0, &[&one.0]),
            more => {
                let split = more.len().next_power_of_two() / 2;
                hashed(1, &[&by_definition(&more[..split]).0, &by_definition(&more[split..]).0])
            }
        }
    }

    #[test]
    fn every_root_is_the_one_that_the_rfc_defines() {
        let mut tree = Tree::default();
        let mut leaves = Vec::new();
        for n in 0..200u8 {
            assert_eq!(tree.root(), by_definition(&leaves), "{n} leaves");
            assert_eq!(Tree::of(tree.size(), tree.peaks().to_vec()), Some(tree.clone()));
            leaves.push(Digest([n; 32]));
            tree.push(&Digest([n; 32]));
        }
    }

    #[test]
    fn hashes_are_those_of_certificate_transparency() {
        // The first two leaves of its published test vectors: the empty string, and one zero byte.
        let (empty, zero) = (hashed(0, &[]), hashed(0, &[&[0]]));
        assert_eq!(empty.to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        let both = hashed(1, &[&empty.0, &zero.0]);
        assert_eq!(both.to_string(), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    }

    #[test]
    fn parts_that_do_not_fit_the_size_are_no_tree() {
        assert_eq!(Tree::of(3, vec![Digest::default()]), None);
    }
}
