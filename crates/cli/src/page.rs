//! Pages that need nothing else: one file, for a browser without a network. What is known stands in it as one JSON value.

use std::path::Path;

use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;

/// Where the data goes.
const PLACE: &str = "/*DATA*/";

/// Writes a page with its data.
pub fn write(page: &str, data: &Value, file: &Path, printer: &Printer) -> Result<(), Failure> {
    std::fs::write(file, page.replacen(PLACE, &embedded(data), 1)).map_err(|e| {
        Failure::new(Exit::Machinery, format!("{} cannot be written: {e}", file.display()))
            .hint("`--html` takes the name of a file in a folder that exists")
    })?;
    printer.talk(format!("wrote {}", file.display()));
    Ok(())
}

/// JSON that no browser takes for the end of its script element.
fn embedded(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

/// Fails unless a page has one place for its data and asks no network.
#[cfg(test)]
pub fn check(page: &str) {
    assert_eq!(page.matches(PLACE).count(), 1);
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains(" src="));
    assert!(page.contains("default-src 'none'"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_model_wrote_cannot_end_the_script() {
        let text = embedded(&json!({"reason": "</script><script>alert(1)</script><!--"}));
        assert!(!text.contains('<'));
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["reason"], "</script><script>alert(1)</script><!--");
    }
}
