//! Who descends from a suspect: brought up to date where something changed, in time with how much did.

use std::collections::BTreeSet;

use super::{Lineage, NodeIndex};

impl Lineage {
    /// Brings up to date who descends from this variant, which became suspect or was cleared, and takes suspects and theirs
    /// from the best and from the throne.
    pub(super) fn quarantine(&mut self, changed: NodeIndex) {
        let mut freed = vec![changed];
        let mut due: BTreeSet<NodeIndex> = self.heirs[changed as usize].iter().copied().collect();
        // Parents stand before their children.
        while let Some(index) = due.pop_first() {
            let tainted = self.node(index).parents.iter().any(|p| self.node(*p).taints());
            let node = &mut self.nodes[index as usize];
            if node.tainted == tainted {
                continue;
            }
            node.tainted = tainted;
            self.touched.0.push(index);
            due.extend(self.heirs[index as usize].iter().copied());
            freed.push(index);
        }
        let nodes = &self.nodes;
        let Some(run) = &mut self.run else { return };
        let known = run.best.len();
        run.best.retain(|i| nodes[*i as usize].viable());
        if run.best.len() < known {
            // Whoever comes after the best moves up. It seldom happens: a suspect mostly is one from its first verdict on.
            freed = (0..nodes.len() as NodeIndex).collect();
        }
        while let Some(champion) = run.champion.filter(|c| !nodes[*c as usize].viable()) {
            let before = nodes[champion as usize].parents.first().copied();
            run.champion = before.or(run.baseline).filter(|next| *next != champion);
        }
        let number = run.number;
        freed.retain(|i| {
            let node = &nodes[*i as usize];
            node.viable() && node.run == number && node.verdict.is_some() && !run.best.contains(i)
        });
        freed.into_iter().for_each(|index| self.rank(index));
    }
}
