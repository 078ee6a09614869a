//! An OpenEvolve task's `config.yaml`: the keys that mean something here; the others are named once and ignored.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::SuiteError;
use crate::folder::error;

/// The settings of an OpenEvolve task. What the file does not say is `None`, and the project's own default counts.
///
/// Values such as `${NAME}` stay as they are: nothing is read from the environment here, and API keys are taken from
/// the environment alone, so `llm.api_key` is among the ignored.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OpenEvolveConfig {
    /// Most evaluations.
    pub max_iterations: Option<u64>,
    /// Seed of the run; [`OpenEvolveConfig::seed`] also looks at the database's.
    pub random_seed: Option<u64>,
    /// Longest program, in characters.
    pub max_code_length: Option<u64>,
    /// The program's suffix: `.py`.
    pub file_suffix: Option<String>,
    /// Language models.
    pub llm: LlmSettings,
    /// Prompts.
    pub prompt: PromptSettings,
    /// The population.
    pub database: DatabaseSettings,
    /// The evaluator.
    pub evaluator: EvaluatorSettings,
    /// What OpenEvolve has no word for, and passes over.
    pub meliora: OwnSettings,
    /// Keys of the file that mean nothing here, with dots: `database.num_islands`.
    #[serde(skip)]
    pub ignored: Vec<String>,
}

/// Settings of our own.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OwnSettings {
    /// The highest score that can be reached honestly, as in `[judge]` of a project: anything above is suspect.
    pub ceiling: Option<f64>,
}

/// Settings of language models.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LlmSettings {
    /// Base address of an OpenAI-compatible server.
    pub api_base: Option<String>,
    /// The first model.
    pub primary_model: Option<String>,
    /// The models.
    pub models: Vec<ModelSettings>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Most tokens of an answer.
    pub max_tokens: Option<u32>,
    /// Seconds to wait for an answer.
    pub timeout: Option<f64>,
    /// How often a failed call is tried again.
    pub retries: Option<u32>,
}

/// One model.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ModelSettings {
    /// Its name.
    pub name: Option<String>,
}

/// Settings of prompts.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PromptSettings {
    /// The standing instructions.
    pub system_message: Option<String>,
    /// Whether artifacts are shown; they are, unless this says no.
    pub include_artifacts: Option<bool>,
}

/// Settings of the population.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DatabaseSettings {
    /// Seed, where the file has none of its own above.
    pub random_seed: Option<u64>,
    /// Metrics that tell programs apart and do not count as fitness; `complexity` and `diversity` if absent.
    pub feature_dimensions: Option<Vec<String>>,
}

/// Settings of the evaluator.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EvaluatorSettings {
    /// Seconds that one stage may take.
    pub timeout: Option<f64>,
    /// Whether stages are used where the evaluator has them; they are, unless this says no.
    pub cascade_evaluation: Option<bool>,
    /// Scores that lead to the next stage; 0.5, 0.75 and 0.9 if absent.
    pub cascade_thresholds: Option<Vec<f64>>,
    /// How often `evaluate` is called again when it raises, without a cascade; never if absent.
    pub max_retries: Option<u32>,
}

/// The keys that mean something, with dots; `[]` stands for each item of a list.
const KNOWN: &[&str] = &[
    "meliora.ceiling",
    "max_iterations",
    "random_seed",
    "max_code_length",
    "file_suffix",
    "llm.api_base",
    "llm.primary_model",
    "llm.models[].name",
    "llm.temperature",
    "llm.max_tokens",
    "llm.timeout",
    "llm.retries",
    "prompt.system_message",
    "prompt.include_artifacts",
    "database.random_seed",
    "database.feature_dimensions",
    "evaluator.timeout",
    "evaluator.cascade_evaluation",
    "evaluator.cascade_thresholds",
    "evaluator.max_retries",
];

impl OpenEvolveConfig {
    /// Reads `config.yaml` or `config.yml` of a task's folder; all absent if there is neither.
    ///
    /// Fails, with the line, if it is no YAML or if a key that means something here has a value of a wrong type.
    pub fn load(folder: &Path) -> Result<Self, SuiteError> {
        for name in ["config.yaml", "config.yml"] {
            match std::fs::read_to_string(folder.join(name)) {
                Ok(text) => return Self::read(name, &text),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(error(format!("'{name}' cannot be read: {e}"), "check the file")),
            }
        }
        Ok(OpenEvolveConfig::default())
    }

    /// The seed that the file gives.
    pub fn seed(&self) -> Option<u64> {
        self.random_seed.or(self.database.random_seed)
    }

