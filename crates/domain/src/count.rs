//! Numbers of things, as people say them.

use std::fmt::Display;

/// A number with what it is of: `1 task`, `2 tasks`. For nouns that take an `s`.
pub fn counted(number: impl Display, noun: &str) -> String {
    let number = number.to_string();
    let end = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_everything_else_is_many() {
        let said = [counted(0, "task"), counted(1u64, "task"), counted(2, "model call"), counted(0.5, "minute")];
        assert_eq!(said, ["0 tasks", "1 task", "2 model calls", "0.5 minutes"]);
    }
}
