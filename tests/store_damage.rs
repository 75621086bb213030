//! A store in which bytes are other ones: it answers as before, or not at all.
//!
//! `FAULTSCOPE_FLIPS=10000 cargo test --test it store_damage::` flips more bytes; `FAULTSCOPE_SEED=7` flips others.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use estate::{DeclaredComponent, DeclaredGroup, DeclaredRelation, Written};
use indradb::QueryExt;
use store::{CaseRecord, Changeset, GIT, Health, Store, StoreError, check, component_vertex, salvage};

use crate::common::faultscope;

/// A folder of its own for each test.
fn fresh(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store_damage").join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

const ITEMS: usize = 40;
const ROUNDS: u64 = 6;
/// Of the store whose bytes are flipped one by one: small, and still with pages of every kind.
const FEW_ITEMS: usize = 16;
const FEW_ROUNDS: u64 = 4;
/// No flip waits for another.
const WORKERS: usize = 2;

fn component(at: usize, round: u64, origin: &str) -> DeclaredComponent {
    DeclaredComponent {
        id: format!("c{at}"),
        kind: "service".to_owned(),
        name: Some(format!("component {at}")),
        owner: (origin == GIT).then(|| format!("owner of round {round}")),
        environment: None,
        tier: None,
        attributes: [
            ("round".to_owned(), Written::Base(f64::from(u32::try_from(round).unwrap()))),
            ("text".to_owned(), Written::Text("x".repeat(50))),
        ]
        .into(),
        origin: origin.to_owned(),
        ..DeclaredComponent::default()
    }
}

fn round_of(round: u64) -> Changeset {
    round_with(ITEMS, round)
}

fn round_with(items: usize, round: u64) -> Changeset {
    let relation = |at: usize| DeclaredRelation {
        from: format!("c{at}"),
        kind: "calls".to_owned(),
        to: format!("c{}", (at + 1) % items),
        origin: GIT.to_owned(),
        ..DeclaredRelation::default()
    };
    let group = DeclaredGroup {
        id: "g".to_owned(),
        members: vec!["c1".to_owned(), "c2".to_owned()],
        need: round,
        origin: GIT.to_owned(),
        places: None,
    };
    let case = CaseRecord {
        id: "HIS-1".to_owned(),
        title: format!("round {round}"),
        date: None,
        root_cause: None,
        components: vec!["c3".to_owned()],
        rule: None,
        origin: GIT.to_owned(),
    };
    Changeset {
        put_components: (0..items).map(|at| component(at, round, GIT)).collect(),
        put_relations: (0..items).map(relation).collect(),
        put_groups: vec![group],
        put_cases: vec![case],
        ..Changeset::default()
    }
}

/// A closed store with several revisions and origins.
fn filled(path: &Path) {
    filled_with(path, ITEMS, ROUNDS);
}

fn filled_with(path: &Path, items: usize, rounds: u64) {
    let store = Store::open(path).unwrap();
    for round in 1..rounds {
        store.apply(&round_with(items, round), "test", &format!("round {round}"), GIT, 1000).unwrap().unwrap();
    }
    let import = Changeset { put_components: (0..items + 5).map(|at| component(at, 0, "import:csv")).collect(), ..Changeset::default() };
    store.apply(&import, "test", "", "import:csv", 2000).unwrap().unwrap();
}

/// Everything that one can ask a store, in words.
fn answer(store: &Store) -> Result<String, String> {
    let (history, graph) = (history(store).map_err(|error| error.to_string())?, graph(store)?);
    Ok(format!("{history}{graph}"))
}

fn history(store: &Store) -> Result<String, StoreError> {
    let mut said = format!("{:?}\n{:?}\n", store.log(usize::MAX)?, store.conflicts()?);
    for revision in 0..=store.revision()? {
        said.push_str(&format!("{:?}\n{:?}\n", store.records(Some(revision))?, store.changes_of(revision)?));
        said.push_str(&format!("{:?}\n", store.diff(revision, 1)?));
    }
    said.push_str(&format!("{:?}\n{:?}\n", store.layer(GIT)?, store.layer("import:csv")?));
    Ok(said)
}

fn graph(store: &Store) -> Result<String, String> {
    let graph = store.graph();
    let queries: [indradb::Query; 4] = [
        indradb::AllEdgeQuery.properties().unwrap().into(),
        indradb::AllVertexQuery.properties().unwrap().into(),
        indradb::AllVertexQuery.into(),
        indradb::SpecificVertexQuery::single(component_vertex("c3")).inbound().unwrap().into(),
    ];
    let mut said = String::new();
    for query in queries {
        let found = graph.get(query).map_err(|error| error.to_string())?;
        said.push_str(&format!("{found:?}\n"));
    }
    Ok(said)
}

/// What reading the file says, and that it changes nothing there. A panic is a failure of the test.
fn read(path: &Path) -> Result<String, String> {
    let before = fs::read(path).unwrap();
    let said = Store::open_to_read(path).map_err(|error| error.to_string()).and_then(|store| answer(&store));
    assert!(fs::read(path).unwrap() == before, "reading changed the file");
    said
}

/// Numbers that look random, the same in every run.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Places in pages that have something in them.
fn used(bytes: &[u8]) -> Vec<usize> {
    let pages = bytes.chunks(512).enumerate().filter(|(_, page)| page.iter().any(|byte| *byte != 0));
    pages.flat_map(|(at, page)| at * 512..at * 512 + page.len()).collect()
}

#[test]
fn flipped_bytes_are_never_answered() {
    let dir = fresh("flips");
    let path = dir.join("estate.redb");
    filled_with(&path, FEW_ITEMS, FEW_ROUNDS);
    let whole = fs::read(&path).unwrap();
    let expected = read(&path).unwrap();
    assert!(check(&path).unwrap().is_whole());
    let used = used(&whole);
    let mut state = number("FAULTSCOPE_SEED").unwrap_or(1);
    let mut flip = || (used[next(&mut state) % used.len()], u8::try_from(1 + next(&mut state) % 255).unwrap());
    let flips: Vec<(usize, u8)> = (0..number("FAULTSCOPE_FLIPS").unwrap_or(1000)).map(|_| flip()).collect();
    let work = |worker: usize, flips: &[(usize, u8)]| {
        let path = dir.join(format!("{worker}.redb"));
        let mut refused = 0;
        for (flip, &(at, by)) in flips.iter().enumerate() {
            let mut bytes = whole.clone();
            bytes[at] ^= by;
            fs::write(&path, &bytes).unwrap();
            let tried = catch_unwind(|| one_flip(&path, &expected, flip.is_multiple_of(4)));
            refused += usize::from(tried.unwrap_or_else(|_| panic!("byte {at} xor {by}")));
        }
        refused
    };
    let work = &work;
    let refused: usize = thread::scope(|scope| {
        let parts = flips.chunks(flips.len().div_ceil(WORKERS).max(1)).enumerate();
        let workers: Vec<_> = parts.map(|(worker, part)| scope.spawn(move || work(worker, part))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert!(refused > 0, "no flip was in a place that is read");
}

/// Whether the damage was noticed; if not, nothing is another answer.
fn one_flip(path: &Path, expected: &str, thoroughly: bool) -> bool {
    let said = read(path);
    match &said {
        Ok(said) => assert!(said == expected, "another answer"),
        Err(_) => assert!(!check(path).is_ok_and(|health| health.is_whole()), "damage that the check does not find: {said:?}"),
    }
    if thoroughly {
        saved(path, expected);
    }
    // Last, because it writes. What is whole is as it was; what is not is never called so.
    let same = round_with(FEW_ITEMS, FEW_ROUNDS - 1);
    let applied = Store::open(path).and_then(|store| store.apply(&same, "test", "", GIT, 3000));
    if let Ok(audit) = applied {
        assert_eq!(audit, None);
        assert!(said.is_ok(), "nothing changed over damage: {said:?}");
    }
    said.is_err()
}

fn saved(path: &Path, expected: &str) {
    let to = path.with_extension("saved");
    let _ = fs::remove_file(&to);
    let Ok(saved) = salvage(path, &to) else { return };
    let again = read(&to);
    if saved.is_all() {
        assert!(again.as_ref().is_ok_and(|again| again == expected), "all was saved, and it is another answer: {saved:?}");
    }
    // Whatever was lost, what is there can be used, and it knows what it lost.
    let store = Store::open(&to).unwrap();
    store.records(None).unwrap();
    for revision in 0..=store.revision().unwrap() {
        known_or_refused(&store, revision, expected);
    }
    store.apply(&round_of(99), "test", "", GIT, 3000).unwrap().unwrap();
    for revision in 1..=store.revision().unwrap() {
        if revision < store.revision().unwrap() {
            known_or_refused(&store, revision, expected);
        }
        assert_eq!(store.changes_of(revision).is_err(), saved.lost_revisions.contains(&revision), "revision {revision}: {saved:?}");
    }
}

/// The estate as it was before the damage, or an error: never what is left of it.
fn known_or_refused(store: &Store, revision: u64, expected: &str) {
    if let Ok(records) = store.records(Some(revision)) {
        assert!(expected.contains(&format!("{records:?}\n")), "another estate at revision {revision}");
    }
}

/// What is left is no history, whatever is applied to it and however often it is salvaged.
#[test]
fn what_was_lost_is_no_history() {
    let dir = fresh("lost");
    let (path, to, again) = (dir.join("estate.redb"), dir.join("new.redb"), dir.join("again.redb"));
    filled(&path);
    let (expected, newest) = (read(&path).unwrap(), ROUNDS);
    // Only the last revision has this component: its declaration and its change are lost.
    let mut bytes = fs::read(&path).unwrap();
    flip_all(&mut bytes, "component 44");
    fs::write(&path, &bytes).unwrap();
    let saved = salvage(&path, &to).unwrap();
    assert!(saved.lost_declarations.is_some_and(|lost| lost > 0) && saved.lost_revisions.contains(&newest), "{saved:?}");
    let marked = |path: &Path| {
        let log = Store::open_to_read(path).unwrap().log(usize::MAX).unwrap();
        log.iter().filter(|audit| !audit.is_whole()).map(|audit| audit.revision).max()
    };
    assert_eq!(marked(&to), Some(newest));
    assert!(check(&to).unwrap().lost_revisions.contains(&newest));

    let shown = to.to_str().unwrap();
    let (code, _, error) = faultscope(&["estate", "show", "--store", shown]);
    assert!(code == 0 && error.starts_with("warning: revision 6 is not whole: "), "{error}");
    let store = Store::open(&to).unwrap();
    assert!(matches!(store.records(Some(newest)), Err(StoreError::Refused(_))));
    store.apply(&round_of(99), "test", "", GIT, 3000).unwrap().unwrap();
    drop(store);
    salvage(&to, &again).unwrap();
    for path in [&to, &again] {
        let store = Store::open_to_read(path).unwrap();
        assert_eq!(store.revision().unwrap(), newest + 1);
        assert!(matches!(store.records(Some(newest)), Err(StoreError::Refused(_))));
        assert!(matches!(store.diff(newest, newest + 1), Err(StoreError::Refused(_))));
        assert_eq!(store.records(Some(newest + 1)).unwrap(), store.records(None).unwrap());
        (0..newest).for_each(|revision| known_or_refused(&store, revision, &expected));
        drop(store);
        assert_eq!(marked(path), Some(newest));
        let shown = path.to_str().unwrap();
        let (code, out, error) = faultscope(&["estate", "log", "--store", shown]);
        assert!(code == 0 && out.contains(" removed, not whole"), "{out}{error}");
        let (code, _, error) = faultscope(&["estate", "show", "--store", shown, "--as-of", "6"]);
        assert!(code == 2 && error.contains("revision 6 is not whole: a part of it was lost"), "{error}");
        let (_, _, error) = faultscope(&["estate", "show", "--store", shown]);
        assert_eq!(error, "");
    }
}

/// Of a file that was cut, what is left is saved, or it is said that nothing can be.
#[test]
fn cut_stores_are_saved_or_given_up() {
    let dir = fresh("cuts");
    let (path, crashed) = (dir.join("estate.redb"), dir.join("crashed.redb"));
    filled(&path);
    let expected = read(&path).unwrap();
    let store = Store::open(&path).unwrap();
    fs::copy(&path, &crashed).unwrap();
    drop(store);
    for path in [path, crashed] {
        let whole = fs::read(&path).unwrap();
        let (mut some, mut none) = (0, 0);
        let lengths = (0..=24).map(|at| whole.len() / 24 * at);
        let odd = [10, 16, 20, 344, 1000, 3000, 4096, 4097, 8200, whole.len() - 4104, whole.len() - 4096, whole.len() - 1];
        for length in lengths.chain(odd).filter(|length| (1..whole.len()).contains(length)) {
            fs::write(&path, &whole[..length]).unwrap();
            let saved = catch_unwind(|| one_cut(&path, &expected)).unwrap_or_else(|_| panic!("cut to {length} of {}", whole.len()));
            if saved { some += 1 } else { none += 1 }
        }
        assert!(some > 0 && none > 0, "{some} cuts saved, {none} not");
    }
}

/// Whether anything was saved.
fn one_cut(path: &Path, expected: &str) -> bool {
    // A crashed one is as long as its pages go, if they are all there.
    if let Ok(said) = read(path) {
        assert!(said == expected, "another answer");
        return true;
    }
    let health = check(path).unwrap();
    assert!(!health.is_whole());
    let to = path.with_extension("saved");
    let _ = fs::remove_file(&to);
    match salvage(path, &to) {
        Ok(_) => saved(path, expected),
        Err(error) => {
            assert!(matches!(error, StoreError::Lost { .. }), "{error}");
            assert!(!to.exists(), "nothing was saved, and there is a new store");
        }
    }
    assert_eq!(health.can_be_saved, to.exists(), "{health:?}");
    health.can_be_saved
}

/// A store of which both copies of the head are gone is none that can be opened, and no other file either.
#[test]
fn a_store_without_its_head_is_known_as_one() {
    let dir = fresh("headless");
    let (path, to) = (dir.join("estate.redb"), dir.join("new.redb"));
    filled(&path);
    let whole = fs::read(&path).unwrap();
    // The head, and blocks behind it, up to where one with contents is left.
    let lengths = [4096, 4096 + 4104, 4096 + 2 * 4104 + 100];
    for length in lengths {
        let mut bytes = whole.clone();
        bytes[..length].fill(0);
        fs::write(&path, &bytes).unwrap();
        for error in [Store::open(&path).unwrap_err(), Store::open_to_read(&path).unwrap_err()] {
            assert!(matches!(error, StoreError::Damaged { .. }) && error.to_string().contains("the head of the file is gone"), "{error}");
        }
        assert!(!check(&path).unwrap().can_be_saved);
        assert!(matches!(salvage(&path, &to), Err(StoreError::Lost { .. })) && !to.exists());
        assert!(fs::read(&path).unwrap() == bytes, "the file was touched");
    }
    let (code, out, _) = faultscope(&["estate", "check", "--store", path.to_str().unwrap()]);
    assert!(code == 1 && out.contains("unless there is a copy") && out.contains("`faultscope estate apply DIR --store NEW`"), "{out}");
    // Others are what they were, whatever their length.
    fs::write(&path, vec![7u8; whole.len()]).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::NotAStore { .. })));
    assert!(matches!(check(&path), Err(StoreError::NotAStore { .. })));
}

/// Every message leads on: what to type is in it, with the store.
#[test]
fn cut_stores_lead_out() {
    let dir = fresh("cut commands");
    let (path, to) = (dir.join("estate.redb"), dir.join("new.redb"));
    filled(&path);
    let (store, new) = (path.to_str().unwrap(), to.to_str().unwrap());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 4096]).unwrap();
    let (code, _, error) = faultscope(&["estate", "log", "--store", store]);
    assert_eq!(code, 2, "{error}");
    let next = format!("the file is truncated; `faultscope estate check --store '{store}'` lists what is whole, ");
    assert!(error.contains(&next) && error.contains(&format!("`faultscope estate salvage --store '{store}' --to NEW`")), "{error}");
    let (code, out, _) = faultscope(&["estate", "check", "--store", store]);
    assert!(code == 1 && out.contains("damaged: the file is truncated\n") && out.contains(" salvage --store '"), "{out}");
    let (_, out, error) = faultscope(&["estate", "salvage", "--store", store, "--to", new]);
    assert_eq!(error, "", "{out}");
    assert!(out.ends_with(&format!("to use the new store: `mv '{store}' '{store}.old' && mv '{new}' '{store}'`\n")), "{out}");
    let (code, _, error) = faultscope(&["estate", "log", "--store", new]);
    assert_eq!((code, error.as_str()), (0, ""));

    fs::write(&path, &whole[..3000]).unwrap();
    let (code, out, _) = faultscope(&["estate", "check", "--store", store]);
    assert!(code == 1 && out.contains("nothing can be saved of the store") && !out.contains("salvage"), "{out}");
    let again = dir.join("again.redb");
    let (code, _, error) = faultscope(&["estate", "salvage", "--store", store, "--to", again.to_str().unwrap()]);
    assert!(code == 2 && error.contains("`faultscope estate apply DIR --store NEW`"), "{error}");
    assert!(!again.exists());
}

