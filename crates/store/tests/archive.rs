//! What every archive must do, asked alike of the one in memory and of those on SQLite and Postgres.
#![allow(clippy::unwrap_used)] // a test that meets an error shall fail

use meliora_domain::{
    Cost, Digest, Event, FileBody, Genome, GenomePath, Mark, MarkStatus, Recorded, Scorecard, Split, TaskId, Timestamp,
    VariantId,
};
use meliora_evolve::{Archive, ArchiveError, Draft, Snapshot};
use meliora_store::{GitArchive, MemoryArchive};
use proptest::prelude::*;

mod common;
use common::Database;

/// Asks every archive the same.
fn check(test: impl Fn(&dyn Archive)) {
    let dir = tempfile::tempdir().unwrap();
    test(&GitArchive::open(&dir.path().join("sqlite")).unwrap());
    test(&MemoryArchive::new());
    if let Some(database) = Database::fresh() {
        test(&GitArchive::open_on(&dir.path().join("postgres"), &database.address()).unwrap());
    }
}

fn replayed(archive: &dyn Archive, after: u64) -> Vec<Recorded> {
    let mut all = Vec::new();
    archive
        .replay(after, &mut |r| {
            all.push(r);
            true
        })
        .unwrap();
    all
}

fn genome(files: &[(&str, &[u8], bool)]) -> Genome {
    files.iter().map(|(p, b, x)| (GenomePath::new(p).unwrap(), FileBody::new(*b, *x))).collect()
}

fn draft<'a>(genome: &'a Genome, parents: &'a [VariantId], tag: &str) -> Draft<'a> {
    Draft { genome, parents, message: format!("{tag}\n\nA body."), date: Timestamp(1_700_000_000_123), tag: tag.into() }
}

fn warned(n: usize) -> Event {
    Event::Warned { message: format!("event {n}") }
}

