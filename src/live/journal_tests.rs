//! The journal: what is written is read, whatever happens to the files.

use std::collections::BTreeMap;
use std::path::Path;

use ingest::Protocol;
use value::{HOUR, Time};

use super::{Entry, Found, Head, Journal, Retention, set_damage_aside};

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

/// What a start says of a damaged journal. It leaves everything as it is.
fn refused(dir: &Path) -> (String, String) {
    let before = files(dir);
    let refused = Journal::open(dir, Retention::default(), |_| false, |_| {}).expect_err("it is damaged");
    assert_eq!((refused.code, files(dir)), (diag::Code::JOURNAL_DAMAGED, before));
    (refused.message.to_string(), refused.help.as_ref().map(ToString::to_string).unwrap_or_default())
}

/// The files of a journal with what is in them.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let found = std::fs::read_dir(dir).expect("a folder").map(|one| one.expect("an entry").path());
    let named = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut files: BTreeMap<_, _> = found.map(|path| (named(&path), std::fs::read(&path).expect("readable"))).collect();
    files.remove("lock");
    files
}

/// What was set aside, by its place, and the numbers that are left. A second start has nothing to say.
fn accepted(data: &Path) -> (Vec<(String, Vec<u8>)>, Vec<u64>) {
    let dir = data.join("journal");
    let said = set_damage_aside(data).expect("there is room");
    let mut aside: Vec<(String, Vec<u8>)> = files(&dir).into_iter().filter(|(name, _)| name.ends_with(".damaged")).collect();
    assert_eq!(said.len(), aside.len(), "{said:?}");
    aside.iter_mut().for_each(|(name, _)| *name = name.trim_start_matches('0').trim_end_matches(".damaged").to_owned());
    let (journal, _) = opened(&dir);
    let left = numbers(&journal, 0);
    drop(journal);
    assert_eq!((set_damage_aside(data).expect("readable"), opened(&dir).1), (Vec::new(), Vec::new()));
    (aside, left)
}

/// A byte that flips, anywhere but in the last entry, stops the start with its place. Accepted, it costs the entry that it is in.
#[test]
fn a_flipped_byte_stops_the_start() {
    let data = tempfile::tempdir().expect("a folder");
    let dir = data.path().join("journal");
    let (path, whole, each) = four(&dir);
    for at in 0..whole.len() {
        let mut broken = whole.clone();
        *broken.get_mut(at).expect("within") ^= 0x10;
        std::fs::write(&path, &broken).expect("writable");
        let hit = at / each + 1;
        if hit == 4 {
            // It may as well be torn.
            let (journal, said) = opened(&dir);
            assert_eq!((numbers(&journal, 0), said.len()), (vec![1, 2, 3], 1), "byte {at}: {said:?}");
        } else {
            let (from, until) = ((hit - 1) * each, hit * each);
            let (message, help) = refused(&dir);
            let place = format!("is damaged from byte {from} to byte {until}: entry {hit} should begin there");
            assert!(message.contains(&*path.to_string_lossy()) && message.ends_with(&place), "byte {at}: {message}");
            assert!(help.starts_with(&format!("{} entries before it and {} behind it are whole", hit - 1, 4 - hit)), "{help}");
            assert!(help.contains("(1 damaged places in all)") && help.contains("--accept-damage"), "{help}");
            // Each accepted damage writes several files.
            if at % 23 == 0 {
                let (aside, left) = accepted(data.path());
                assert_eq!(aside, [(format!("1-{from}"), broken.get(from..until).expect("within").to_vec())], "byte {at}");
                assert_eq!(left, (1..=4).filter(|number| *number != hit as u64).collect::<Vec<_>>(), "byte {at}");
                std::fs::remove_file(dir.join(format!("{:020}-{from}.damaged", 1))).expect("removable");
            }
        }
        std::fs::write(&path, &whole).expect("writable");
    }
}

/// Damages the bytes of a segment.
type Breaks<'b> = Box<dyn Fn(&mut Vec<u8>) + 'b>;

/// What is damaged, the segment, how, from which byte and until which, what is left of the segment, and which entry should begin there.
type Case<'b> = (&'static str, u64, Breaks<'b>, usize, usize, &'static [u64], u64);

