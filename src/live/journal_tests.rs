//! The journal: what is written is read, whatever happens to the files.

use std::path::Path;

use ingest::Protocol;
use value::{HOUR, Time};

use super::{Entry, Found, Head, Journal, Retention};

fn opened(dir: &Path) -> (Journal, Vec<String>) {
    let (journal, said, _) = met(dir, |_| false);
    (journal, said)
}

/// A journal, what it says, and what it hands over.
fn met(dir: &Path, skip: impl Fn(&Head) -> bool) -> (Journal, Vec<String>, Vec<Found>) {
    let mut found = Vec::new();
    let opened = Journal::open(dir, Retention::default(), skip, |one| found.push(one));
    let (journal, said) = opened.expect("the folder can be used");
    (journal, said.iter().map(ToString::to_string).collect(), found)
}

fn add(journal: &mut Journal, from: u64, count: u64) {
    let bodies: Vec<Vec<u8>> = (from..from + count).map(body).collect();
    let entries = (from..).zip(&bodies).map(|(at, body)| (time(at), Protocol::Alerts, body.as_slice()));
    assert_eq!(journal.append(entries).expect("the disk works"), from);
}

fn body(number: u64) -> Vec<u8> {
    format!("[{{\"labels\": {{\"alertname\": \"A{number}\"}}}}]").repeat(3).into_bytes()
}

fn time(number: u64) -> Time {
    Time(1_000 * i64::try_from(number).expect("small"))
}

fn numbers(journal: &Journal, from: u64) -> Vec<u64> {
    journal.reader(from, |_| false).map(|found| found.head().number).collect()
}

fn only_file(dir: &Path) -> std::path::PathBuf {
    let mut found: Vec<_> = std::fs::read_dir(dir).expect("a folder").map(|one| one.expect("an entry").path()).collect();
    found.retain(|path| path.extension().is_some_and(|ending| ending == "journal"));
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// A journal of four entries that is closed: its file, what is in it, and the bytes of one entry.
fn four(dir: &Path) -> (std::path::PathBuf, Vec<u8>, usize) {
    let (mut journal, _) = opened(dir);
    add(&mut journal, 1, 4);
    drop(journal);
    let path = only_file(dir);
    let whole = std::fs::read(&path).expect("readable");
    let each = whole.len() / 4;
    (path, whole, each)
}

#[test]
fn what_is_written_is_read_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut journal, said) = opened(dir.path());
    assert_eq!(said, Vec::<String>::new());
    add(&mut journal, 1, 3);
    add(&mut journal, 4, 1);
    drop(journal);
    let (journal, said, found) = met(dir.path(), |_| false);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(journal.next(), 5);
    let entry = |number| Entry { number, received: time(number), protocol: Protocol::Alerts, body: body(number) };
    let wanted: Vec<Found> = (1..5).map(|number| Found::Entry(entry(number))).collect();
    assert_eq!(found, wanted, "opening it hands them over");
    assert_eq!(journal.reader(0, |_| false).collect::<Vec<_>>(), wanted);
    assert_eq!(numbers(&journal, 3), [3, 4]);
}

#[test]
fn two_servers_do_not_share_a_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_journal, _) = opened(dir.path());
    let refused = Journal::open(dir.path(), Retention::default(), |_| false, |_| {}).expect_err("it is in use");
    assert!(refused.message.to_string().contains("another server"), "{}", refused.message);
}

/// Cut anywhere, as a crash leaves it: every entry that is whole is kept, and writing goes on.
#[test]
fn a_cut_end_costs_what_it_cuts() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, whole, each) = four(dir.path());
    for cut in 0..whole.len() {
        std::fs::write(&path, whole.get(..cut).expect("within")).expect("writable");
        let (mut journal, said) = opened(dir.path());
        let kept = u64::try_from(cut / each).expect("small");
        assert_eq!(numbers(&journal, 0), (1..=kept).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(said.is_empty(), cut % each == 0, "cut at {cut}: {said:?}");
        add(&mut journal, kept + 1, 1);
        assert_eq!(numbers(&journal, 0).len() as u64, kept + 1, "cut at {cut}");
    }
}

