//! Makes SEARCH blocks exact where only white space that does not matter is off.
//!
//! Three things are tolerated: white space at line ends, an indentation that differs by the same amount on every
//! line, and CRLF. Whatever else does not match is handed on as it is, to be refused where everyone sees it.

use meliora_domain::{Change, Edit, Genome, GenomePath};

/// The change with exact SEARCH texts where they could be found, each edit seen after those before it.
pub(crate) fn fit(genome: &Genome, change: Change) -> Change {
    let mut after = genome.clone();
    let mut edits = Vec::new();
    for edit in change.edits {
        let edit = match edit {
            Edit::Replace { path, search, replace } => {
                let text = GenomePath::new(&path).ok().and_then(|p| after.get(&p)?.text().map(str::to_owned));
                match text.and_then(|text| exact(&text, &search, &replace)) {
                    Some((search, replace)) => Edit::Replace { path, search, replace },
                    None => Edit::Replace { path, search, replace },
                }
            }
            other => other,
        };
        let one = Change { edits: vec![edit] };
        if let Ok(next) = one.apply(&after) {
            after = next;
        }
        edits.extend(one.edits);
    }
    Change { edits }
}

/// Search and replacement as the file writes them; `None` if there is no single place.
fn exact(text: &str, search: &str, replace: &str) -> Option<(String, String)> {
    if search.trim().is_empty() {
        return None;
    }
    match text.matches(search).count() {
        0 => {}
        1 if replace.is_empty() && text.contains(&format!("{search}\n")) && starts_line(text, search) => {
            // A deleted line leaves no empty one behind.
            return Some((format!("{search}\n"), String::new()));
        }
        1 => return Some((search.to_owned(), replace.to_owned())),
        _ => return None,
    }
    let wanted: Vec<&str> = search.lines().collect();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut places =
        lines.windows(wanted.len()).enumerate().filter_map(|(i, window)| Some((i, shift(window, &wanted)?)));
    let (first, shift) = places.next()?;
    if places.next().is_some() {
        return None;
    }
    let found: String = lines[first..first + wanted.len()].concat();
    let crlf = found.contains("\r\n");
    let mut new = String::new();
    for line in replace.lines() {
        new += &shift.apply(line)?;
        new += if crlf { "\r\n" } else { "\n" };
    }
    // The file's last line may lack its end.
    if !found.ends_with('\n') {
        new.truncate(new.trim_end_matches(['\r', '\n']).len());
    }
    // The place was unique with tolerance; as exact text it must be so too.
    (text.matches(&found).count() == 1).then_some((found, new))
}

fn starts_line(text: &str, search: &str) -> bool {
    text.find(search).is_some_and(|at| at == 0 || text.as_bytes()[at - 1] == b'\n')
}

/// By what the file's indentation differs from the block's.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Shift {
    More(String),
    Less(String),
}

impl Shift {
    fn apply(&self, line: &str) -> Option<String> {
        match self {
            _ if line.trim().is_empty() => Some(String::new()),
            Shift::More(white) => Some(format!("{white}{line}")),
            Shift::Less(white) => line.strip_prefix(white.as_str()).map(str::to_owned),
        }
    }
}

/// The shift that makes the wanted lines those of the file; `None` if there is none.
fn shift(file: &[&str], wanted: &[&str]) -> Option<Shift> {
    let mut shift = None;
    for (have, want) in file.iter().zip(wanted) {
        let (have, want) = (have.trim_end(), want.trim_end());
        if have.is_empty() || want.is_empty() {
            if have != want {
                return None;
            }
            continue;
        }
        let this = match (have.strip_suffix(want), want.strip_suffix(have)) {
            (Some(white), _) if white.trim().is_empty() => Shift::More(white.to_owned()),
            (_, Some(white)) if white.trim().is_empty() => Shift::Less(white.to_owned()),
            _ => return None,
        };
        if *shift.get_or_insert(this.clone()) != this {
            return None;
        }
    }
    shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::FileBody;

    fn after(file: &str, search: &str, replace: &str) -> Option<String> {
        let path = GenomePath::new("a.py").unwrap();
        let genome = Genome::new().with(path.clone(), FileBody::new(file.as_bytes(), false));
        let edit = Edit::Replace { path: "a.py".into(), search: search.into(), replace: replace.into() };
        let change = fit(&genome, Change { edits: vec![edit] });
        change.apply(&genome).ok().map(|g| g.get(&path).unwrap().text().unwrap().to_owned())
    }

    #[test]
    fn harmless_white_space_is_tolerated_and_nothing_else() {
        let f = "def f():\n    x = 1  \n    return x\n";
        let cases = [
            ("    return x", "    return y", Some("def f():\n    x = 1  \n    return y\n")),
            // White space at line ends.
            ("    x = 1\n    return x", "    return 2", Some("def f():\n    return 2\n")),
            // Less and more indentation.
            ("x = 1\nreturn x", "if x:\n    return 2", Some("def f():\n    if x:\n        return 2\n")),
            ("        x = 1\n        return x", "        return 2", Some("def f():\n    return 2\n")),
            // A deleted line is gone.
            ("    return x", "", Some("def f():\n    x = 1  \n")),
            // Unequal indentation, other text, two places, nothing.
            ("x = 1\n  return x", "y", None),
            ("    return z", "y", None),
            ("x", "y", None),
            ("", "y", None),
        ];
        for (search, replace, expected) in cases {
            assert_eq!(after(f, search, replace).as_deref(), expected, "{search:?}");
        }
    }

    #[test]
    fn files_with_crlf_keep_it() {
        assert_eq!(after("a\r\nb\r\nc\r\n", "a\nb", "x\ny").as_deref(), Some("x\r\ny\r\nc\r\n"));
    }

    #[test]
    fn the_last_line_keeps_its_missing_end() {
        assert_eq!(after("a\n  b", "a \n  b", "c").as_deref(), Some("c"));
    }
}
