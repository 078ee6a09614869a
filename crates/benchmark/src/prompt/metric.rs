//! Metrics: an answer against what is expected of it. Each says what was right or wrong in words, too.

use std::collections::BTreeMap;

use meliora_domain::{Fields, Value};
use meliora_prompt::shown;
use serde::Deserialize;

use super::schema::Schema;
use crate::SuiteError;
use crate::folder::{Files, error};
use crate::frame::head;

/// How answers are held against what is expected.
#[derive(Deserialize, Clone, Debug)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Metric {
    /// The same, white space around it aside; numbers by value.
    Exact {},
    /// The same without case, punctuation, articles and white space (Rajpurkar et al., SQuAD, 2016, §6.1).
    Normalised {},
    /// The expected text, or one of several, stands in the answer.
    Contains {
        #[serde(default)]
        ignore_case: bool,
    },
    /// The expected pattern fits somewhere in the answer.
    Regex {},
    /// The last number in the answer is the expected one, within `tolerance · max(1, |expected|)`.
    Number {
        #[serde(default = "tiny")]
        tolerance: f64,
    },
    /// F1 of the words, normalised as for `normalised` (SQuAD, §6.1); the score is F1 itself.
    F1 {},
    /// The answer is JSON; the score is the part of the expected fields that are right, none where it is no JSON or does not
    /// fit the schema. Where nothing is expected, to fit is enough.
    Json {
        /// A file of the suite with a JSON Schema.
        schema: Option<String>,
        /// How fields are compared; exactly where nothing is said.
        #[serde(default)]
        fields: BTreeMap<String, toml::Value>,
        #[serde(skip)]
        ready: Ready,
    },
    /// The suite's own Python program decides, in a cage.
    Check { program: String },
    /// A command of the suite decides, in a cage.
    Command { argv: Vec<String> },
    /// The model of `[prompt.judge]` decides.
    Judge {},
    /// The answer is Python code, whose function gives the expected results; it runs in a cage that holds none of them.
    Tests {},
}

/// The parts of `json`, once they are loaded.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ready {
    schema: Option<Schema>,
    fields: BTreeMap<String, Metric>,
}

fn tiny() -> f64 {
    1e-6
}

/// What a metric says: a score from 0 to 1, and what was wrong.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Scored {
    pub(crate) score: f64,
    pub(crate) detail: String,
}

impl Metric {
    /// Reads it: `metric = "exact"` is short for `metric = { kind = "exact" }`. A schema is a file of the suite.
    pub(crate) fn read(value: &toml::Value, files: &Files) -> Result<Self, SuiteError> {
        let table = match value {
            toml::Value::String(name) => toml::Table::from_iter([("kind".to_owned(), name.clone().into())]),
            toml::Value::Table(table) => table.clone(),
            _ => return Err(error("suite.toml: the metric is no text and no table", "such as metric = \"exact\"")),
        };
        let mut metric: Metric = table.try_into().map_err(|e: toml::de::Error| {
            error(
                format!("suite.toml: the metric: {}", e.message()),
                "there are exact, normalised, contains (ignore_case), regex, number (tolerance), f1, json (schema, fields), \
                 tests, check (program), command (argv), judge",
            )
        })?;
        if let Metric::Json { schema, fields, ready } = &mut metric {
            ready.schema = schema.as_deref().map(|name| Schema::load(name, files)).transpose()?;
            for (name, value) in fields {
                let by = Metric::read(value, files)?;
                if by.needs_cage() || matches!(by, Metric::Json { .. } | Metric::Judge {}) {
                    let why = format!("suite.toml: the field '{name}' cannot be compared by `{}`", by.name());
                    return Err(error(why, "choose one that compares texts or numbers"));
                }
                ready.fields.insert(name.clone(), by);
            }
        }
        Ok(metric)
    }

    /// Whether a cage decides.
    pub(crate) fn needs_cage(&self) -> bool {
        matches!(self, Metric::Check { .. } | Metric::Command { .. } | Metric::Tests {})
    }

    /// Whether it can do without an `expected`, and takes any where there is one.
    pub(crate) fn takes_any(&self) -> bool {
        matches!(self, Metric::Check { .. } | Metric::Command { .. } | Metric::Judge {})
    }

