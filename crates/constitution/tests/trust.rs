//! Who signed, when, and whether it is the newest: what governs and what does not.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

use std::path::PathBuf;

use meliora_constitution::key::SecretKey;
use meliora_constitution::{Constitution, Law, LawError, Reach, Seen, Trust, seal, signature_of};
use meliora_domain::Timestamp;

const RULES: &str = "immutable_constraints: [\"Never modify this constitution file\"]\n";

/// 2026-01-01.
const NOW: Timestamp = Timestamp(1_767_225_600_000);

const PROJECT: &str = "0123456789abcdef0123456789abcdef";

struct Place {
    folder: tempfile::TempDir,
    key: SecretKey,
    trust: Trust,
}

impl Place {
    fn new() -> Self {
        let key = SecretKey::generate().unwrap();
        let trust = Trust { keys: vec![key.public()], now: NOW, ..Trust::default() };
        Place { folder: tempfile::tempdir().unwrap(), key, trust }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("CONSTITUTION.yaml")
    }

    /// Writes and signs as `meliora constitution sign` does; gives both files' contents.
    fn sign(&self, text: &str) -> (String, String) {
        let text = seal(text);
        let comment = self.trust.comment(&Law::parse(&text).unwrap(), &text, PROJECT).unwrap();
        let signature = self.key.sign(text.as_bytes(), &comment).unwrap();
        self.put(&text, &signature);
        (text, signature)
    }

    fn put(&self, text: &str, signature: &str) {
        std::fs::write(self.file(), text).unwrap();
        std::fs::write(signature_of(&self.file()), signature).unwrap();
    }

    fn load(&self) -> Result<Constitution, LawError> {
        Constitution::load(&self.file(), Reach::default(), &self.trust)
    }

    /// Loads, and remembers what governed.
    fn govern(&mut self) -> Seen {
        let seen = self.load().unwrap().seen().cloned().unwrap();
        self.trust.seen = Some(seen.clone());
        seen
    }

    #[track_caller]
    fn fails(&self, words: &[&str]) {
        let error = self.load().unwrap_err();
        let said = format!("{} / {}", error.what, error.hint.unwrap());
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
    }
}

#[test]
fn a_checksum_alone_governs_nothing_and_neither_does_another_key_or_no_key() {
    let mut place = Place::new();
    std::fs::write(place.file(), seal(RULES)).unwrap();
    place.fails(&["not signed", "meliora constitution sign"]);
    place.sign(RULES);
    place.load().unwrap();
    let known = std::mem::replace(&mut place.trust.keys, vec![SecretKey::generate().unwrap().public()]);
    place.fails(&[place.key.id().as_str(), "not pinned"]);
    place.trust.keys.clear();
    place.fails(&[place.key.id().as_str(), "no key is pinned"]);
    place.trust.keys = [vec![SecretKey::generate().unwrap().public()], known].concat();
    assert_eq!(place.load().unwrap().seen().unwrap().key, place.key.id());
}

#[test]
fn a_checksum_that_was_mended_after_an_edit_does_not_help() {
    let place = Place::new();
    let (text, signature) = place.sign(RULES);
    place.put(&seal(&format!("{text}# one more\n")), &signature);
    place.fails(&["altered after it was signed"]);
    for wrong in ["", "nonsense", "untrusted comment: x\nRWQ=\ntrusted comment: y\nz\n"] {
        place.put(&text, wrong);
        place.fails(&["signature"]);
    }
    place.put(&text, &signature.replace("timestamp:", "timestamp:9"));
    place.fails(&["altered after it was signed"]);
}

#[test]
fn an_older_one_is_refused_however_well_it_was_signed() {
    let mut place = Place::new();
    let first = place.sign(&format!("version: 1\n{RULES}"));
    place.govern();
    let second = place.sign(&format!("version: 2\n{RULES}"));
    assert_eq!(place.govern().version, 2);
    place.put(&first.0, &first.1);
    place.fails(&["older", "version 1 after version 2"]);
    // The same version again, signed later: the one before is older.
    place.trust.now = Timestamp(NOW.0 + 1000);
    place.sign(&format!("version: 2\n{RULES}# stricter\n"));
    place.govern();
    place.put(&second.0, &second.1);
    place.fails(&["older"]);
    let said = place.trust.comment(&Law::parse(&format!("version: 1\n{RULES}")).unwrap(), "", "").unwrap_err();
    assert!(said.hint.unwrap().contains("version: 2"));
}