/// A byte that flips costs the entry that it is in, never another one, and is said.
#[test]
fn a_flipped_byte_costs_one_entry() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, whole, each) = four(dir.path());
    for at in 0..whole.len() {
        let mut broken = whole.clone();
        *broken.get_mut(at).expect("within") ^= 0x10;
        std::fs::write(&path, &broken).expect("writable");
        let (journal, said) = opened(dir.path());
        let hit = u64::try_from(at / each).expect("small") + 1;
        assert_eq!(numbers(&journal, 0), (1..=4).filter(|number| *number != hit).collect::<Vec<_>>(), "byte {at}");
        assert_eq!(said.len(), 1, "byte {at}: {said:?}");
        drop(journal);
        std::fs::write(&path, &whole).expect("writable");
    }
}

#[test]
fn whole_segments_are_forgotten_by_age_and_by_size() {
    let dir = tempfile::tempdir().expect("a folder");
    let retention = Retention { age: HOUR, bytes: 100 << 20 };
    let (mut journal, _) = Journal::open(dir.path(), retention, |_| false, |_| {}).expect("usable");
    let large = vec![b' '; 20 << 20];
    for number in 0..6 {
        let entries = std::iter::once((time(number), Protocol::Alerts, large.as_slice()));
        journal.append(entries).expect("the disk works");
    }
    // Two entries in each segment.
    journal.forget(time(6)).expect("removable");
    assert_eq!((numbers(&journal, 0), journal.dropped_young), (vec![3, 4, 5, 6], 1));
    journal.forget(time(6).plus(HOUR - 2_500)).expect("removable");
    assert_eq!((numbers(&journal, 0), journal.dropped_young), (vec![5, 6], 1));
    journal.forget(time(6).plus(100 * HOUR)).expect("removable");
    assert_eq!(numbers(&journal, 0), [5, 6], "the current segment stays");
}

/// A journal of two segments, the first one with five entries, the last one with two. The file of the first.
fn two_segments(dir: &Path) -> std::path::PathBuf {
    let (mut journal, _) = opened(dir);
    let large = vec![b' '; 7 << 20];
    for number in 1..=7 {
        let entries = std::iter::once((time(number), Protocol::Alerts, large.as_slice()));
        assert_eq!(journal.append(entries).expect("the disk works"), number);
    }
    dir.join(format!("{:020}.journal", 1))
}

/// What was passed, and what was handed over whole.
fn parted(found: &[Found]) -> (Vec<u64>, Vec<u64>) {
    let (whole, passed): (Vec<&Found>, Vec<&Found>) = found.iter().partition(|one| matches!(one, Found::Entry(_)));
    let numbers = |list: Vec<&Found>| list.iter().map(|one| one.head().number).collect();
    (numbers(passed), numbers(whole))
}

/// Of what nobody needs the body is not read, so damage in it changes nothing; where it hides what follows, it is found all the same.
#[test]
fn what_is_passed_is_not_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = two_segments(dir.path());
    let each = std::fs::metadata(&path).expect("it is there").len() / 5;
    let old = |head: &Head| head.number < 4;
    let whole = std::fs::read(&path).expect("readable");
    let flip = |at: u64| {
        let mut broken = whole.clone();
        *broken.get_mut(usize::try_from(at).expect("small")).expect("within") ^= 0x10;
        std::fs::write(&path, broken).expect("writable");
    };
    // Where a byte flips: what is passed and what is whole then, and whether it is said.
    for (at, passed, entries, said) in [
        (None, vec![1, 2, 3], vec![4, 5, 6, 7], false),
        // In a body that nobody reads, and in one that is read.
        (Some(each + 1_000), vec![1, 2, 3], vec![4, 5, 6, 7], false),
        (Some(3 * each + 1_000), vec![1, 2, 3], vec![5, 6, 7], true),
        // At the end of a segment that is not the last one nothing is cut off.
        (Some(5 * each - 1), vec![1, 2, 3], vec![4, 6, 7], true),
        // Mark, length and number of one that is passed.
        (Some(each), vec![1, 3], vec![4, 5, 6, 7], true),
        (Some(each + 4), vec![1, 3], vec![4, 5, 6, 7], true),
        (Some(each + 12), vec![1, 3], vec![4, 5, 6, 7], true),
    ] {
        at.map_or_else(|| std::fs::write(&path, &whole).expect("writable"), flip);
        let (journal, words, found) = met(dir.path(), old);
        assert_eq!((parted(&found), !words.is_empty()), ((passed, entries), said), "{at:?}: {words:?}");
        assert_eq!(journal.next(), 8);
    }
}