    /// Whether a row needs an `expected`.
    pub(crate) fn needs_expected(&self) -> bool {
        !self.takes_any() && !matches!(self, Metric::Json { schema: Some(_), .. })
    }

    /// Whether what a row expects is something that this metric can compare with; `Err` says why not.
    pub(crate) fn takes(&self, expected: &Value) -> Result<(), String> {
        match (self, expected) {
            (metric, _) if metric.takes_any() => Ok(()),
            (Metric::Tests {}, expected) => super::code::Wanted::read(expected).map(|_| ()),
            (Metric::Json { ready, .. }, Value::Map(wanted)) => wanted.iter().try_for_each(|(name, value)| {
                let by = ready.fields.get(name);
                by.map_or(Ok(()), |by| by.takes(value).map_err(|why| format!("holds a '{name}' that {why}")))
            }),
            (Metric::Json { .. }, Value::List(_)) => Ok(()),
            (Metric::Json { .. }, Value::Text(text)) => {
                meliora_prompt::loosely(text).map(|_| ()).ok_or_else(|| "is a text that is no JSON".to_owned())
            }
            (_, Value::Map(fields)) => fields.iter().try_for_each(|(_, value)| match value {
                Value::Map(_) => Err("holds objects in objects; the metric `json` compares those".to_owned()),
                value => self.takes(value),
            }),
            (Metric::Regex {}, Value::Text(pattern)) => regex::Regex::new(pattern)
                .map(|_| ())
                .map_err(|e| format!("is no pattern: {}", e.to_string().replace('\n', " "))),
            (Metric::Contains { .. }, Value::List(items)) if items.iter().all(|i| i.as_text().is_some()) => Ok(()),
            (
                Metric::Contains { .. } | Metric::Normalised {} | Metric::F1 {},
                Value::Text(_) | Value::Int(_) | Value::Float(_),
            ) => Ok(()),
            (Metric::Number { .. }, value) if number(&shown(value)).is_some() => Ok(()),
            (Metric::Exact {}, _) => Ok(()),
            (metric, value) => {
                Err(format!("is {}, which the metric `{}` cannot compare with", value.kind(), metric.name()))
            }
        }
    }

