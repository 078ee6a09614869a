//! Paths as a client writes them and as the cage has them: `/home/user` is the cage's `/work`.

use crate::fault::{Answer, invalid};

/// Where a client believes to be.
pub(crate) const HOME: &str = "/home/user";
/// Where that lies in the cage.
const WORK: &str = "/work";

/// A path of a client, made absolute, without `.`, `..` and double slashes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// As the client sees it.
    pub(crate) seen: String,
    /// As the cage has it.
    pub(crate) real: String,
}

impl Place {
    /// Whether it lies where the host itself can read and write: `/work` and `/tmp`.
    pub(crate) fn is_inside(&self) -> bool {
        [WORK, "/tmp"].iter().any(|folder| below(&self.real, folder).is_some())
    }

    /// Its last part.
    pub(crate) fn name(&self) -> &str {
        match self.seen.rsplit('/').next() {
            Some("") | None => "/",
            Some(name) => name,
        }
    }

    /// Something in this folder.
    pub(crate) fn child(&self, name: &str) -> Place {
        let join = |folder: &str| format!("{}/{name}", folder.trim_end_matches('/'));
        Place { seen: join(&self.seen), real: join(&self.real) }
    }
}

/// Longest path that is taken; the kernel's own limit (`PATH_MAX`).
const LONGEST: usize = 4096;

/// The place that a client means. Relative paths begin at its home.
///
/// # Errors
/// If it is empty, too long, or has a zero byte in it.
pub(crate) fn place(path: &str) -> Answer<Place> {
    if path.contains('\0') {
        return Err(invalid("the path has a zero byte in it"));
    }
    if path.len() > LONGEST {
        return Err(invalid(format!("the path is longer than {LONGEST} bytes")));
    }
    let whole = match path {
        "" => return Err(invalid("a path is needed")),
        "~" => HOME.to_owned(),
        path => match path.strip_prefix("~/") {
            Some(rest) => format!("{HOME}/{rest}"),
            None if path.starts_with('/') => path.to_owned(),
            None => format!("{HOME}/{path}"),
        },
    };
    let mut parts = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            // By the words alone: above the root is the root. Nothing is resolved on the host by this path but beneath
            // one of the cage's own folders.
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let seen = format!("/{}", parts.join("/"));
    Ok(Place { real: to_cage(&seen), seen })
}

/// The folder that a command starts in. Programs inside have both names of it, and see the one that they came by.
pub(crate) fn folder(path: Option<&str>) -> Answer<String> {
    match path {
        None | Some("") => Ok(HOME.to_owned()),
        Some(path) => Ok(place(path)?.seen),
    }
}

fn to_cage(path: &str) -> String {
    match below(path, HOME) {
        Some(rest) => format!("{WORK}{rest}"),
        None => path.to_owned(),
    }
}

/// What of a path lies below a folder: empty for the folder itself, else with its slash.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_client_s_home_is_the_cage_s_work() {
        for (path, seen, real) in [
            ("a.txt", "/home/user/a.txt", "/work/a.txt"),
            ("/home/user", "/home/user", "/work"),
            ("/home/user2/x", "/home/user2/x", "/home/user2/x"),
            ("~/x/./y//z", "/home/user/x/y/z", "/work/x/y/z"),
            ("../../etc/passwd", "/etc/passwd", "/etc/passwd"),
            ("/tmp/../../..", "/", "/"),
            ("/home/user/../user/q", "/home/user/q", "/work/q"),
            ("line\nend", "/home/user/line\nend", "/work/line\nend"),
        ] {
            assert_eq!(place(path).unwrap(), Place { seen: seen.into(), real: real.into() }, "{path}");
        }
        assert!(place("a\0b").is_err() && place("").is_err() && place(&"x/".repeat(3000)).is_err());
    }

    proptest! {
        #[test]
        fn no_path_keeps_a_way_up(path in "[a./~]{0,30}") {
            if let Ok(place) = place(&path) {
                prop_assert!(place.real.starts_with('/'));
                prop_assert!(place.real.split('/').skip(1).all(|part| part != ".." && part != "."));
            }
        }
    }
}