/// A journal of six entries in three segments: what is damaged, what the start says, what is set aside by segment and byte, and what is left.
#[test]
fn damage_is_found_wherever_it_is() {
    let one = tempfile::tempdir().expect("a folder");
    let (_, whole, each) = four(one.path());
    let (first, second) = (whole.get(..2 * each).expect("within"), whole.get(2 * each..).expect("within"));
    let third = {
        let other = tempfile::tempdir().expect("a folder");
        let (mut journal, _) = opened(other.path());
        add(&mut journal, 1, 6);
        drop(journal);
        std::fs::read(only_file(other.path())).expect("readable").split_off(4 * each)
    };
    let zeroed = |from: usize, until: usize| move |bytes: &mut Vec<u8>| bytes.get_mut(from..until).expect("within").fill(0);
    let flipped = |at: usize| move |bytes: &mut Vec<u8>| *bytes.get_mut(at).expect("within") ^= 0x10;
    let cases: [Case<'_>; 8] = [
        ("the length, too long", 3, Box::new(flipped(6)), 0, each, &[4], 3),
        ("the length, a little", 3, Box::new(flipped(4)), 0, each, &[4], 3),
        ("a body in the middle segment", 3, Box::new(flipped(each - 3)), 0, each, &[4], 3),
        ("its last entry", 3, Box::new(flipped(2 * each - 3)), each, 2 * each, &[3], 4),
        ("its end is cut", 3, Box::new(|bytes: &mut Vec<u8>| bytes.truncate(2 * each - 5)), each, 2 * each - 5, &[3], 4),
        ("zeros over two entries", 3, Box::new(zeroed(each - 5, each + 5)), 0, 2 * each, &[], 3),
        ("all of it is zeros", 1, Box::new(zeroed(0, 2 * each)), 0, 2 * each, &[], 1),
        ("the beginning of the last segment", 5, Box::new(zeroed(0, 20)), 0, each, &[6], 5),
    ];
    for (what, segment, breaks, from, until, left, expected) in cases {
        let data = tempfile::tempdir().expect("a folder");
        let dir = data.path().join("journal");
        std::fs::create_dir(&dir).expect("a folder");
        let mut broken = Vec::new();
        for (number, bytes) in [(1, first), (3, second), (5, third.as_slice())] {
            let mut bytes = bytes.to_vec();
            if number == segment {
                breaks(&mut bytes);
                broken.clone_from(&bytes);
            }
            std::fs::write(dir.join(format!("{number:020}.journal")), bytes).expect("writable");
        }
        let (message, _) = refused(&dir);
        let place = format!("{segment:020}.journal` is damaged from byte {from} to byte {until}: entry {expected} should begin there");
        assert!(message.ends_with(&place), "{what}: {message}");
        let (aside, numbers) = accepted(data.path());
        assert_eq!(aside, [(format!("{segment}-{from}"), broken.get(from..until).expect("within").to_vec())], "{what}");
        let others = (1..=6).filter(|number| !(segment..segment + 2).contains(number));
        let mut wanted: Vec<u64> = others.chain(left.iter().copied()).collect();
        wanted.sort_unstable();
        assert_eq!(numbers, wanted, "{what}");
    }
}

/// Damage and a torn end: the first is said and nothing is cut; once it is set aside, the next start cuts the end.
#[test]
fn a_torn_end_waits_for_the_damage_before_it() {
    let data = tempfile::tempdir().expect("a folder");
    let dir = data.path().join("journal");
    let (path, mut bytes, each) = four(&dir);
    *bytes.get_mut(each + 20).expect("within") ^= 0x10;
    bytes.truncate(4 * each - 1);
    std::fs::write(&path, &bytes).expect("writable");
    assert!(refused(&dir).1.starts_with("1 entries before it and 1 behind it are whole"));
    assert_eq!(set_damage_aside(data.path()).expect("there is room").len(), 1);
    // The same place again: nothing that is aside is written over.
    let (mut journal, said) = opened(&dir);
    assert!(said.len() == 1 && said.iter().all(|said| said.contains("an incomplete entry")), "{said:?}");
    add(&mut journal, 4, 1);
    drop(journal);
    let mut bytes = std::fs::read(&path).expect("readable");
    *bytes.get_mut(each + 20).expect("within") ^= 0x10;
    std::fs::write(&path, &bytes).expect("writable");
    assert_eq!(set_damage_aside(data.path()).expect("there is room").len(), 1);
    let aside: Vec<String> = files(&dir).into_keys().filter(|name| name.ends_with(".damaged")).collect();
    assert_eq!(aside, [format!("{:020}-{each}-2.damaged", 1), format!("{:020}-{each}.damaged", 1)]);
    assert_eq!(numbers(&opened(&dir).0, 0), [1, 4]);
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
    journal.forget(time(6), |_| false).expect("removable");
    assert_eq!((numbers(&journal, 0), journal.dropped_young), (vec![3, 4, 5, 6], 1));
    journal.forget(time(6).plus(HOUR - 2_500), |_| false).expect("removable");
    assert_eq!((numbers(&journal, 0), journal.dropped_young), (vec![5, 6], 1));
    journal.forget(time(6).plus(100 * HOUR), |_| false).expect("removable");
    assert_eq!(numbers(&journal, 0), [5, 6], "the current segment stays");
}

