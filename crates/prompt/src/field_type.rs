//! The types of fields, written as Python writes them, and what a value of each is.

use std::fmt;

use meliora_domain::{Fields, Value};

use crate::{loose, python};

/// The type of a field.
#[derive(Clone, PartialEq, Debug)]
pub enum FieldType {
    /// `str`
    Text,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `bool`
    Bool,
    /// `Literal['a', 'b']`: one of these texts or whole numbers.
    Literal(Vec<Value>),
    /// `list[…]`, or `list` of anything.
    List(Option<Box<FieldType>>),
    /// `dict[str, …]`, or `dict` of anything.
    Dict(Option<Box<FieldType>>),
    /// `Optional[…]`: this or nothing.
    Optional(Box<FieldType>),
    /// `Any`
    Any,
}

impl FieldType {
    /// Reads a type. `Err` says what it is not.
    pub fn read(text: &str) -> Result<FieldType, String> {
        let text = text.trim();
        let inner = |head: &str| {
            text.strip_prefix(head).and_then(|t| t.trim_start().strip_prefix('[')).and_then(|t| t.strip_suffix(']'))
        };
        match text {
            "str" => return Ok(FieldType::Text),
            "int" => return Ok(FieldType::Int),
            "float" => return Ok(FieldType::Float),
            "bool" => return Ok(FieldType::Bool),
            "list" => return Ok(FieldType::List(None)),
            "dict" => return Ok(FieldType::Dict(None)),
            "Any" => return Ok(FieldType::Any),
            _ => {}
        }
        if let Some(inner) = inner("list") {
            return Ok(FieldType::List(Some(Box::new(FieldType::read(inner)?))));
        }
        if let Some(inner) = inner("dict") {
            let of = inner.trim_start().strip_prefix("str").and_then(|t| t.trim_start().strip_prefix(','));
            let of = of.ok_or_else(|| format!("the keys of '{text}' are no texts: dict[str, …]"))?;
            return Ok(FieldType::Dict(Some(Box::new(FieldType::read(of)?))));
        }
        if let Some(inner) = inner("Optional") {
            return Ok(FieldType::Optional(Box::new(FieldType::read(inner)?)));
        }
        if let Some(inner) = inner("Literal") {
            let members = match loose::value(&format!("[{inner}]")) {
                Some(Value::List(members)) if !members.is_empty() => members,
                _ => return Err(format!("'{text}' lists no texts or whole numbers")),
            };
            if members.iter().any(|m| !matches!(m, Value::Text(_) | Value::Int(_))) {
                return Err(format!("'{text}' lists something other than texts and whole numbers"));
            }
            return Ok(FieldType::Literal(members));
        }
        Err(format!(
            "there is no type '{text}'; there are str, int, float, bool, list[…], dict[str, …], Literal[…], Optional[…], Any"
        ))
    }

    /// The name that a model is told.
    pub fn name(&self) -> String {
        match self {
            FieldType::Text => "str".into(),
            FieldType::Int => "int".into(),
            FieldType::Float => "float".into(),
            FieldType::Bool => "bool".into(),
            FieldType::Any => "Any".into(),
            FieldType::List(None) => "list".into(),
            FieldType::Dict(None) => "dict".into(),
            FieldType::List(Some(of)) => format!("list[{}]", of.name()),
            FieldType::Dict(Some(of)) => format!("dict[str, {}]", of.name()),
            FieldType::Optional(of) => format!("Union[{}, NoneType]", of.name()),
            FieldType::Literal(members) => {
                let members: Vec<String> = members.iter().map(literal).collect();
                format!("Literal[{}]", members.join(", "))
            }
        }
    }

