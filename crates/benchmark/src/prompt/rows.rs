//! The rows of a prompt suite: JSONL, CSV or YAML, read strictly, and which split each belongs to.

use std::collections::BTreeMap;

use meliora_domain::{Digest, Fields, Split, TaskId, Value};
use serde::Deserialize;

use crate::SuiteError;
use crate::folder::{Files, error};

/// Columns that are no inputs.
pub(crate) const OWN: [&str; 3] = ["id", "split", "expected"];

/// One row.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    pub(crate) id: TaskId,
    pub(crate) split: Split,
    /// Whether the same row stands in another split: in exact suites that say nothing of splits.
    pub(crate) shared: bool,
    /// All columns but those of [`OWN`].
    pub(crate) inputs: Fields,
    pub(crate) expected: Option<Value>,
    /// Where it stands, for messages.
    pub(crate) place: String,
}

/// How rows that do not say their split are dealt out.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Shares {
    pub(crate) train: f64,
    pub(crate) validation: f64,
    pub(crate) holdout: f64,
    pub(crate) seed: u64,
}

impl Default for Shares {
    fn default() -> Self {
        Shares { train: 0.3, validation: 0.4, holdout: 0.3, seed: 0 }
    }
}

/// Most bytes of a file that was packed.
const UNPACKED: u64 = 64 << 20;

/// The text of a file of the suite; one that ends in `.gz` is unpacked.
pub(crate) fn text(name: &str, files: &Files) -> Result<String, SuiteError> {
    let bytes = files.get(name).ok_or_else(|| {
        error(format!("suite.toml: there is no file '{name}' in the suite's folder"), "check the file's name")
    })?;
    let mut unpacked = Vec::new();
    let bytes: &[u8] = if name.ends_with(".gz") {
        let reader = flate2::read::MultiGzDecoder::new(&**bytes);
        let read = std::io::Read::read_to_end(&mut std::io::Read::take(reader, UNPACKED + 1), &mut unpacked);
        read.map_err(|e| error(format!("'{name}' cannot be unpacked: {e}"), "pack it with gzip, or not at all"))?;
        if unpacked.len() as u64 > UNPACKED {
            let most = UNPACKED >> 20;
            return Err(error(format!("'{name}' holds more than {most} MiB"), "keep only the rows that are needed"));
        }
        &unpacked
    } else {
        bytes
    };
    let text = std::str::from_utf8(bytes);
    Ok(text.map_err(|_| error(format!("'{name}' is not UTF-8 text"), "save the file as UTF-8"))?.to_owned())
}

/// Reads the rows of a file by its extension.
pub(crate) fn read(name: &str, text: &str) -> Result<Vec<(String, Fields)>, SuiteError> {
    match name.rsplit('.').next() {
        Some("jsonl") => json_lines(name, text),
        Some("csv") => csv(name, text),
        Some("yaml" | "yml") => {
            let rows: Vec<Fields> = serde_saphyr::from_str(text)
                .map_err(|e| error(format!("{name}: {e}"), "a list of rows, each with `input` and `expected`"))?;
            Ok(rows.into_iter().enumerate().map(|(i, row)| (format!("{name}: row {}", i + 1), row)).collect())
        }
        _ => Err(error(
            format!("'{name}' is no kind of data that is read"),
            "give a .jsonl, .csv or .yaml file; .gz may follow",
        )),
    }
}

fn json_lines(name: &str, text: &str) -> Result<Vec<(String, Fields)>, SuiteError> {
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
            continue;
        }
        let place = format!("{name}:{}", i + 1);
        let row = serde_json::from_str(line).map_err(|e| {
            error(format!("{place}: this is no JSON object: {e}"), "one row a line, as {\"input\": …, \"expected\": …}")
        })?;
        rows.push((place, row));
    }
    Ok(rows)
}

/// RFC 4180, the first line being the columns' names; a column without a value in a row is left out there.
fn csv(name: &str, text: &str) -> Result<Vec<(String, Fields)>, SuiteError> {
    let mut records = records(name, text)?.into_iter();
    let Some((_, columns)) = records.next() else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for (line, record) in records {
        let place = format!("{name}:{line}");
        if record.len() != columns.len() {
            return Err(error(
                format!("{place}: {} values for {} columns", record.len(), columns.len()),
                "put a value that holds a comma into double quotes",
            ));
        }
        let fields = columns.iter().zip(record).filter(|(_, value)| !value.is_empty());
        rows.push((place, fields.map(|(column, value)| (column.trim(), Value::Text(value))).collect()));
    }
    Ok(rows)
}

