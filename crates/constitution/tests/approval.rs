//! What needs a person waits for exactly that person's word on exactly that.
#![allow(clippy::unwrap_used, reason = "tests")]

use meliora_constitution::key::SecretKey;
use meliora_constitution::word::{Terms, give};
use meliora_constitution::{Constitution, Reach, Ruling, Subject, seal};
use meliora_domain::{
    Change, Digest, Edit, FileBody, Genome, GenomePath, Operation, Request, Timestamp, VariantId, Word,
};

const ASKS: &str = "\
immutable_constraints:
  - \"Never modify this constitution file\"
autonomous_operations:
  code_modifications:
    scope: \"agent workspace\"
    requires: [\"tests_pass\", \"approval\"]
";

fn law(text: &str) -> Constitution {
    let reach = Reach { editable: vec!["**".into()], protected: vec![], max_bytes: 1 << 20 };
    Constitution::from_text(&seal(text), reach).unwrap()
}

fn parent() -> Genome {
    Genome::new().with(GenomePath::new("a.py").unwrap(), FileBody::new(*b"x = 1\n", false))
}

fn change(content: &str) -> Change {
    Change { edits: vec![Edit::Write { path: "a.py".into(), content: content.into() }] }
}

fn review(law: &Constitution, variant: u8, content: &str, words: &[Word], now: u64) -> Ruling {
    let (parent, change) = (parent(), change(content));
    let variant = VariantId([variant; 20]);
    law.review(Subject::Proposal { variant, parent: &parent, change: &change }, words, Timestamp(now))
}

fn request(ruling: Ruling) -> Request {
    match ruling {
        Ruling::NeedsApproval(request) => *request,
        other => panic!("{other:?}"),
    }
}

fn yes(key: &SecretKey, law: &Constitution, request: Digest) -> Word {
    let terms = Terms {
        request,
        constitution: law.digest(),
        granted: true,
        nonce: Digest([7; 32]),
        expires: Timestamp(100),
        reason: String::new(),
    };
    give(terms, key).unwrap()
}

#[test]
fn a_lawful_change_waits_where_the_constitution_requires_approval_and_says_what_it_is() {
    let asked = request(review(&law(ASKS), 1, "x = 2\n", &[], 0));
    assert_eq!(asked.operation, Operation::Change { parent: VariantId([1; 20]), change: change("x = 2\n") });
    assert_eq!(asked.id, asked.operation.digest());
    assert!(asked.reason.contains("code_modifications") && asked.reason.contains("a.py"), "{}", asked.reason);
    // What is forbidden is refused, and nobody is asked.
    assert!(matches!(review(&law(ASKS), 1, "x = 1\n", &[], 0), Ruling::Refused(_)));
    // Without the requirement, nobody is asked either.
    assert!(matches!(review(&law(&ASKS.replace(", \"approval\"", "")), 1, "x = 2\n", &[], 0), Ruling::Lawful(_)));
}

#[test]
fn a_yes_lets_through_exactly_what_it_is_on_and_only_in_its_time_and_from_its_key() {
    let key = SecretKey::generate().unwrap();
    let law_of = |text: &str| law(text).under(vec![key.public()]);
    let law = law_of(ASKS);
    let asked = request(review(&law, 1, "x = 2\n", &[], 0));
    let word = yes(&key, &law, asked.id);
    let words = [word.clone()];
    assert!(matches!(review(&law, 1, "x = 2\n", &words, 99), Ruling::Lawful(_)));
    // Another change, another parent, later, a no, another law, another key, no key: it waits on.
    request(review(&law, 1, "x = 3\n", &words, 99));
    request(review(&law, 2, "x = 2\n", &words, 99));
    request(review(&law, 1, "x = 2\n", &words, 100));
    request(review(&law, 1, "x = 2\n", &[Word { granted: false, ..word.clone() }], 99));
    let stricter = law_of(&ASKS.replace(
        "Never modify this constitution file\"",
        "Never modify this constitution file\"\n  - \"Always sandbox code execution\"",
    ));
    request(review(&stricter, 1, "x = 2\n", &words, 99));
    let stranger = SecretKey::generate().unwrap();
    request(review(&law, 1, "x = 2\n", &[yes(&stranger, &law, asked.id)], 99));
    let nobody = self::law(ASKS);
    request(review(&nobody, 1, "x = 2\n", &words, 99));
}