    /// Its name in files.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Metric::Exact {} => "exact",
            Metric::Normalised {} => "normalised",
            Metric::Contains { .. } => "contains",
            Metric::Regex {} => "regex",
            Metric::Number { .. } => "number",
            Metric::F1 {} => "f1",
            Metric::Json { .. } => "json",
            Metric::Check { .. } => "check",
            Metric::Command { .. } => "command",
            Metric::Judge {} => "judge",
            Metric::Tests {} => "tests",
        }
    }

    /// Holds a program's outputs against what is expected: field by field where that is an object, else its answer.
    pub(crate) fn score(&self, outputs: &Fields, field: Option<&str>, expected: &Value) -> Scored {
        match expected {
            Value::Map(fields) if !matches!(self, Metric::Json { .. }) => {
                let mut scores = Vec::new();
                let mut wrong = Vec::new();
                for (name, expected) in fields.iter() {
                    let scored = match outputs.get(name) {
                        Some(answer) => self.one(answer, expected),
                        None => Scored { score: 0.0, detail: "is missing".into() },
                    };
                    if scored.score < 1.0 {
                        wrong.push(format!("{name}: {}", scored.detail));
                    }
                    scores.push(scored.score);
                }
                let score = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
                Scored { score, detail: wrong.join("; ") }
            }
            _ => self.one(answer(outputs, field), expected),
        }
    }

    fn one(&self, answer: &Value, expected: &Value) -> Scored {
        let (got, wanted) = (shown(answer), shown(expected));
        let verdict = |right: bool, wanted: &str| Scored {
            score: f64::from(right),
            detail: if right { String::new() } else { differ(wanted, &got) },
        };
        match self {
            Metric::Exact {} => verdict(same(answer, expected), &wanted),
            Metric::Normalised {} => verdict(words(&got) == words(&wanted), &wanted),
            Metric::Contains { ignore_case } => {
                let fold = |text: &str| if *ignore_case { text.to_lowercase() } else { text.to_owned() };
                let any: Vec<String> = match expected {
                    Value::List(items) => items.iter().map(shown).collect(),
                    _ => vec![wanted],
                };
                let right = any.iter().any(|wanted| fold(&got).contains(&fold(wanted)));
                verdict(right, &format!("something with {}", any.join(" or ")))
            }
            Metric::Regex {} => {
                let fits = regex::Regex::new(&wanted).is_ok_and(|pattern| pattern.is_match(&got));
                verdict(fits, &format!("something like {wanted}"))
            }
            Metric::Number { tolerance } => {
                let Some(wanted) = number(&wanted) else { return verdict(false, &wanted) };
                let right = number(&got).is_some_and(|got| (got - wanted).abs() <= tolerance * wanted.abs().max(1.0));
                verdict(right, &wanted.to_string())
            }
            Metric::F1 {} => {
                let score = f1(&words(&got), &words(&wanted));
                Scored { score, detail: if score < 1.0 { differ(&wanted, &got) } else { String::new() } }
            }
            Metric::Json { ready, .. } => {
                let read = |value: &Value| match value {
                    Value::Text(text) => meliora_prompt::loosely(text),
                    other => Some(other.clone()),
                };
                let found = read(answer);
                let misfit = found.as_ref().and_then(|got| ready.schema.as_ref()?.fits(got).err());
                if let Some(detail) = misfit {
                    return Scored { score: 0.0, detail };
                }
                match (found, read(expected)) {
                    (Some(_), Some(Value::Null)) if ready.schema.is_some() => {
                        Scored { score: 1.0, detail: String::new() }
                    }
                    (Some(got), Some(wanted)) => json(&wanted, &got, &ready.fields),
                    (None, _) => Scored { score: 0.0, detail: format!("the answer is no JSON: {}", head(&got, 200)) },
                    (_, None) => Scored { score: 0.0, detail: "what is expected is no JSON".into() },
                }
            }
            Metric::Check { .. } | Metric::Command { .. } | Metric::Tests {} | Metric::Judge {} => {
                Scored { score: 0.0, detail: "is decided elsewhere".into() }
            }
        }
    }
}

/// The output that is meant: the one that is named, else the only one, `answer`, `output`, or the last.
pub(crate) fn answer<'a>(outputs: &'a Fields, field: Option<&str>) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    let named = [field, Some("answer"), Some("output")].into_iter().flatten().find_map(|name| outputs.get(name));
    named.or_else(|| outputs.iter().last().map(|(_, value)| value)).unwrap_or(NOTHING)
}

fn differ(wanted: &str, got: &str) -> String {
    format!("expected {}, got {}", head(wanted, 200), head(got, 200))
}

/// Whether two values are the same: numbers by value, texts without the white space around them, a text and something
/// else by how that is written.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => a.as_number() == b.as_number(),
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (Value::Text(_), _) | (_, Value::Text(_)) => shown(a).trim() == shown(b).trim(),
        _ => a == b,
    }
}

/// The words of a text without case, punctuation and articles.
fn words(text: &str) -> Vec<String> {
    let kept: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    kept.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the")).map(str::to_owned).collect()
}