/// A writer that crashed leaves a file that is read as well, and not repaired by who only reads.
#[test]
fn a_crashed_store_is_read_and_not_changed() {
    let dir = fresh("crashed");
    let (path, copy) = (dir.join("estate.redb"), dir.join("copy.redb"));
    filled(&path);
    let expected = read(&path).unwrap();
    let store = Store::open(&path).unwrap();
    fs::copy(&path, &copy).unwrap();
    drop(store);
    assert_eq!(read(&copy).unwrap(), expected);
    assert!(check(&copy).unwrap().is_whole());
    assert!(salvage(&copy, &dir.join("new.redb")).unwrap().is_all());
    assert_eq!(read(&dir.join("new.redb")).unwrap(), expected);
}

#[test]
fn many_may_read_and_none_of_them_writes() {
    let path = fresh("readers").join("estate.redb");
    filled(&path);
    let (one, other) = (Store::open_to_read(&path).unwrap(), Store::open_to_read(&path).unwrap());
    assert_eq!(one.revision().unwrap(), other.revision().unwrap());
    assert_eq!(Store::open(&path).unwrap_err(), StoreError::Busy);
    assert!(matches!(one.apply(&round_of(9), "test", "", GIT, 0), Err(StoreError::Refused(_))));
    assert!(one.graph().create_vertex_from_type(indradb::Identifier::new("t").unwrap()).is_err());
    drop((one, other));
    let store = Store::open(&path).unwrap();
    assert_eq!(Store::open_to_read(&path).unwrap_err(), StoreError::Busy);
    drop(store);
}

