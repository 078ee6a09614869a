//! How a run searches: the settings of its strategy, kept in its plan, so that a run that goes on decides as it did before.

use serde::{Deserialize, Serialize};

/// The settings of a run's search.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchPlan {
    /// So many validation tasks of a new variant are examined first, then as many again, until it is hopeless or all are
    /// done. Zero examines all at once.
    pub first_tasks: u32,
    /// How a proposer is chosen where there are several.
    pub arms: Arms,
    /// `dgm`.
    pub dgm: DgmPlan,
    /// `hgm`.
    pub hgm: HgmPlan,
    /// `islands`.
    pub islands: IslandsPlan,
    /// `pareto`.
    pub pareto: ParetoPlan,
    /// `arms = "bandit"`.
    pub bandit: BanditPlan,
}

impl SearchPlan {
    /// Whether all is as it is without settings.
    pub fn is_default(&self) -> bool {
        *self == SearchPlan::default()
    }
}

/// How a proposer is chosen where there are several.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arms {
    /// They take turns.
    #[default]
    Turns,
    /// Those that paid are asked more often.
    Bandit,
}

/// The scale that `dgm` measures scores on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// 0 to 1 with the middle at one half, as in the paper.
    #[default]
    Fixed,
    /// Distances from the median, in median absolute deviations.
    Median,
}

/// Settings of `dgm`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DgmPlan {
    /// The scale of scores.
    pub scale: Scale,
}

/// Settings of `hgm`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct HgmPlan {
    /// With N marks so far, there are N to the power of this many variants; 0 to 1.
    pub alpha: f64,
    /// The final choice looks at this quantile of what is believed of a variant; 0 to 1.
    pub epsilon: f64,
    /// Tasks of one examination, at least 1.
    pub batch: u32,
    /// How many of the best are examined on all tasks before the budget ends.
    pub finalists: u32,
}

impl Default for HgmPlan {
    fn default() -> Self {
        HgmPlan { alpha: 0.6, epsilon: 0.05, batch: 1, finalists: 3 }
    }
}

/// Settings of `islands`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct IslandsPlan {
    /// How many islands.
    pub count: u32,
    /// After so many variants, each island sees the best of the one before it; zero for never.
    pub migrate_every: u32,
    /// After so many variants, the worse half of the islands begins anew; zero for never.
    pub reset_every: u32,
    /// The dimensions of the map.
    pub features: Vec<Feature>,
}

impl Default for IslandsPlan {
    fn default() -> Self {
        let features = vec![Feature { name: "depth".into(), edges: vec![1.0, 2.0, 4.0, 8.0, 16.0] }];
        IslandsPlan { count: 4, migrate_every: 20, reset_every: 100, features }
    }
}

/// One dimension of the map of `islands`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Feature {
    /// `depth` (steps from the baseline), `tasks:BEGINNING` (mean score of the validation
    /// tasks whose names begin so), or the name of a metric of the evaluator.
    pub name: String,
    /// Where one cell ends and the next begins, rising. They never move.
    pub edges: Vec<f64>,
}

/// Settings of `pareto`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ParetoPlan {
    /// How often two variants of the front are joined instead of one being changed; 0 to 1.
    pub merge: f64,
}

impl Default for ParetoPlan {
    fn default() -> Self {
        ParetoPlan { merge: 0.1 }
    }
}

/// Settings of the choice among proposers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct BanditPlan {
    /// How much a proposer gains by being asked seldom, at least 0.
    pub exploration: f64,
    /// How often one is drawn whatever it brought; 0 to 1.
    pub epsilon: f64,
    /// What is left of old gains after each attempt; above 0, up to 1.
    pub decay: f64,
    /// Weight of being cheap against bringing gains; 0 to 1.
    pub cheapness: f64,
}

impl Default for BanditPlan {
    fn default() -> Self {
        BanditPlan { exploration: 1.0, epsilon: 0.2, decay: 0.95, cheapness: 0.5 }
    }
}