    /// Its JSON schema; `type` comes first, then by name.
    pub fn schema(&self) -> Value {
        let of = |name: &str| Value::Map(Fields::from_iter([("type", Value::from(name))]));
        let with = |name: &str, key: &str, value: Value| {
            Value::Map(Fields::from_iter([("type", Value::from(name)), (key, value)]))
        };
        match self {
            FieldType::Text => of("string"),
            FieldType::Int => of("integer"),
            FieldType::Float => of("number"),
            FieldType::Bool => of("boolean"),
            FieldType::Any => Value::Map(Fields::new()),
            FieldType::List(inner) => {
                with("array", "items", inner.as_ref().map_or(FieldType::Any, |of| (**of).clone()).schema())
            }
            FieldType::Dict(None) => with("object", "additionalProperties", Value::Bool(true)),
            FieldType::Dict(Some(inner)) if **inner == FieldType::Any => {
                with("object", "additionalProperties", Value::Bool(true))
            }
            FieldType::Dict(Some(inner)) => with("object", "additionalProperties", inner.schema()),
            FieldType::Optional(inner) => {
                let either = Value::List(vec![inner.schema(), of("null")]);
                Value::Map(Fields::from_iter([("anyOf", either)]))
            }
            FieldType::Literal(members) => {
                let texts = members.iter().all(|m| matches!(m, Value::Text(_)));
                let whole = members.iter().all(|m| matches!(m, Value::Int(_)));
                let (key, value) = match members.as_slice() {
                    [only] => ("const", only.clone()),
                    _ => ("enum", Value::List(members.clone())),
                };
                match (texts, whole) {
                    (true, _) => with("string", key, value),
                    (_, true) => with("integer", key, value),
                    _ => Value::Map(Fields::from_iter([(key, value)])),
                }
            }
        }
    }

    /// What a model is told that the value of an output must be; empty where nothing need be said.
    pub(crate) fn demand(&self) -> String {
        match self {
            FieldType::Text => String::new(),
            FieldType::Bool => "must be True or False".into(),
            FieldType::Int | FieldType::Float => format!("must be a single {} value", self.name()),
            FieldType::Literal(members) => {
                let members: Vec<String> = members.iter().map(python::text).collect();
                format!("must exactly match (no extra characters) one of: {}", members.join("; "))
            }
            _ => format!("must adhere to the JSON schema: {}", python::json(&self.schema(), None)),
        }
    }

    /// Reads a value of this type from what a model wrote.
    pub fn parse(&self, said: &str) -> Result<Value, String> {
        match self {
            FieldType::Text => Ok(Value::from(said)),
            FieldType::Literal(members) => {
                member(members, said).ok_or_else(|| format!("'{}' is none of {}", crate::clip(said, 80), self.name()))
            }
            _ => {
                let value = loose::value(said).unwrap_or_else(|| Value::from(said));
                self.fit(value)
            }
        }
    }

    /// The value as one of this type, if it is one or plainly means one.
    pub fn fit(&self, value: Value) -> Result<Value, String> {
        let no =
            |value: &Value| Err(format!("{} is not of the type {}", crate::clip(&value.to_string(), 80), self.name()));
        match (self, value) {
            (FieldType::Any, value) => Ok(value),
            (FieldType::Text, Value::Text(text)) => Ok(Value::Text(text)),
            (FieldType::Optional(_), Value::Null) => Ok(Value::Null),
            (FieldType::Optional(of), Value::Text(text)) if !matches!(**of, FieldType::Text) => of.parse(&text),
            (FieldType::Optional(of), value) => of.fit(value),
            (FieldType::Literal(members), value) => match members.contains(&value) {
                true => Ok(value),
                false => {
                    let found = value.as_text().and_then(|text| member(members, text));
                    found.map_or_else(|| no(&value), Ok)
                }
            },
            (FieldType::Int, Value::Int(i)) => Ok(Value::Int(i)),
            (FieldType::Int, Value::Bool(b)) => Ok(Value::Int(i64::from(b))),
            (FieldType::Int, Value::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => Ok(Value::Int(f as i64)),
            (FieldType::Int, Value::Text(text)) => match text.trim().parse() {
                Ok(i) => Ok(Value::Int(i)),
                Err(_) => no(&Value::Text(text)),
            },
            (FieldType::Float, Value::Float(f)) => Ok(Value::Float(f)),
            (FieldType::Float, Value::Int(i)) => Ok(Value::Float(i as f64)),
            (FieldType::Float, Value::Bool(b)) => Ok(Value::Float(f64::from(b))),
            (FieldType::Float, Value::Text(text)) => match text.trim().parse::<f64>() {
                Ok(f) if f.is_finite() => Ok(Value::Float(f)),
                _ => no(&Value::Text(text)),
            },
            (FieldType::Bool, Value::Bool(b)) => Ok(Value::Bool(b)),
            (FieldType::Bool, value) => match truth(&value) {
                Some(b) => Ok(Value::Bool(b)),
                None => no(&value),
            },
            (FieldType::List(of), Value::List(items)) => {
                let items = items.into_iter().map(|item| of.as_ref().map_or(Ok(item.clone()), |of| of.fit(item)));
                Ok(Value::List(items.collect::<Result<_, _>>()?))
            }
            (FieldType::Dict(of), Value::Map(fields)) => {
                let mut fit = Fields::new();
                for (name, value) in fields.iter() {
                    fit.set(name, of.as_ref().map_or(Ok(value.clone()), |of| of.fit(value.clone()))?);
                }
                Ok(Value::Map(fit))
            }
            (_, value) => no(&value),
        }
    }
}

/// As it is written in files.
impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldType::Optional(of) => write!(f, "Optional[{of}]"),
            FieldType::List(Some(of)) => write!(f, "list[{of}]"),
            FieldType::Dict(Some(of)) => write!(f, "dict[str, {of}]"),
            _ => f.write_str(&self.name()),
        }
    }
}

