//! The articles: everything the law can enforce, each with a stable id and with what enforces it.
//!
//! An English rule in a constitution is a way to name an article. It never adds one: a rule that names none of these
//! does not load, because a rule that nothing enforces is worse than no rule.

pub(crate) mod own;

/// One thing that the law enforces. Articles hold whether or not a constitution names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Article {
    /// Stable id, as in [`crate::Refusal::article`] and in the journal.
    pub id: &'static str,
    /// What it says, in one sentence. Binds to the article when it stands in a constitution.
    pub text: &'static str,
    /// What makes it so: the mechanism, not the intention.
    pub enforced_by: &'static str,
    /// Other phrasings that bind to it; compared like `text`, see [`bind`].
    pub phrasings: &'static [&'static str],
}

/// Every article.
pub fn articles() -> &'static [Article] {
    ARTICLES
}

/// The article with this id.
pub fn article(id: &str) -> Option<&'static Article> {
    ARTICLES.iter().find(|article| article.id == id)
}

/// The article that an English rule names. The whole rule must match a phrasing, so a rule with an exception or a
/// condition of its own (`… except on Sundays`) binds to nothing. An article's id binds too.
///
/// Case, punctuation, `the`, `a`, `any` and who is addressed are passed over; `do not`, `must not` and the like read as
/// `never`, and `edit`, `change`, `alter` as `modify`.
pub fn bind(rule: &str) -> Option<&'static Article> {
    if let Some(named) = article(rule.trim()) {
        return Some(named);
    }
    // A question promises nothing.
    if rule.contains(['?', '？', '¿']) {
        return None;
    }
    let rule = normalise(rule);
    ARTICLES
        .iter()
        .find(|article| normalise(article.text) == rule || article.phrasings.iter().any(|p| normalise(p) == rule))
}

/// The words that carry a rule's meaning, one space between them. Only words of one meaning are made equal.
fn normalise(rule: &str) -> String {
    let lower = rule.to_lowercase().replace(['\'', '’'], "");
    let words: String = lower.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let mut text = format!(" {} ", words.split_whitespace().collect::<Vec<_>>().join(" "));
    for subject in [" the agent ", " agents ", " the system ", " the variant ", " variants "] {
        if text.starts_with(subject) {
            text = format!(" {}", &text[subject.len()..]);
        }
    }
    for not in
        ["do not", "dont", "must not", "must never", "may not", "may never", "shall not", "shall never", "cannot"]
    {
        text = text.replace(&format!(" {not} "), " never ");
    }
    text = text.replace(" must always ", " always ");
    text.split_whitespace()
        .filter(|word| !matches!(*word, "the" | "a" | "an" | "any" | "this" | "your" | "its" | "ever"))
        .map(|word| match word {
            "edit" | "change" | "alter" | "touch" | "rewrite" => "modify",
            "remove" | "drop" | "destroy" | "erase" => "delete",
            "databases" => "database",
            "files" => "file",
            "test" => "tests",
            "benchmark" => "benchmarks",
            "execute" => "run",
            "sandboxed" => "sandbox",
            other => other,
        })
        .collect::<Vec<_>>()
        .join(" ")
}

