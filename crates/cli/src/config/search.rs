//! `[search]`: the settings of strategies.

use meliora_domain::{Arms, BanditPlan, DgmPlan, Feature, HgmPlan, IslandsPlan, ParetoPlan, Scale, SearchPlan};
use schemars::JsonSchema;
use serde::Deserialize;

/// How a proposer is chosen where there are several.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Turns {
    /// They take turns.
    #[default]
    Turns,
    /// Those that brought more for less are asked more often.
    Bandit,
}

/// `[search]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// So many validation tasks of a new variant are examined first, then as many again, until it is hopeless or all are
    /// done; 0 for all at once.
    pub first_tasks: u32,
    /// `strategy = "dgm"`.
    pub dgm: Dgm,
    /// `strategy = "hgm"`.
    pub hgm: Hgm,
    /// `strategy = "islands"`.
    pub islands: Islands,
    /// `strategy = "pareto"`.
    pub pareto: Pareto,
    /// `arms = "bandit"` of `[run]`.
    pub bandit: Bandit,
    /// Whether proposals that say much the same as one before are examined.
    pub novelty: Novelty,
}

/// `[search.novelty]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Novelty {
    /// The `[models.NAME]` whose server embeds texts (`/embeddings`); none if empty.
    pub model: String,
    /// The cosine of the angle between two programs from which on they count as the same: above 0, up to 1.
    pub above: f64,
}

/// The scale that scores are measured on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreScale {
    /// 0 to 1.
    #[default]
    Fixed,
    /// Distance from the median.
    Median,
}

/// `[search.dgm]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dgm {
    /// `fixed`: scores lie between 0 and 1; `median`: anywhere.
    pub scale: ScoreScale,
}

/// `[search.hgm]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hgm {
    /// With N marks there are N to the power of this many variants: 0 to 1.
    pub alpha: f64,
    /// Quantile of what is believed of a variant that finalists are chosen by: above 0, below 1.
    pub epsilon: f64,
    /// Tasks of one examination.
    pub batch: u32,
    /// How many of the best are examined on all tasks before the budget ends.
    pub finalists: u32,
}

/// `[search.islands]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Islands {
    /// How many: 1 to 64.
    pub count: u32,
    /// Variants between two migrations; 0 for none.
    pub migrate_every: u32,
    /// Variants between two new beginnings of the worse half; 0 for none.
    pub reset_every: u32,
    /// The dimensions of the map.
    pub features: Vec<Dimension>,
}

/// One of `[[search.islands.features]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// `depth`, `tasks:BEGINNING`, or a metric of the evaluator.
    pub name: String,
    /// Where one cell ends and the next begins, rising.
    pub edges: Vec<f64>,
}

/// `[search.pareto]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pareto {
    /// How often two variants are joined: 0 to 1.
    pub merge: f64,
}

/// `[search.bandit]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bandit {
    /// How much a proposer gains by being asked seldom.
    pub exploration: f64,
    /// How often one is drawn whatever it brought: 0 to 1.
    pub epsilon: f64,
    /// What is left of old gains after each attempt: above 0, up to 1.
    pub decay: f64,
    /// Weight of being cheap: 0 to 1.
    pub cheapness: f64,
}

impl Default for Hgm {
    fn default() -> Self {
        let HgmPlan { alpha, epsilon, batch, finalists } = HgmPlan::default();
        Hgm { alpha, epsilon, batch, finalists }
    }
}

impl Default for Islands {
    fn default() -> Self {
        let IslandsPlan { count, migrate_every, reset_every, features } = IslandsPlan::default();
        let features = features.into_iter().map(|Feature { name, edges }| Dimension { name, edges }).collect();
        Islands { count, migrate_every, reset_every, features }
    }
}

impl Default for Novelty {
    fn default() -> Self {
        Novelty { model: String::new(), above: 0.995 }
    }
}

impl Default for Pareto {
    fn default() -> Self {
        Pareto { merge: ParetoPlan::default().merge }
    }
}

impl Default for Bandit {
    fn default() -> Self {
        let BanditPlan { exploration, epsilon, decay, cheapness } = BanditPlan::default();
        Bandit { exploration, epsilon, decay, cheapness }
    }
}

impl Search {
    /// As a run's plan keeps it.
    pub fn plan(&self, turns: Turns) -> SearchPlan {
        let Search { first_tasks, dgm, hgm, islands, pareto, bandit, novelty: _ } = self.clone();
        let features = islands.features.into_iter().map(|Dimension { name, edges }| Feature { name, edges }).collect();
        SearchPlan {
            first_tasks,
            arms: if turns == Turns::Bandit { Arms::Bandit } else { Arms::Turns },
            dgm: DgmPlan { scale: if dgm.scale == ScoreScale::Median { Scale::Median } else { Scale::Fixed } },
            hgm: HgmPlan { alpha: hgm.alpha, epsilon: hgm.epsilon, batch: hgm.batch, finalists: hgm.finalists },
            islands: IslandsPlan {
                count: islands.count,
                migrate_every: islands.migrate_every,
                reset_every: islands.reset_every,
                features,
            },
            pareto: ParetoPlan { merge: pareto.merge },
            bandit: BanditPlan {
                exploration: bandit.exploration,
                epsilon: bandit.epsilon,
                decay: bandit.decay,
                cheapness: bandit.cheapness,
            },
        }
    }

    /// What types cannot say.
    pub fn check(&self) -> Result<(), String> {
        let (hgm, islands, bandit) = (&self.hgm, &self.islands, &self.bandit);
        let share = 0.0..=1.0;
        let inside = |x: f64| x > 0.0 && x < 1.0;
        if !(share.contains(&hgm.alpha) && inside(hgm.epsilon) && hgm.batch >= 1 && hgm.finalists >= 1) {
            return Err(
                "[search.hgm] alpha lies between 0 and 1, epsilon within; batch and finalists are 1 at least".into()
            );
        }
        if !(1..=64).contains(&islands.count) || islands.features.len() > 4 {
            return Err("[search.islands] count lies between 1 and 64, and there are up to 4 features".into());
        }
        for feature in &islands.features {
            let rising = feature.edges.windows(2).all(|pair| pair[0] < pair[1]);
            if !rising
                || feature.edges.is_empty()
                || feature.edges.len() > 32
                || !feature.edges.iter().all(|e| e.is_finite())
            {
                return Err(format!(
                    "[search.islands] edges of '{}': 1 to 32 numbers, each above the last",
                    feature.name
                ));
            }
        }
        if !(self.novelty.above > 0.0 && self.novelty.above <= 1.0) {
            return Err("[search.novelty] above lies above 0 and up to 1".into());
        }
        if !share.contains(&self.pareto.merge) {
            return Err("[search.pareto] merge lies between 0 and 1".into());
        }
        let decays = bandit.decay > 0.0 && bandit.decay <= 1.0;
        let explores = (0.0..=1e6).contains(&bandit.exploration);
        if !(explores && decays && share.contains(&bandit.epsilon) && share.contains(&bandit.cheapness)) {
            return Err(
                "[search.bandit] epsilon and cheapness lie between 0 and 1, decay above 0 and up to 1, exploration is not negative"
                    .into(),
            );
        }
        Ok(())
    }
}
