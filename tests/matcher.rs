//! The matcher against the plain engine: random projects, estates and sequences of facts (out of order, repeated, late, ahead
//! of time, resolved before they fired, estates that change in the middle); after every step both must say the same, byte for
//! byte.
//!
//! `FAULTSCOPE_SEQUENCES=10000 cargo test --release --test matcher` runs more of them; `FAULTSCOPE_SEED=7` runs one. A sequence
//! that fails is made smaller, one part after the other, and printed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice, reason = "a test that fails may panic")]

#[path = "matcher/random.rs"]
mod random;
#[path = "matcher/world.rs"]
mod world;

use random::Case;

/// In CI; by hand at least 10,000.
const SEQUENCES: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn the_matcher_says_what_the_plain_engine_says() {
    if let Some(seed) = number("FAULTSCOPE_SEED") {
        return check(seed);
    }
    let first = number("FAULTSCOPE_FIRST").unwrap_or(0);
    let mut seen = world::Seen::default();
    for seed in first..first + number("FAULTSCOPE_SEQUENCES").unwrap_or(SEQUENCES) {
        let case = random::case(seed);
        match world::run(&case) {
            Ok(run) => seen.add(&run),
            Err(_) => check(seed),
        }
    }
    eprintln!("{seen:?}");
    // Sequences in which nothing happens would prove nothing.
    assert!(seen.started > 100 && seen.ended > 50 && seen.changed > 100 && seen.late > 100, "{seen:?}");
}

/// Runs one sequence; if it fails, looks for a smaller one that does.
fn check(seed: u64) {
    let mut case = random::case(seed);
    let Err(mut why) = world::run(&case) else { return };
    let mut smaller = true;
    while smaller {
        smaller = false;
        for shrunk in shrink(&case) {
            if let Err(other) = world::run(&shrunk) {
                (case, why, smaller) = (shrunk, other, true);
                break;
            }
        }
    }
    let why = world::run(&case).err().unwrap_or(why);
    panic!("seed {seed}: {why}\n{}", case.show());
}

/// The same case without one of its parts each.
fn shrink(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let half = case.steps.len() / 2;
    if half > 4 {
        all.push(Case { steps: case.steps[..half].to_vec(), ..case.clone() });
        all.push(Case { steps: case.steps[half..].to_vec(), ..case.clone() });
    }
    for at in (0..case.rules.len()).rev() {
        let mut one = case.clone();
        one.rules.remove(at);
        all.push(one);
    }
    for at in (0..case.steps.len()).rev() {
        let mut one = case.clone();
        one.steps.remove(at);
        all.push(one);
    }
    all
}