/// Another letter wherever this text is in the file: pages that are no longer used have it, too.
fn flip_all(bytes: &mut [u8], text: &str) {
    let found = bytes.windows(text.len()).enumerate().filter(|(_, window)| *window == text.as_bytes());
    let places: Vec<usize> = found.map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + 4] ^= 1;
    }
}

#[test]
fn commands_say_what_is_whole_and_save_it() {
    let dir = fresh("commands");
    let (path, to) = (dir.join("estate.redb"), dir.join("new.redb"));
    filled(&path);
    let (store, new) = (path.to_str().unwrap(), to.to_str().unwrap());
    let (code, out, error) = faultscope(&["estate", "check", "--store", store]);
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    assert!(out.contains("the declarations of the origins: whole, ") && out.ends_with("revisions: all 6 whole\n"), "{out}");

    // The reason of the third revision, and what it changed.
    let mut bytes = fs::read(&path).unwrap();
    flip_all(&mut bytes, "\"round 3\"");
    fs::write(&path, &bytes).unwrap();
    let (code, out, _) = faultscope(&["estate", "check", "--store", store]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains(": damaged: block ") && out.contains("`faultscope estate salvage --store "), "{out}");
    let (code, out, _) = faultscope(&["estate", "check", "--store", store, "--format", "json"]);
    assert_eq!((code, out.contains("\"damage\": \"block ")), (1, true), "{out}");
    let (code, out, error) = faultscope(&["estate", "salvage", "--store", store, "--to", new]);
    assert_eq!((code, error.as_str()), (1, ""), "{out}");
    assert!(out.starts_with("copied ") && out.contains(" declarations\n"), "{out}");
    let (code, out, error) = faultscope(&["estate", "show", "--store", new]);
    // How many revisions there were is gone too, so the last of those that are left is not known to be the present one.
    assert!(code == 0 && error.starts_with("warning: revision 3 is not whole"), "{error}");
    // Blocks hold several revisions, so others may be lost with the third; the estate as it is must not be.
    assert!(out.contains(": 45 components, 40 relations, 1 group, 1 case\n"), "{out}");
    let (code, _, error) = faultscope(&["estate", "salvage", "--store", store, "--to", new]);
    assert!(code == 2 && error.contains("exists and was not overwritten"), "{error}");
    let found: Health = check(&to).unwrap();
    assert!(found.parts.iter().all(|part| part.damage.is_none()), "{found:?}");
}