#[test]
fn signing_within_one_second_or_with_a_clock_set_back_is_still_newer() {
    let mut place = Place::new();
    let first = place.sign(RULES);
    place.govern();
    place.trust.now = Timestamp(NOW.0 - 60_000);
    place.sign(&format!("{RULES}# more\n"));
    place.govern();
    place.put(&first.0, &first.1);
    place.fails(&["older"]);
}

#[test]
fn it_ends_with_its_last_day_and_a_clock_set_back_does_not_revive_it() {
    let mut place = Place::new();
    place.sign(&format!("expires: 2026-01-01\n{RULES}"));
    place.govern();
    let law = place.load().unwrap();
    assert!(law.holds(NOW).is_ok());
    let tomorrow = Timestamp(NOW.0 + 86_400_000);
    assert!(law.holds(tomorrow).unwrap_err().what.contains("expired"));
    place.trust.now = tomorrow;
    place.fails(&["expired", "expires"]);
    place.trust.seen.as_mut().unwrap().at = tomorrow;
    place.trust.now = NOW;
    place.fails(&["clock was set back"]);
    place.trust.now = Timestamp(tomorrow.0 - 60_000);
    place.fails(&["expired"]);
}

#[test]
fn one_that_is_gone_is_not_replaced_by_the_compiled_in_one() {
    let mut place = Place::new();
    place.sign(RULES);
    place.govern();
    std::fs::remove_file(place.file()).unwrap();
    place.fails(&["gone", "put it back"]);
}

#[test]
fn an_altered_file_does_not_hold_any_more() {
    let place = Place::new();
    let (text, signature) = place.sign(RULES);
    let law = place.load().unwrap();
    law.holds(NOW).unwrap();
    let altered = |change: &dyn Fn()| {
        change();
        let said = law.holds(NOW).unwrap_err();
        assert!(said.what.contains("altered"), "{}", said.what);
        place.put(&text, &signature);
        law.holds(NOW).unwrap();
    };
    altered(&|| place.put(&format!("{text} "), &signature));
    altered(&|| place.put(&text, &format!("{signature}\n")));
    altered(&|| std::fs::remove_file(signature_of(&place.file())).unwrap());
    altered(&|| std::fs::remove_file(place.file()).unwrap());
    // One that appears where there was none alters the law too.
    std::fs::remove_file(place.file()).unwrap();
    std::fs::remove_file(signature_of(&place.file())).unwrap();
    let builtin = place.load().unwrap();
    builtin.holds(NOW).unwrap();
    place.put(&text, &signature);
    assert!(builtin.holds(NOW).is_err());
}

#[test]
fn minisign_itself_agrees_in_both_directions() {
    let found =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| d.join("minisign").is_file());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "minisign is not here");
        return;
    }
    let mut place = Place::new();
    place.sign(RULES);
    let minisign = |args: &[&str]| {
        std::process::Command::new("minisign").args(args).current_dir(place.folder.path()).output().unwrap()
    };
    std::fs::write(place.folder.path().join("a.pub"), place.key.public().encode()).unwrap();
    assert!(minisign(&["-Vm", "CONSTITUTION.yaml", "-p", "a.pub"]).status.success());
    std::fs::write(place.folder.path().join("a.key"), place.key.encode().unwrap()).unwrap();
    let sign = |comment: &[&str]| {
        std::fs::remove_file(signature_of(&place.file())).unwrap();
        let signed = minisign(&[&["-S", "-W", "-s", "a.key", "-m", "CONSTITUTION.yaml"], comment].concat());
        assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    };
    sign(&[]);
    place.fails(&["names no project", "project:NAME"]);
    sign(&["-t", &format!("timestamp:{} project:{PROJECT}", NOW.0 / 1000 + 7)]);
    assert_eq!(place.govern().signed, NOW.0 / 1000 + 7, "its own comment says when");
}

#[test]
fn what_was_signed_for_no_project_or_another_governs_nothing() {
    let mut place = Place::new();
    let (text, signature) = place.sign(RULES);
    place.put(&text, &place.key.sign(text.as_bytes(), "timestamp:1767225600 version:0").unwrap());
    place.fails(&["names no project", "meliora constitution sign"]);
    place.put(&text, &signature);
    place.load().unwrap();
    place.trust.project = Some(PROJECT.into());
    place.load().unwrap();
    place.trust.project = Some(PROJECT.replace('0', "9"));
    place.fails(&["signed for another project", "meliora constitution sign"]);
}
