//! JSON Schemas of a suite, held against answers.

use std::sync::Arc;

use boon::{Compiler, SchemaIndex, Schemas};
use meliora_domain::Value;

use crate::SuiteError;
use crate::folder::{Files, error};
use crate::frame::head;

/// A schema, compiled.
#[derive(Clone)]
pub(crate) struct Schema(Arc<(Schemas, SchemaIndex)>);

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
}

/// What stands in the place of all that a schema refers to outside of itself: nothing is fetched or opened.
struct Nowhere;

impl boon::UrlLoader for Nowhere {
    fn load(&self, url: &str) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
        Err(format!("'{url}' stands outside of the schema, and nothing else is read").into())
    }
}

impl Schema {
    /// The schema in a file of the suite.
    pub(crate) fn load(name: &str, files: &Files) -> Result<Self, SuiteError> {
        let bytes = files.get(name).ok_or_else(|| {
            error(format!("suite.toml: there is no schema '{name}' in the suite's folder"), "check the file's name")
        })?;
        let schema: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|e| error(format!("{name}:{}: this is no JSON: {e}", e.line()), "give a JSON Schema"))?;
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.use_loader(Box::new(Nowhere));
        let wrong = |e: boon::CompileError| {
            error(
                format!("{name}: this is no JSON Schema: {}", head(&format!("{e:#}"), 300)),
                "json-schema.org tells how",
            )
        };
        let place = "http://suite.invalid/schema.json";
        compiler.add_resource(place, schema).map_err(wrong)?;
        let index = compiler.compile(place, &mut schemas).map_err(wrong)?;
        Ok(Schema(Arc::new((schemas, index))))
    }

    /// `Err` says where and why a value does not fit.
    pub(crate) fn fits(&self, value: &Value) -> Result<(), String> {
        let value = serde_json::from_str(&value.to_string()).unwrap_or_default();
        let (schemas, index) = &*self.0;
        schemas.validate(&value, *index).map_err(|e| {
            // The first line names the schema, which is ours.
            let told: Vec<String> = e.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect();
            format!("the answer does not fit the schema: {}", head(&told.join("; "), 300))
        })
    }
}