fn records(name: &str, text: &str) -> Result<Vec<(usize, Vec<String>)>, SuiteError> {
    let mut records = Vec::new();
    let (mut record, mut value, mut quoted, mut line, mut began) = (Vec::new(), String::new(), false, 1, 1);
    let mut chars = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(c) = chars.next() {
        line += usize::from(c == '\n');
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                value.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if value.is_empty() => quoted = true,
            ',' if !quoted => record.push(std::mem::take(&mut value)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut value));
                let whole = std::mem::take(&mut record);
                if whole.len() > 1 || !whole[0].is_empty() {
                    records.push((began, whole));
                }
                began = line;
            }
            c => value.push(c),
        }
    }
    if quoted {
        return Err(error(format!("{name}:{began}: a quote does not end"), "write a quote within quotes twice"));
    }
    if !record.is_empty() || !value.is_empty() {
        record.push(value);
        records.push((began, record));
    }
    Ok(records)
}

/// Makes rows of what was read: ids, splits, inputs and expectations.
///
/// `given` is the split of the file that a row came from, where files are splits.
pub(crate) fn rows(
    read: Vec<(String, Fields, Option<Split>)>,
    exact: bool,
    shares: Option<&Shares>,
) -> Result<Vec<Row>, SuiteError> {
    let mut rows: Vec<Row> = Vec::new();
    let mut open = Vec::new();
    for (i, (place, mut fields, given)) in read.into_iter().enumerate() {
        let id = match fields.remove("id") {
            None => format!("{:03}", i + 1),
            Some(Value::Text(id)) if !id.trim().is_empty() => id.trim().to_owned(),
            Some(Value::Int(id)) => id.to_string(),
            Some(other) => {
                return Err(error(format!("{place}: the id is {}", other.kind()), "give a short name or a number"));
            }
        };
        let said = match fields.remove("split") {
            None => given,
            Some(Value::Text(split)) => Some(split_named(&place, split.trim())?),
            Some(other) => {
                return Err(error(format!("{place}: the split is {}", other.kind()), "train, validation or holdout"));
            }
        };
        let expected = fields.remove("expected").filter(|value| *value != Value::Null);
        open.push(said.is_none());
        let (id, split) = (TaskId(id), said.unwrap_or(Split::Train));
        let row = Row { id, split, shared: false, inputs: fields, expected, place };
        if let Some(other) = rows.iter().find(|other| other.id == row.id) {
            return Err(error(
                format!("{}: the id '{}' stands in {} already", row.place, row.id, other.place),
                "give each row an id of its own, or none",
            ));
        }
        rows.push(row);
    }
    if exact && shares.is_none() && open.iter().all(|open| *open) {
        // These very rows are the goal: they decide, and are shown too. None of them becomes a demo.
        let shown = |row: &Row| Row { id: TaskId(format!("{}/train", row.id)), shared: true, ..row.clone() };
        let decides = |row: &Row| Row { split: Split::Validation, shared: true, ..row.clone() };
        return Ok(rows.iter().map(shown).chain(rows.iter().map(decides)).collect());
    }
    deal(&mut rows, &open, &shares.cloned().unwrap_or_default());
    apart(&rows)?;
    Ok(rows)
}

fn split_named(place: &str, name: &str) -> Result<Split, SuiteError> {
    match name {
        "train" => Ok(Split::Train),
        "validation" | "dev" | "val" => Ok(Split::Validation),
        "holdout" | "test" => Ok(Split::Holdout),
        _ => Err(error(format!("{place}: '{name}' is no split"), "train, validation or holdout")),
    }
}