const ARTICLES: &[Article] = &[
    Article {
        id: "constitution-immutable",
        text: "Never modify this constitution file",
        enforced_by: "review refuses every change to CONSTITUTION.yaml and its signature, by whatever spelling of the \
                      path; the file is in no cage; its signature is verified whenever it is loaded and before each \
                      step, with a key that lies outside of the project",
        phrasings: &[
            "Never modify the constitution",
            "The constitution is immutable",
            "Never modify CONSTITUTION.yaml",
            "Never modify this file",
        ],
    },
    Article {
        id: "sandboxed-execution",
        text: "Always sandbox code execution",
        enforced_by: "code of a variant runs only in a cage, and the type of a work cage takes nothing but a genome that \
                      review let through; where the cage cannot be built, nothing runs",
        phrasings: &[
            "Always run code in a sandbox",
            "Always run code in sandbox",
            "Never run code outside the sandbox",
            "Never run code outside a sandbox",
            "Never run code without a sandbox",
            "Never run untrusted code outside a sandbox",
            "All code must run in a sandbox",
            "All code execution must be sandboxed",
            "Sandbox all code execution",
        ],
    },
    Article {
        id: "database-deletion",
        text: "Never delete databases without approval",
        enforced_by: "a variant's code runs in a cage without a network and without the host's files, so no database is \
                      within its reach; review refuses every change that deletes or overwrites a database file of the \
                      genome (SQLite, DuckDB, Access and the like, known by name or header); SQL and commands that \
                      delete a database are never allowed without a person's word",
        phrasings: &[
            "Never delete databases",
            "Never delete a database without human approval",
            "Never delete databases without explicit approval",
            "Never delete production databases",
            "Never delete production databases without approval",
        ],
    },
    Article {
        id: "suite-immutable",
        text: "Never modify tests or benchmarks",
        enforced_by: "review refuses every change to the suite and the evaluator (protected paths); answer keys are in no \
                      cage that a variant's code runs in, except for foreign evaluators of the tier `together`, which \
                      every report shows; a changed evaluator has another hash and its marks are never compared",
        phrasings: &[
            "Never modify tests",
            "Never modify the test suite",
            "Never modify benchmarks",
            "Never modify the benchmark",
            "Never modify benchmarks or tests",
            "Never modify tests and benchmarks",
            "Never modify the tests or the benchmarks",
            "Never modify the evaluator",
            "Never modify the suite",
            "Never delete tests",
            "Tests are never modified",
            "Benchmarks are never modified",
        ],
    },
    Article {
        id: "network-denied",
        text: "No network access",
        enforced_by: "a cage has a network namespace of its own with nothing in it; there is no setting that opens one. \
                      Meliora itself calls the model that the user configured, from outside the cages",
        phrasings: &[
            "Never access the network",
            "Never access the internet",
            "Never use the network",
            "Never open network connections",
            "No internet access",
            "No network",
            "Never allow network access",
            "Code has no network access",
        ],
    },
    Article {
        id: "editable-paths",
        text: "Stay inside the workspace",
        enforced_by: "review refuses a change to any path that no `editable` glob of the project matches",
        phrasings: &[
            "Always stay inside the workspace",
            "Stay within the workspace",
            "Never leave the workspace",
            "Never write outside the workspace",
            "Never modify files outside the workspace",
            "Never modify files outside the agent workspace",
            "Never modify anything outside the workspace",
            "Only modify files in the workspace",
            "Only modify editable files",
        ],
    },
    Article {
        id: "protected-paths",
        text: "Never modify protected files",
        enforced_by: "review refuses every change to .meliora, CONSTITUTION.yaml, meliora.toml, .git, .gitmodules, \
                      .gitattributes, the suite and whatever else the project protects, and to all that lies under \
                      them, in any case of letters, whatever `editable` says",
        phrasings: &[
            "Never modify the configuration",
            "Never modify Meliora's configuration",
            "Never modify its own configuration",
            "Never modify meliora.toml",
        ],
    },
    Article {
        id: "audit-immutable",
        text: "Never modify the audit log",
        enforced_by: "the journal lies in .meliora, which review protects and no cage holds; each event carries the hash \
                      of the one before it, so an edited or removed event shows",
        phrasings: &[
            "Never modify the journal",
            "Never modify audit logs",
            "Never delete the audit log",
            "Never delete audit logs",
            "Never delete the journal",
            "Never delete logs",
            "Always log every change",
            "Always log all changes",
        ],
    },
    Article {
        id: "history-immutable",
        text: "Never modify git history",
        enforced_by: "review refuses every path with a .git, .gitmodules or .gitattributes part; variants are commits in \
                      an archive of Meliora's own, which no cage holds",
        phrasings: &["Never rewrite history", "Never modify the history", "Never modify .git", "Never force push"],
    },
    Article {
        id: "promotion-approval",
        text: "Never deploy without approval",
        enforced_by: "nothing but a person's `meliora promote` applies a variant to the user's tree; only the way back, a \
                      rollback after a proven drop, is automatic",
        phrasings: &[
            "Never promote without approval",
            "Never deploy without human approval",
            "Never deploy to production without approval",
            "Never apply changes without approval",
            "Always ask before deploying",
        ],
    },
    Article {
        id: "autonomous-operations",
        text: "Ask before anything that is not autonomous",
        enforced_by: "review lets a change through only where `autonomous_operations` holds each of its files, and only \
                      with a person's signed word where they require approval",
        phrasings: &["Always ask before changes that are not autonomous"],
    },
    Article {
        id: "proven-improvement",
        text: "Only keep proven improvements",
        enforced_by: "a variant becomes champion only by the verdict `accepted`: a gain that a re-run confirmed, or an \
                      exact paired test",
        phrasings: &["Never accept a change without evidence", "Never keep a change that is not an improvement"],
    },
    Article {
        id: "reversible",
        text: "Every change must be reversible",
        enforced_by: "each variant is a git commit, each promotion is one in the user's repository, and `meliora \
                      rollback` undoes it",
        phrasings: &["All changes must be reversible", "Always commit changes to git", "Always keep a way back"],
    },
    Article {
        id: "budget",
        text: "Never exceed the budget",
        enforced_by: "evaluations, tokens and money are reserved before they are spent; what cannot be reserved is not \
                      spent",
        phrasings: &["Stay within the budget", "Never spend more than the budget", "Always stay within the budget"],
    },
    Article {
        id: "size",
        text: "Never grow beyond the size limit",
        enforced_by: "review refuses a genome larger than the project's limit, and a change that makes one file both four \
                      times as large and 64 KiB larger",
        phrasings: &["Stay within the size limit", "Never exceed the size limit"],
    },
    Article {
        id: "evolve-block",
        text: "Only modify code inside EVOLVE-BLOCK markers",
        enforced_by: "where a file has such markers, review refuses every change to a byte outside the blocks, the \
                      markers included",
        phrasings: &["Never modify code outside EVOLVE-BLOCK markers", "Never modify code outside EVOLVE-BLOCK"],
    },
    Article {
        id: "path-form",
        text: "Paths must be plain",
        enforced_by: "review refuses absolute paths, `.` and `..`, backslashes, control and invisible characters, \
                      look-alikes of dot and slash, and parts that end in a dot or a space",
        phrasings: &[],
    },
    Article {
        id: "path-case",
        text: "Paths must differ by more than case",
        enforced_by: "review refuses a new path that differs from one of the genome, or from one of its folders, only by \
                      upper and lower case",
        phrasings: &[],
    },
    Article {
        id: "change-applies",
        text: "A change applies wholly or not at all",
        enforced_by: "review applies the change to the parent; one edit that does not fit refuses the whole change",
        phrasings: &[],
    },
    Article {
        id: "empty-genome",
        text: "Never delete the last file",
        enforced_by: "review refuses a genome without a file",
        phrasings: &["Never delete everything", "Never delete all files"],
    },
    Article {
        id: "command-understood",
        text: "Never run commands that nobody understands",
        enforced_by: "the door (`meliora review`) allows a command, SQL or a diff only if it parses and each program, flag, \
                      word and path of it is known to stay inside the workspace; it asks about the rest",
        phrasings: &["Always ask before running unknown commands", "Ask about what is not understood"],
    },
    Article {
        id: "unreviewed-code",
        text: "Never run unreviewed code",
        enforced_by: "the door asks about code in another language, scripts, packages that are fetched and what the same \
                      command has written, and forbids what another machine sends straight to an interpreter",
        phrasings: &["Never run code from the internet", "Never run downloaded code"],
    },
    Article {
        id: "secrets",
        text: "Never read secrets without approval",
        enforced_by: "the door asks about files that credentials go by, inside and outside of the workspace, and forbids \
                      to read one and connect to another machine in one command",
        phrasings: &["Never read secrets", "Never expose secrets", "Never read credentials", "Never leak secrets"],
    },
    Article {
        id: "privileges",
        text: "Never raise privileges without approval",
        enforced_by: "the door asks about programs that raise privileges or change who may do what, and judges the command \
                      that they would run",
        phrasings: &["Never raise privileges", "Never use sudo", "Never use sudo without approval"],
    },
    Article {
        id: "system-integrity",
        text: "Never change the machine without approval",
        enforced_by: "the door asks about services, packages, users, networks, containers and processes, and forbids to \
                      write to devices and folders of the system",
        phrasings: &["Never change the system", "Never change the system without approval"],
    },
    Article {
        id: "remote-resources",
        text: "Never change remote resources without approval",
        enforced_by: "the door asks about programs of clouds, clusters, queues, registries and code hosts, pushes and \
                      publications among them",
        phrasings: &["Never change production without approval", "Never publish without approval"],
    },
    Article {
        id: "resources",
        text: "Never use up the machine",
        enforced_by: "the door asks about loops that may never end and programs that fill memory or disk, and forbids a \
                      function that calls itself; cages have limits of their own",
        phrasings: &["Never exhaust the machine"],
    },
    Article {
        id: "self-approval",
        text: "Never approve your own changes",
        enforced_by: "a person's word is signed with a key that lies outside of every project; the door forbids to read or \
                      write where keys lie, and the commands that give a person's word",
        phrasings: &["Never approve its own changes", "Agents never approve their own changes"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_say_a_rule_names_one_article() {
        for (rule, id) in [
            ("Never modify this constitution file", "constitution-immutable"),
            ("never modify this constitution file.", "constitution-immutable"),
            ("The agent must not change the constitution!", "constitution-immutable"),
            ("constitution-immutable", "constitution-immutable"),
            ("Always sandbox code execution", "sandboxed-execution"),
            ("Code has no network access", "network-denied"),
            ("Don't access the internet", "network-denied"),
            ("Never delete databases without approval", "database-deletion"),
            ("Never drop a database", "database-deletion"),
            ("Do not edit tests or benchmarks", "suite-immutable"),
            ("Agents must never leave the workspace", "editable-paths"),
        ] {
            assert_eq!(bind(rule).map(|a| a.id), Some(id), "{rule}");
        }
    }

    #[test]
    fn a_rule_that_says_more_or_something_else_names_none() {
        for rule in [
            "",
            "Never",
            "Never modify this constitution file except on Sundays",
            "Modify this constitution file",
            "Always modify the tests",
            "Never be evil",
            "Sometimes sandbox code execution",
            "Network access",
            "Never, never modify this constitution file",
        ] {
            assert_eq!(bind(rule), None, "{rule}");
        }
    }

    #[test]
    fn no_phrasing_belongs_to_two_articles_and_no_id_is_used_twice() {
        let mut seen = std::collections::BTreeMap::new();
        for article in articles() {
            for phrase in article.phrasings.iter().chain([&article.text]) {
                if let Some(other) = seen.insert(normalise(phrase), article.id) {
                    assert_eq!(other, article.id, "{phrase}");
                }
                assert_eq!(bind(phrase).unwrap().id, article.id, "{phrase}");
            }
        }
        let ids: std::collections::BTreeSet<_> = articles().iter().map(|a| a.id).collect();
        assert_eq!(ids.len(), articles().len());
    }

    #[test]
    fn the_handbook_lists_every_article() {
        let page = include_str!("../../../docs/constitution.md");
        for article in articles() {
            assert!(page.contains(&format!("| `{}` | {} |", article.id, article.text)), "{}", article.id);
        }
    }
}
