//! Which paths a change may touch: their form, what is protected, what is editable.
//!
//! Everything here is decided on the text of a path, before anything is applied; no file is opened or followed.

use globset::GlobSet;
use meliora_domain::GenomePath;

use crate::file::autonomy::build;
use crate::{LawError, Reach, Refusal};

/// No part of a path of a change may hold this.
const CONSTITUTION: &str = "constitution.yaml";

/// Names that no path of a change may hold, at any depth. `git~1` is what `.git` is also called on NTFS.
pub(crate) const NEVER: [&str; 9] = [
    ".meliora",
    CONSTITUTION,
    "constitution.yaml.minisig",
    "meliora.toml",
    ".git",
    ".gitmodules",
    ".gitattributes",
    "git~1",
    "gitmod~1",
];

/// What decides when agents that work here ask the law: files in folders of these names, and all below them.
pub(crate) const AGENTS: [(&str, &str); 10] = [
    (".claude", "settings.json"),
    (".claude", "settings.local.json"),
    (".claude", "hooks"),
    (".claude", "managed-settings.json"),
    (".cursor", "hooks.json"),
    (".cursor", "hooks"),
    (".gemini", "settings.json"),
    (".codex", "config.toml"),
    (".codex", "rules"),
    (".codex", "hooks.json"),
];

/// The reach, ready to be asked.
#[derive(Debug)]
pub(crate) struct Bounds {
    globs: GlobSet,
    editable: Vec<String>,
    /// Folded parts of each protected path.
    protected: Vec<Vec<String>>,
}

impl Bounds {
    pub(crate) fn new(reach: &Reach) -> Result<Self, LawError> {
        let globs =
            build(&reach.editable).map_err(|e| LawError { what: format!("editable: {}", e.what), hint: e.hint })?;
        let mut protected = Vec::new();
        for path in &reach.protected {
            let parts: Vec<String> = path.split('/').filter(|p| !matches!(*p, "" | ".")).map(fold).collect();
            if path.starts_with('/') || parts.is_empty() || path.split('/').any(|part| part == "..") {
                return Err(LawError {
                    what: format!("the protected path {path:?} does not lie inside the genome's root"),
                    hint: Some("give it relative to the genome's root, without '..'".into()),
                });
            }
            protected.push(parts);
        }
        Ok(Bounds { globs, editable: reach.editable.clone(), protected })
    }

    /// The path, if a change may touch it.
    pub(crate) fn check(&self, path: &str) -> Result<GenomePath, Refusal> {
        let checked = well_formed(path)?;
        self.unprotected(path)?;
        if !self.globs.is_match(path) {
            let globs = match self.editable.as_slice() {
                [] => "nothing is editable in this project".to_owned(),
                globs => format!("lawful are paths that match {}", globs.join(", ")),
            };
            return refuse("editable-paths", format!("{path:?} is not editable; {globs}"));
        }
        Ok(checked)
    }

    /// The protected paths of this project, in folded parts.
    pub(crate) fn protected(&self) -> impl Iterator<Item = &Vec<String>> {
        self.protected.iter()
    }

    /// Whether one of the editable globs matches.
    pub(crate) fn editable(&self, path: &str) -> bool {
        self.globs.is_match(path)
    }

    /// Refuses what is protected, what lies under it, and what it lies under.
    pub(crate) fn unprotected(&self, path: &str) -> Result<(), Refusal> {
        let parts: Vec<String> = path.split('/').map(fold).collect();
        // Editors take a file of a name built around it for an older or newer state of it.
        let law = |part: &str| part.contains(CONSTITUTION);
        if let Some(name) = parts.iter().find(|part| law(part) || NEVER.contains(&part.as_str())) {
            let article = if law(name) { "constitution-immutable" } else { "protected-paths" };
            return refuse(article, format!("{path:?} holds {name:?}, which no change may touch; change other files"));
        }
        let steers = |(folder, name): &&(&str, &str)| parts.windows(2).any(|two| two[0] == *folder && two[1] == *name);
        if let Some((folder, name)) = AGENTS.iter().find(steers) {
            let why =
                format!("{path:?} is {folder}/{name}, which decides when an agent asks the law; change other files");
            return refuse("protected-paths", why);
        }
        let hit = self.protected.iter().find(|held| held.iter().zip(&parts).all(|(a, b)| a == b));
        match hit {
            None => Ok(()),
            Some(held) => {
                let held = held.join("/");
                refuse("protected-paths", format!("{path:?} is protected by {held:?}; change files that lie elsewhere"))
            }
        }
    }
}