/// A member of a literal as it stands in the type's name.
fn literal(member: &Value) -> String {
    let Value::Text(text) = member else { return python::text(member) };
    match (text.contains('\''), text.contains('"')) {
        (true, false) => format!("\"{text}\""),
        (true, true) => format!("'{}'", text.replace('\'', "\\'")),
        _ => format!("'{text}'"),
    }
}

/// The member that a text names, as DSPy reads it: without quotes or a type's brackets around it.
fn member(members: &[Value], said: &str) -> Option<Value> {
    let is = |said: &str| members.iter().find(|m| m.as_text() == Some(said)).cloned();
    let mut text = python::strip(said);
    if let Some(member) = is(said).or_else(|| is(text)) {
        return Some(member);
    }
    for head in ["Literal[", "str["] {
        text = text.strip_prefix(head).and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    }
    for quote in ['"', '\''] {
        text = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)).unwrap_or(text);
    }
    is(text).or_else(|| text.parse().ok().map(Value::Int).filter(|number| members.contains(number)))
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Int(0) => Some(false),
        Value::Int(1) => Some(true),
        Value::Float(f) if *f == 0.0 => Some(false),
        Value::Float(f) if *f == 1.0 => Some(true),
        Value::Text(text) => match text.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_and_named_as_in_python() {
        for (text, name) in [
            ("str", "str"),
            (" list[ int ]", "list[int]"),
            ("dict[str, list[float]]", "dict[str, list[float]]"),
            ("Literal['a', \"it's\", 3]", "Literal['a', \"it's\", 3]"),
            ("Optional[str]", "Union[str, NoneType]"),
            ("dict[str, Any]", "dict[str, Any]"),
        ] {
            let of_type = FieldType::read(text).unwrap();
            assert_eq!(of_type.name(), name);
            assert_eq!(FieldType::read(&of_type.to_string()).unwrap(), of_type, "what is written is read again");
        }
        for text in ["", "string", "dict[int, str]", "Literal[]", "list[x]"] {
            assert!(FieldType::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_model_writes_is_read_by_its_type() {
        for (kind, said, json) in [
            ("int", "42", "42"),
            ("int", " 42.0 ", "42"),
            ("int", "\"7\"", "7"),
            ("float", "3", "3.0"),
            ("bool", "True", "true"),
            ("bool", "no", "false"),
            ("list[str]", "['a', 'b']", r#"["a","b"]"#),
            ("list[int]", "```json\n[1, 2]\n```", "[1,2]"),
            ("dict[str, int]", "{'a': '1'}", r#"{"a":1}"#),
            ("Literal['yes', 'no']", "'yes'", "\"yes\""),
            ("Literal[1, 2]", "2", "2"),
            ("Optional[int]", "null", "null"),
            ("str", "5", "\"5\""),
        ] {
            let value = FieldType::read(kind).unwrap().parse(said).unwrap();
            assert_eq!(value.to_string(), json, "{kind} {said}");
        }
        for (kind, said) in [
            ("int", "about 42"),
            ("int", "4.5"),
            ("bool", "maybe"),
            ("list[int]", "[1, x]"),
            ("Literal['yes', 'no']", "Yes!"),
            ("float", ""),
            ("float", "inf"),
        ] {
            assert!(FieldType::read(kind).unwrap().parse(said).is_err(), "{kind} {said}");
        }
    }
}
