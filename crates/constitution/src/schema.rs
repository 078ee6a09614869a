//! The JSON Schema of CONSTITUTION.yaml, made from the types that read it.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::file::LawText;
use crate::{Area, Matcher, Requirement};

/// The schema, as JSON Schema 2020-12.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(LawText).to_value()
}

pub(crate) fn decision(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["allow", "ask", "forbid"] })
}

/// Operations: a command, or a kind and its text.
pub(crate) fn examples(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "propertyNames": { "enum": Matcher::OPERATIONS },
                    "additionalProperties": { "type": "string" },
                    "minProperties": 1,
                    "maxProperties": 1
                }
            ]
        }
    })
}

pub(crate) fn autonomous(generator: &mut SchemaGenerator) -> Schema {
    let value = generator.subschema_for::<crate::file::AutonomousText>();
    json_schema!({
        "type": "object",
        "propertyNames": { "enum": Area::ALL.map(Area::name) },
        "additionalProperties": value
    })
}

pub(crate) fn requirements(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "enum": Requirement::ALL.map(Requirement::name) } })
}

/// A day, or a moment in UTC.
pub(crate) fn expires(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$" })
}