/// The path, if its form leaves no doubt about which file it names, on any filesystem.
/// Longest name of a file or folder on the systems that this runs on, in bytes (`NAME_MAX`), and longest path within a
/// cage (`PATH_MAX` less what it lies below).
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 3072;

fn well_formed(path: &str) -> Result<GenomePath, Refusal> {
    let lawful = "lawful is a plain relative path such as \"src/a.py\"";
    let checked = GenomePath::new(path).map_err(|e| Refusal {
        article: "path-form".into(),
        reason: format!("{path:?} is refused: {}; {lawful}", e.why),
    })?;
    let why = if let Some(odd) = path.chars().find(|c| deceives(*c)) {
        format!("it has the character {}, which is invisible or looks like another", odd.escape_unicode())
    } else if path.split('/').any(|part| part.ends_with(['.', ' ']) || part.starts_with(' ')) {
        "a part of it ends in a dot or a space, or begins with a space".into()
    } else if path.len() > LONGEST_PATH || path.split('/').any(|part| part.len() > LONGEST_NAME) {
        // It would end whoever puts it into a cage, for a fault of whoever chose it.
        let shown: String = path.chars().take(60).collect();
        let why = format!("{shown:?}… is longer than {LONGEST_PATH} bytes, or a part of it than {LONGEST_NAME}");
        return refuse("path-form", format!("{why}, which systems do not take; {lawful}"));
    } else {
        return Ok(checked);
    };
    refuse("path-form", format!("{path:?} is refused: {why}; {lawful}"))
}

/// Characters that are not seen, that turn the reading direction, or that Unicode's compatibility forms make a dot,
/// a slash or a backslash (UAX #15, UTS #39).
pub(crate) fn deceives(c: char) -> bool {
    let spaces = c.is_whitespace() && c != ' ';
    spaces
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}'
            | '\u{e0000}'..='\u{e0fff}')
        || matches!(
            c,
            '\u{2024}'
                ..='\u{2026}'
                    | '\u{3002}'
                    | '\u{fe52}'
                    | '\u{ff0e}'
                    | '\u{ff61}'
                    | '\u{fe19}'
                    | '\u{fe30}'
                    | '\u{2044}'
                    | '\u{2215}'
                    | '\u{29f8}'
                    | '\u{ff0f}'
                    | '\u{2216}'
                    | '\u{29f5}'
                    | '\u{29f9}'
                    | '\u{fe68}'
                    | '\u{ff3c}'
        )
}

/// One part of a path as the most forgiving filesystem would read it: without case (upper then lower, so that `ſ` and
/// `ı` are `s` and `i`), without invisible characters, without what follows a colon, without dots and spaces at the end.
pub(crate) fn fold(part: &str) -> String {
    let name = part.split(':').next().unwrap_or_default();
    let seen: String = name.chars().filter(|c| !deceives(*c) && !c.is_control()).collect();
    let folded = caseless(&seen);
    match folded.trim_end_matches(['.', ' ']) {
        "" => folded,
        trimmed => trimmed.to_owned(),
    }
}

fn caseless(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Whether two paths are not equal although some forgiving filesystem takes a folder or file of one for one of the other.
pub(crate) fn differ_by_case(a: &str, b: &str) -> bool {
    a.split('/').zip(b.split('/')).take_while(|(x, y)| x == y || caseless(x) == caseless(y)).any(|(x, y)| x != y)
}

pub(crate) fn refuse<T>(article: &str, reason: String) -> Result<T, Refusal> {
    Err(Refusal { article: article.into(), reason })
}