/// Scores stay when what they came with goes, until nobody needs them any more; also where they are too many.
#[test]
fn what_is_needed_for_longer_stays() {
    let dir = tempfile::tempdir().expect("a folder");
    let retention = Retention { age: HOUR, bytes: 90 << 20 };
    let is_score = |head: &Head| head.protocol == Protocol::Scores;
    let (mut journal, _) = Journal::open(dir.path(), retention, |_| false, |_| {}).expect("usable");
    let (large, small) = (vec![b' '; 33 << 20], body(1));
    // A score, and what fills its segment.
    for number in [1, 3, 5] {
        let entries = [(time(number), Protocol::Scores, small.as_slice()), (time(number + 1), Protocol::Alerts, large.as_slice())];
        assert_eq!(journal.append(entries.into_iter()).expect("the disk works"), number);
    }
    // Within the age, but too much together: the first segment keeps its score.
    journal.forget(time(6), is_score).expect("there is room");
    assert_eq!((numbers(&journal, 0), journal.dropped_young), (vec![1, 3, 4, 5, 6], 1));
    assert!(journal.bytes() < 67 << 20, "{}", journal.bytes());
    journal.forget(time(6).plus(2 * HOUR), is_score).expect("there is room");
    assert_eq!(numbers(&journal, 0), [1, 3, 5, 6], "the current segment stays");
    drop(journal);
    // A start finds nothing wrong with it, and goes on.
    let (_, said, found) = met(dir.path(), |_| false);
    assert_eq!((found.len(), said), (4, Vec::<String>::new()));
    let (mut journal, _) = Journal::open(dir.path(), retention, |_| false, |_| {}).expect("usable");
    assert_eq!(journal.next(), 7);
    journal.forget(time(6).plus(3 * HOUR), |head| is_score(head) && head.number > 1).expect("there is room");
    assert_eq!((numbers(&journal, 0), journal.dropped_young), (vec![3, 5, 6], 0));
    drop(journal);
    let few = Retention { age: HOUR, bytes: 1 };
    let (mut journal, _) = Journal::open(dir.path(), few, |_| false, |_| {}).expect("usable");
    journal.forget(time(6), is_score).expect("removable");
    assert_eq!(numbers(&journal, 0), [5, 6], "more than the journal may have");
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
    let data = tempfile::tempdir().expect("a folder");
    let dir = data.path().join("journal");
    let path = two_segments(&dir);
    let each = std::fs::metadata(&path).expect("it is there").len() / 5;
    let old = |head: &Head| head.number < 4;
    let whole = std::fs::read(&path).expect("readable");
    let flip = |at: u64| {
        let mut broken = whole.clone();
        *broken.get_mut(usize::try_from(at).expect("small")).expect("within") ^= 0x10;
        std::fs::write(&path, broken).expect("writable");
    };
    // In a body that nobody reads.
    for at in [None, Some(each + 1_000)] {
        at.into_iter().for_each(flip);
        let (journal, words, found) = met(&dir, old);
        assert_eq!((parted(&found), words), ((vec![1, 2, 3], vec![4, 5, 6, 7]), Vec::<String>::new()), "{at:?}");
        assert_eq!(journal.next(), 8);
    }
    // In a body that is read; at the end of a segment that is not the last one; mark, length and number of one that is passed.
    for (at, hit) in [(3 * each + 1_000, 4), (5 * each - 1, 5), (each, 2), (each + 4, 2), (each + 12, 2)] {
        flip(at);
        let refused = Journal::open(&dir, Retention::default(), old, |_| {}).expect_err("it is damaged");
        assert!(refused.message.to_string().ends_with(&format!("entry {hit} should begin there")), "{at}: {}", refused.message);
    }
    // What is set aside is all that is damaged, also what nobody would have read.
    flip(each + 1_000);
    assert_eq!(set_damage_aside(data.path()).expect("there is room").len(), 1);
    let (_, _, found) = met(&dir, old);
    assert_eq!(parted(&found), (vec![1, 3], vec![4, 5, 6, 7]));
}