#[test]
fn what_was_appended_is_replayed_in_order_and_from_any_place() {
    check(|archive| {
        assert_eq!(replayed(archive, 0), []);
        let mut all = archive.append(&[warned(1), warned(2)], Timestamp(5)).unwrap();
        all.extend(archive.append(&[Event::Interrupted], Timestamp(6)).unwrap());
        assert_eq!(archive.append(&[], Timestamp(7)).unwrap(), []);
        all.extend(archive.append(&[warned(4)], Timestamp(8)).unwrap());
        assert_eq!(all.iter().map(|r| r.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(all[0].prev, Digest::default());
        assert!(all.windows(2).all(|w| w[1].prev == w[0].hash));
        assert_eq!(replayed(archive, 0), all);
        assert_eq!(replayed(archive, 2), all[2..]);
        assert_eq!(replayed(archive, 4), []);
    });
}

#[test]
fn a_replay_stops_when_it_is_told_and_may_append_meanwhile() {
    check(|archive| {
        archive.append(&[warned(1), warned(2), warned(3)], Timestamp(5)).unwrap();
        let mut seen = 0;
        archive
            .replay(0, &mut |_| {
                archive.append(&[Event::RunContinued], Timestamp(6)).unwrap();
                seen += 1;
                seen < 2
            })
            .unwrap();
        assert_eq!(seen, 2);
        assert_eq!(replayed(archive, 0).len(), 5);
    });
}

#[test]
fn a_replay_from_behind_the_end_is_an_error() {
    check(|archive| {
        let error = archive.replay(1, &mut |_| true).unwrap_err();
        assert!(matches!(error, ArchiveError::Broken { seq: 1, .. }), "{error}");
    });
}

#[test]
fn an_event_that_could_not_be_read_back_is_refused_and_none_of_its_batch_is_written() {
    check(|archive| {
        let not_a_number = Event::Crowned { variant: VariantId([1; 20]), score: f64::NAN };
        let error = archive.append(&[warned(1), not_a_number], Timestamp(5)).unwrap_err();
        assert!(error.to_string().contains("'crowned' event is NaN"), "{error}");
        assert_eq!(replayed(archive, 0), []);
        assert_eq!(archive.append(&[warned(2)], Timestamp(5)).unwrap()[0].seq, 1);
    });
}

#[test]
fn the_newest_snapshot_that_fits_the_journal_is_the_one_that_is_given() {
    check(|archive| {
        assert_eq!(archive.snapshot().unwrap(), None);
        let all = archive.append(&(1..=5).map(warned).collect::<Vec<_>>(), Timestamp(5)).unwrap();
        let at = |i: usize, bytes: &[u8]| Snapshot { seq: all[i].seq, hash: all[i].hash, bytes: bytes.to_vec() };
        archive.keep_snapshot(&at(1, b"one")).unwrap();
        archive.keep_snapshot(&at(3, b"two")).unwrap();
        assert_eq!(archive.snapshot().unwrap(), Some(at(3, b"two")));
        archive.keep_snapshot(&Snapshot { seq: 5, hash: Digest([9; 32]), bytes: b"foreign".to_vec() }).unwrap();
        assert_eq!(archive.snapshot().unwrap(), Some(at(3, b"two")));
        archive.keep_snapshot(&at(4, b"three")).unwrap();
        assert_eq!(archive.snapshot().unwrap(), Some(at(4, b"three")));
    });
}

#[test]
fn a_stored_variant_is_loaded_byte_for_byte() {
    check(|archive| {
        let genome = genome(&[
            ("a.py", b"print()\n", false),
            ("a", b"", false),
            ("bin/run", &[0, 255, 13, 10], true),
            ("bin.d/x/y.txt", "räksmörgås\r\n".as_bytes(), false),
        ]);
        let id = archive.store(&draft(&genome, &[], "run-1/step-0")).unwrap();
        assert_eq!(archive.load(&id).unwrap(), genome);
        let empty = Genome::new();
        let id = archive.store(&draft(&empty, &[id], "run-1/step-1")).unwrap();
        assert_eq!(archive.load(&id).unwrap(), empty);
    });
}

#[test]
fn the_same_draft_is_the_same_variant_everywhere() {
    let ids = std::sync::Mutex::new(std::collections::BTreeSet::new());
    check(|archive| {
        let genome = genome(&[("src/a.py", b"1", false)]);
        let first = archive.store(&draft(&genome, &[], "t")).unwrap();
        assert_eq!(archive.store(&draft(&genome, &[], "t")).unwrap(), first);
        let child = archive.store(&draft(&genome, &[first], "u")).unwrap();
        assert_ne!(child, first);
        ids.lock().unwrap().extend([first, child]);
    });
    assert_eq!(ids.lock().unwrap().len(), 2);
}

#[test]
fn a_step_that_went_otherwise_the_second_time_is_stored_beside_the_first() {
    check(|archive| {
        let (one, two) = (genome(&[("a", b"1", false)]), genome(&[("a", b"2", false)]));
        let first = archive.store(&draft(&one, &[], "run-1/step-3")).unwrap();
        let second = archive.store(&draft(&two, &[], "run-1/step-3")).unwrap();
        assert_eq!((archive.load(&first).unwrap(), archive.load(&second).unwrap()), (one, two));
    });
}

#[test]
fn a_variant_is_found_by_the_beginning_of_its_id() {
    check(|archive| {
        let empty = Genome::new();
        let ids: Vec<VariantId> =
            (0..2000).map(|i| archive.store(&draft(&empty, &[], &format!("run-1/step-{i}"))).unwrap()).collect();
        for id in &ids[..20] {
            assert_eq!(archive.find(&id.to_string()).unwrap(), *id);
            assert_eq!(archive.find(&id.short().to_uppercase()).unwrap(), *id);
        }
        // Two thousand ids have pairs that share four digits (65,536 of them) with certainty for all that matters.
        let short = |id: &VariantId| id.to_string()[..4].to_owned();
        let mut count = std::collections::BTreeMap::new();
        ids.iter().for_each(|id| *count.entry(short(id)).or_insert(0) += 1);
        let twice = count.iter().find(|(_, n)| **n > 1).unwrap().0;
        assert!(matches!(archive.find(twice), Err(ArchiveError::AmbiguousVariant(_))));
        for id in ids.iter().filter(|id| count[&short(id)] == 1).take(20) {
            assert_eq!(archive.find(&short(id)).unwrap(), *id);
        }
    });
}

#[test]
fn what_is_no_variant_is_not_found() {
    check(|archive| {
        let one = genome(&[("a.py", b"1", false)]);
        archive.store(&draft(&one, &[], "t")).unwrap();
        let nobody = VariantId([7; 20]);
        let tree = VariantId(one.tree().0);
        for other in [nobody, tree] {
            assert!(matches!(archive.load(&other), Err(ArchiveError::NoVariant(_))));
            assert!(matches!(archive.find(&other.to_string()), Err(ArchiveError::NoVariant(_))));
            assert!(matches!(archive.point_champion(&other), Err(ArchiveError::NoVariant(_))));
            assert!(matches!(archive.store(&draft(&one, &[other], "u")), Err(ArchiveError::NoVariant(_))));
        }
        for bad in ["", "abc", "xyzw", "../../x", &"a".repeat(41)] {
            assert!(matches!(archive.find(bad), Err(ArchiveError::Failed { hint: Some(_), .. })), "{bad}");
        }
    });
}

fn events() -> impl Strategy<Value = Event> {
    let id = any::<[u8; 20]>().prop_map(VariantId);
    let number = || any::<f64>().prop_filter("JSON has no infinity", |x| x.is_finite());
    let mark = (any::<String>(), number(), any::<String>()).prop_map(|(task, score, detail)| Mark {
        task: TaskId(task),
        split: Split::Train,
        status: MarkStatus::Failed,
        score,
        detail,
    });
    let scorecard = (any::<[u8; 32]>(), proptest::collection::vec(mark, 0..4), number())
        .prop_map(|(e, marks, seconds)| Scorecard { evaluator: Digest(e), marks, seconds, ..Default::default() });
    prop_oneof![
        any::<String>().prop_map(|message| Event::Warned { message }),
        Just(Event::RunContinued),
        (any::<u32>(), any::<u64>())
            .prop_map(|(step, tokens)| Event::Reserved { step: step.into(), cost: Cost { tokens, ..Cost::ZERO } }),
        (id.clone(), number()).prop_map(|(variant, score)| Event::Crowned { variant, score }),
        (any::<u32>(), id, scorecard).prop_map(|(step, variant, scorecard)| Event::Examined {
            step: step.into(),
            variant,
            scorecard
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_events_in_any_batches_come_out_as_they_went_in(
        batches in proptest::collection::vec((proptest::collection::vec(events(), 0..6), 0u64..1 << 50), 0..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (disk, memory) = (GitArchive::open(&dir.path().join("a")).unwrap(), MemoryArchive::new());
        let database = Database::fresh();
        let postgres = || database.as_ref().map(|d| GitArchive::open_on(&dir.path().join("b"), &d.address()).unwrap());
        let server = postgres();
        let mut recorded = Vec::new();
        for (batch, at) in &batches {
            let lines = disk.append(batch, Timestamp(*at)).unwrap();
            prop_assert_eq!(&lines, &memory.append(batch, Timestamp(*at)).unwrap());
            if let Some(server) = &server {
                prop_assert_eq!(&lines, &server.append(batch, Timestamp(*at)).unwrap());
            }
            recorded.extend(lines);
        }
        let given: Vec<Event> = batches.into_iter().flat_map(|(batch, _)| batch).collect();
        prop_assert_eq!(recorded.iter().map(|r| r.event.clone()).collect::<Vec<_>>(), given);
        drop((disk, server));
        for archive in [Some(GitArchive::open(&dir.path().join("a")).unwrap()), postgres()].into_iter().flatten() {
            prop_assert_eq!(archive.verify().unwrap(), recorded.len() as u64);
            prop_assert_eq!(archive.tail_hash(), recorded.last().map(|r| r.hash).unwrap_or_default());
            prop_assert_eq!(&replayed(&archive, 0), &recorded);
        }
    }
}