    fn read(name: &str, text: &str) -> Result<Self, SuiteError> {
        let wrong = |e: serde_saphyr::Error| {
            let line = e.location().map_or(1, |l| l.line());
            let what = e.without_snippet().to_string();
            error(format!("{name}:{line}: {what}"), "correct the value, or remove the key")
        };
        // YAML of the first kind, as Python reads it, lets a key stand twice: the last one counts.
        let options = || {
            serde_saphyr::options! {
                duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
                with_snippet: false,
            }
        };
        let whole: Option<Value> = serde_saphyr::from_str_with_options(text, options()).map_err(wrong)?;
        let Some(whole) = whole.filter(|w| !w.is_null()) else { return Ok(OpenEvolveConfig::default()) };
        if !whole.is_object() {
            return Err(error(format!("{name}:1: the file holds no keys"), "write 'key: value' lines"));
        }
        let mut config: OpenEvolveConfig = serde_saphyr::from_str_with_options(text, options()).map_err(wrong)?;
        unknown("", &whole, &mut config.ignored);
        config.check(name)?;
        Ok(config)
    }

    fn check(&self, name: &str) -> Result<(), SuiteError> {
        let positive = |key: &str, value: Option<f64>| match value {
            Some(v) if !(v > 0.0 && v <= 86_400.0) => {
                Err(error(format!("{name}: '{key}' is {v}, not between 0 and 86400 seconds"), "correct the value"))
            }
            _ => Ok(()),
        };
        positive("evaluator.timeout", self.evaluator.timeout)?;
        positive("llm.timeout", self.llm.timeout)?;
        let finite = |v: &f64| v.is_finite();
        if !self.meliora.ceiling.iter().all(finite)
            || !self.evaluator.cascade_thresholds.iter().flatten().all(finite)
            || !self.llm.temperature.iter().all(finite)
        {
            return Err(error(format!("{name}: a number is not finite"), "correct the value"));
        }
        Ok(())
    }
}

/// Collects the keys that are not known; of an unknown group only its own name.
fn unknown(prefix: &str, value: &Value, ignored: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                if KNOWN.contains(&path.as_str()) {
                    continue;
                }
                let leads =
                    |p: &str| KNOWN.iter().any(|k| k.starts_with(&format!("{p}.")) || k.starts_with(&format!("{p}[]")));
                if leads(&path) {
                    unknown(&path, value, ignored);
                } else if !ignored.contains(&path) {
                    ignored.push(path);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| unknown(&format!("{prefix}[]"), item, ignored)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<OpenEvolveConfig, SuiteError> {
        OpenEvolveConfig::read("config.yaml", text)
    }

    #[test]
    fn keys_with_a_meaning_are_read_and_the_others_named_once() {
        let text = "max_iterations: 50\nmeliora: {ceiling: 2.5}\nlog_level: INFO\nllm:\n  api_base: http://localhost:1\n  api_key: ${SECRET}\n  primary_model: m\n  \
                    temperature: null\n  models:\n    - {name: a, weight: 0.8}\n    - {name: b, weight: 0.2}\nprompt:\n  system_message: |\n    \
                    one\n    two ${HOME}\ndatabase:\n  num_islands: 5\n  random_seed: 7\nevaluator:\n  timeout: 60\n  cascade_thresholds: [0.5, 1]\nevolution_trace:\n  enabled: true\n";
        let config = read(text).unwrap();
        assert_eq!((config.max_iterations, config.seed(), config.evaluator.timeout), (Some(50), Some(7), Some(60.0)));
        assert_eq!(config.llm.models.iter().filter_map(|m| m.name.as_deref()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(config.meliora.ceiling, Some(2.5));
        assert_eq!(config.prompt.system_message.as_deref(), Some("one\ntwo ${HOME}\n"));
        assert_eq!(config.evaluator.cascade_thresholds, Some(vec![0.5, 1.0]));
        let mut ignored = config.ignored;
        ignored.sort();
        assert_eq!(
            ignored,
            ["database.num_islands", "evolution_trace", "llm.api_key", "llm.models[].weight", "log_level"]
        );
    }

    #[test]
    fn keys_that_would_change_nothing_are_named_and_not_taken_in_silence() {
        let text = "diff_based_evolution: false\nlanguage: python\nprompt:\n  num_top_programs: 3\n  num_diverse_programs: 2\n";
        let told = ["diff_based_evolution", "language", "prompt.num_diverse_programs", "prompt.num_top_programs"];
        let mut ignored = read(text).unwrap().ignored;
        ignored.sort();
        assert_eq!(ignored, told);
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in ["", "# only a comment\n", "---\n", "{}"] {
            assert_eq!(read(text).unwrap(), OpenEvolveConfig::default(), "{text:?}");
        }
    }

    #[test]
    fn wrong_values_are_errors_with_their_line() {
        for (text, what) in [
            ("language: python\nmax_iterations: many\n", "config.yaml:2: "),
            ("evaluator:\n  timeout: soon\n", "config.yaml:2: "),
            ("evaluator:\n  cascade_evaluation: 3\n", "config.yaml:2: "),
            ("evaluator:\n  timeout: 0\n", "evaluator.timeout"),
            ("evaluator:\n  timeout: .inf\n", "config.yaml:2: "),
            ("- a\n- b\n", "holds no keys"),
            ("a: [1\n", "config.yaml:"),
        ] {
            let e = read(text).unwrap_err();
            assert!(e.what.contains(what), "{text:?}: {e}");
        }
    }
}