/// The harmonic mean of precision and recall of words.
fn f1(got: &[String], wanted: &[String]) -> f64 {
    if got.is_empty() || wanted.is_empty() {
        return f64::from(got == wanted);
    }
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for word in wanted {
        *left.entry(word).or_default() += 1;
    }
    let mut common = 0;
    for word in got {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    if common == 0 {
        return 0.0;
    }
    let (precision, recall) = (common as f64 / got.len() as f64, common as f64 / wanted.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

/// The last number in a text; commas between digits are passed over.
fn number(text: &str) -> Option<f64> {
    let mut last = None;
    let chars: Vec<char> = text.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        if !chars[i].is_ascii_digit() {
            i += 1;
            continue;
        }
        let mut digits = String::new();
        if i > 0 && matches!(chars[i - 1], '-' | '−') && (i < 2 || !chars[i - 2].is_alphanumeric()) {
            digits.push('-');
        }
        if i > 0 && chars[i - 1] == '.' && (i < 2 || !chars[i - 2].is_ascii_digit()) {
            digits.push_str("0.");
        }
        while i < chars.len() {
            let next = chars.get(i + 1).is_some_and(char::is_ascii_digit);
            match chars[i] {
                c if c.is_ascii_digit() => digits.push(c),
                '.' if next && !digits.contains('.') => digits.push('.'),
                ',' if next && chars.len() > i + 3 && chars[i + 1..i + 4].iter().all(char::is_ascii_digit) => {}
                _ => break,
            }
            i += 1;
        }
        last = digits.parse().ok().or(last);
    }
    last
}

/// The part of the expected fields that are right; a field that nobody asked for counts as a wrong one.
fn json(wanted: &Value, got: &Value, by: &BTreeMap<String, Metric>) -> Scored {
    let (Value::Map(wanted), Value::Map(found)) = (wanted, got) else {
        let right = same(wanted, got);
        let detail = if right { String::new() } else { differ(&wanted.to_string(), &got.to_string()) };
        return Scored { score: f64::from(right), detail };
    };
    let (mut wrong, mut right) = (Vec::new(), 0.0);
    for (name, value) in wanted.iter() {
        match (found.get(name), by.get(name)) {
            (Some(got), Some(by)) => {
                let scored = by.one(got, value);
                right += scored.score;
                if scored.score < 1.0 {
                    wrong.push(format!("{name}: {}", scored.detail));
                }
            }
            (Some(got), None) if same(value, got) => right += 1.0,
            (Some(got), None) => wrong.push(format!("{name}: {}", differ(&value.to_string(), &got.to_string()))),
            (None, _) => wrong.push(format!("{name} is missing")),
        }
    }
    wrong.extend(
        found.iter().filter(|(name, _)| wanted.get(name).is_none()).map(|(name, _)| format!("{name} is too much")),
    );
    let all = wanted.len() + found.iter().filter(|(name, _)| wanted.get(name).is_none()).count();
    let score = if all == 0 { 1.0 } else { right / all as f64 };
    Scored { score, detail: wrong.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(text: &str) -> Metric {
        let schema = "{\"type\": \"object\", \"required\": [\"a\"], \"properties\": {\"a\": {\"type\": \"integer\"}}}";
        let files = Files::from([("s.json".into(), schema.as_bytes().into())]);
        Metric::read(&toml::Value::Table(toml::from_str(text).unwrap()), &files).unwrap()
    }

    fn score(text: &str, answer: &str, expected: &str) -> f64 {
        let metric = metric(text);
        let expected: Value = serde_json::from_str(expected).unwrap();
        metric.takes(&expected).unwrap();
        metric.score(&Fields::from_iter([("output", Value::from(answer))]), None, &expected).score
    }

    #[test]
    fn each_metric_takes_what_it_should_and_nothing_else() {
        for (metric, answer, expected, wanted) in [
            ("kind = 'exact'", " Paris\n", "\"Paris\"", 1.0),
            ("kind = 'exact'", "paris", "\"Paris\"", 0.0),
            ("kind = 'exact'", "4", "4", 1.0),
            ("kind = 'normalised'", "The  paris!", "\"Paris\"", 1.0),
            ("kind = 'contains'", "It is Paris.", "\"Paris\"", 1.0),
            ("kind = 'contains'", "It is paris.", "\"Paris\"", 0.0),
            ("kind = 'contains'\nignore_case = true", "It is paris.", "[\"Rome\", \"Paris\"]", 1.0),
            ("kind = 'regex'", "x = 12", "\"^x\\\\s*=\"", 1.0),
            ("kind = 'number'", "So $1,234.50 in all.", "1234.5", 1.0),
            ("kind = 'number'", "3, then 4", "\"3\"", 0.0),
            ("kind = 'number'\ntolerance = 0.01", "-99.5", "-100", 1.0),
            ("kind = 'number'", "none", "1", 0.0),
            ("kind = 'f1'", "the cat sat", "\"cat sat down\"", 0.8),
            ("kind = 'json'", "```json\n{\"a\": 1, \"b\": \"x\"}\n```", "{\"a\": 1, \"b\": \"x\"}", 1.0),
            ("kind = 'json'", "{\"a\": 1, \"c\": 2}", "{\"a\": 1, \"b\": \"x\"}", 1.0 / 3.0),
            ("kind = 'json'", "no", "{\"a\": 1}", 0.0),
            (
                "kind = 'json'\nfields = {b = 'normalised'}",
                "{\"a\": 1, \"b\": \"The X.\"}",
                "{\"a\": 1, \"b\": \"x\"}",
                1.0,
            ),
            ("kind = 'json'\nfields = {a = {kind = 'number', tolerance = 0.1}}", "{\"a\": 95}", "{\"a\": 100}", 1.0),
            (
                "kind = 'json'\nfields = {b = 'f1'}",
                "{\"a\": 1, \"b\": \"cat sat\"}",
                "{\"a\": 1, \"b\": \"cat\"}",
                5.0 / 6.0,
            ),
            ("kind = 'json'\nschema = 's.json'", "{\"a\": 1, \"b\": 2}", "{\"a\": 1}", 0.5),
            ("kind = 'json'\nschema = 's.json'", "{\"a\": \"1\"}", "{\"a\": 1}", 0.0),
        ] {
            let got = score(metric, answer, expected);
            assert!((got - wanted).abs() < 1e-9, "{metric}: {answer:?} is {got}");
        }
    }

    #[test]
    fn to_fit_a_schema_is_enough_where_nothing_is_expected_and_the_place_of_a_misfit_is_told() {
        let metric = metric("kind = 'json'\nschema = 's.json'");
        assert!(!metric.needs_expected());
        let scored =
            |answer: &str| metric.score(&Fields::from_iter([("output", Value::from(answer))]), None, &Value::Null);
        assert_eq!(scored("{\"a\": 3}").score, 1.0);
        let wrong = scored("{\"a\": 3.5}");
        assert!(wrong.score == 0.0 && wrong.detail.contains("at '/a'"), "{}", wrong.detail);
        assert!(scored("{}").detail.contains("missing"), "{}", scored("{}").detail);
    }

    #[test]
    fn a_metric_that_cannot_be_is_refused_when_the_suite_is_loaded() {
        for (text, what) in [
            ("kind = 'json'\nschema = 'none.json'", "no schema 'none.json'"),
            ("kind = 'json'\nschema = 'bad.json'", "no JSON Schema"),
            ("kind = 'json'\nschema = 'out.json'", "no JSON Schema"),
            ("kind = 'json'\nfields = {a = 'tests'}", "'a' cannot be compared by `tests`"),
            ("kind = 'command'", "argv"),
            ("kind = 'bleu'", "bleu"),
        ] {
            let (bad, out) = ("{\"type\": \"thing\"}", "{\"$ref\": \"file:///etc/passwd\"}");
            let files = [("bad.json", bad), ("out.json", out)];
            let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().into()));
            let value = toml::Value::Table(toml::from_str(text).unwrap());
            let refused = Metric::read(&value, &files.into()).unwrap_err();
            assert!(refused.what.contains(what), "{what}: {refused}");
        }
    }

    #[test]
    fn an_object_is_compared_field_by_field() {
        let metric = Metric::Exact {};
        let outputs = Fields::from_iter([("a", Value::Int(1)), ("b", Value::from("x"))]);
        let expected: Value = serde_json::from_str("{\"a\": 1, \"b\": \"y\", \"c\": 3}").unwrap();
        let scored = metric.score(&outputs, None, &expected);
        assert!((scored.score - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(scored.detail, "b: expected y, got x; c: is missing");
    }

    #[test]
    fn what_a_metric_cannot_compare_with_is_refused() {
        for (metric, expected, what) in [
            ("kind = 'regex'", "\"(\"", "no pattern"),
            ("kind = 'number'", "\"none\"", "cannot compare"),
            ("kind = 'f1'", "[1]", "cannot compare"),
            ("kind = 'json'", "\"no\"", "no JSON"),
        ] {
            let metric = self::tests::metric(metric);
            let why = metric.takes(&serde_json::from_str(expected).unwrap()).unwrap_err();
            assert!(why.contains(what), "{why}");
        }
    }
}