/// Deals out the rows without a split by a hash of their inputs, so that a row stays where it is when others come.
fn deal(rows: &mut [Row], open: &[bool], shares: &Shares) {
    let seed = shares.seed.to_string();
    let sum = shares.train + shares.validation + shares.holdout;
    let mut order: Vec<(Digest, usize)> = rows
        .iter()
        .enumerate()
        .filter(|(i, _)| open[*i])
        .map(|(i, row)| (Digest::of([seed.as_bytes(), key(row).as_bytes()]), i))
        .collect();
    order.sort_unstable();
    let of = |share: f64| (share / sum * order.len() as f64).round() as usize;
    let (train, validation) = (of(shares.train), of(shares.train + shares.validation));
    for (place, (_, i)) in order.into_iter().enumerate() {
        rows[i].split = match place {
            p if p < train => Split::Train,
            p if p < validation => Split::Validation,
            _ => Split::Holdout,
        };
    }
}

/// What a row is known by: its inputs.
fn key(row: &Row) -> String {
    Value::Map(row.inputs.clone()).to_string()
}

/// No row may stand in two splits: what is shown must not decide, and what decides must not be sealed.
fn apart(rows: &[Row]) -> Result<(), SuiteError> {
    let mut seen: BTreeMap<String, &Row> = BTreeMap::new();
    for row in rows {
        match seen.get(&key(row)) {
            Some(other) if other.split != row.split => {
                return Err(error(
                    format!(
                        "{}: has the inputs of {}, which is of another split ({}, {})",
                        row.place, other.place, other.split, row.split
                    ),
                    "remove one of the two: a row that is shown to proposers must not decide",
                ));
            }
            _ => {
                seen.insert(key(row), row);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(name: &str, text: &str) -> Result<Vec<(String, Fields, Option<Split>)>, SuiteError> {
        Ok(read(name, text)?.into_iter().map(|(place, fields)| (place, fields, None)).collect())
    }

    #[test]
    fn the_same_rows_are_read_from_every_form() {
        let forms = [
            (
                "a.jsonl",
                "// two\n{\"input\": \"a, \\\"b\\\"\", \"expected\": \"1\"}\n\n{\"input\": \"c\\nd\", \"expected\": \"2\"}\n",
            ),
            ("a.csv", "input,expected\r\n\"a, \"\"b\"\"\",1\r\n\"c\nd\",2\r\n"),
            ("a.yaml", "- input: 'a, \"b\"'\n  expected: \"1\"\n- input: \"c\\nd\"\n  expected: \"2\"\n"),
        ];
        for (name, text) in forms {
            let rows = rows(read_all(name, text).unwrap(), true, None).unwrap();
            let inputs: Vec<&Value> = rows.iter().filter_map(|r| r.inputs.get("input")).collect();
            let (a, b) = (Value::from("a, \"b\""), Value::from("c\nd"));
            assert_eq!(inputs, [&a, &b, &a, &b], "{name}");
            assert_eq!(rows[1].expected, Some(Value::from("2")), "{name}");
        }
    }

    #[test]
    fn rows_are_dealt_out_by_their_content_and_shares_hold() {
        let text = |n: usize| (0..n).map(|i| format!("{{\"input\": \"{i}\", \"expected\": 1}}\n")).collect::<String>();
        let of = |n: usize| rows(read_all("a.jsonl", &text(n)).unwrap(), false, None).unwrap();
        let hundred = of(100);
        let count = |split| hundred.iter().filter(|r| r.split == split).count();
        assert_eq!((count(Split::Train), count(Split::Validation), count(Split::Holdout)), (30, 40, 30));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (name, text, what) in [
            ("a.jsonl", "{\"input\": 1}\n[1]", "a.jsonl:2: this is no JSON object"),
            ("a.csv", "input,expected\na,b,c", "a.csv:2: 3 values for 2 columns"),
            ("a.csv", "input,expected\n\"a", "a quote does not end"),
            ("a.yaml", "input: 1", "a.yaml"),
            ("a.txt", "", "no kind of data"),
            (
                "a.jsonl",
                "{\"input\": 1, \"id\": 1}\n{\"input\": 2, \"id\": 1}",
                "a.jsonl:2: the id '1' stands in a.jsonl:1",
            ),
            ("a.jsonl", "{\"input\": 1, \"split\": \"x\"}", "'x' is no split"),
            (
                "a.jsonl",
                "{\"input\": 1, \"split\": \"train\"}\n{\"input\": 1, \"split\": \"validation\"}",
                "has the inputs of a.jsonl:1",
            ),
        ] {
            let error = read_all(name, text).and_then(|read| rows(read, false, None)).unwrap_err();
            assert!(error.what.contains(what), "{what}: {error}");
        }
    }
}
