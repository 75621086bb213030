//! Changes of a few items, and what an overlay costs questions. Needs no data: the estate is generated, a million components in layers.

use std::hint::black_box;

use estate::{ComponentId, Declared, DeclaredComponent, DeclaredRelation, Removed, Snapshot, State, base_model, build_declared};

use super::measure::{Watch, percentile};

/// From what users touch down to the hardware; each depends on the next.
const LAYERS: [&str; 5] = ["load_balancer", "service", "database", "virtual_machine", "host"];
/// Shares of the layers, in percent.
const SHARES: [usize; 5] = [5, 40, 25, 20, 10];
/// How many items a change has.
const ITEMS: usize = 10;
const QUESTIONS: usize = 500;

/// Xorshift: the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

fn name(layer: usize, at: usize) -> String {
    format!("{}-{at:07}", LAYERS[layer])
}

fn component(layer: usize, id: String) -> DeclaredComponent {
    DeclaredComponent { id, kind: LAYERS[layer].to_owned(), ..DeclaredComponent::default() }
}

fn depends(from: &str, to: String) -> DeclaredRelation {
    DeclaredRelation { from: from.to_owned(), kind: "depends_on".to_owned(), to, ..DeclaredRelation::default() }
}

fn generated(sizes: [usize; 5], random: &mut Random) -> Declared {
    let mut declared = Declared::default();
    for (layer, size) in sizes.into_iter().enumerate() {
        for at in 0..size {
            let id = name(layer, at);
            if layer + 1 < LAYERS.len() {
                declared.relations.extend((0..4).map(|_| depends(&id, name(layer + 1, random.below(sizes[layer + 1])))));
            }
            declared.components.push(component(layer, id));
        }
    }
    declared
}

/// A tenth each: a component is removed, another changes its tier; the rest is new, with three relations each.
fn change(sizes: [usize; 5], random: &mut Random, items: usize, turn: usize) -> (Declared, Removed) {
    let (mut declared, mut removed) = (Declared::default(), Removed::default());
    for item in 0..items {
        let layer = 1 + random.below(3);
        let old = name(layer, random.below(sizes[layer]));
        match item % 10 {
            0 => removed.components.push(old),
            1 => declared.components.push(DeclaredComponent { extends: true, tier: Some("core".to_owned()), ..component(layer, old) }),
            _ => {
                let id = format!("{old}-{turn}-{item}");
                declared.relations.extend((0..3).map(|_| depends(&id, name(layer + 1, random.below(sizes[layer + 1])))));
                declared.components.push(component(layer, id));
            }
        }
    }
    (declared, removed)
}

/// Ten-item changes, each on what the last left behind.
fn changes(title: &str, estate: &Snapshot, sizes: [usize; 5], random: &mut Random) {
    let mut times = Vec::new();
    let mut estate = estate.clone();
    for turn in 0..100 {
        let (declared, removed) = change(sizes, random, ITEMS, 1_000_000 + turn);
        let watch = Watch::start();
        let next = estate.with(&declared, &removed).0;
        times.push(watch.microseconds() / 1e3);
        estate = next;
    }
    println!(
        "{title:44} {ITEMS} items: median {:.2} ms, 99% {:.2} ms, worst {:.2} ms",
        percentile(&mut times, 0.5),
        percentile(&mut times, 0.99),
        percentile(&mut times, 1.0)
    );
}

/// The same questions to both, in turns; each time the median of nine. The answers must add up to the same.
fn compare<Q>(title: &str, plain: (&Snapshot, &[Q]), overlaid: (&Snapshot, &[Q]), ask: impl Fn(&Snapshot, &Q) -> usize) {
    let round = |(estate, questions): (&Snapshot, &[Q])| {
        let watch = Watch::start();
        let sum: usize = questions.iter().map(|question| black_box(ask(estate, question))).sum();
        (watch.microseconds() / 1e3, sum)
    };
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let (one, other) = (round(plain), round(overlaid));
        assert_eq!(one.1, other.1, "{title}");
        before.push(one.0);
        after.push(other.0);
    }
    let (before, after) = (percentile(&mut before, 0.5), percentile(&mut after, 0.5));
    println!("{title:32} folded {before:>10.2} ms   with overlay {after:>10.2} ms   {:.2} times", after / before);
}

pub fn run(size: usize) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let sizes = SHARES.map(|share| (size * share / 100).max(1));
    let watch = Watch::start();
    let base = build_declared(base_model(), generated(sizes, &mut random)).0;
    println!("{} components, {} relations: built in {:.2} s", base.len(), base.relations().count(), watch.microseconds() / 1e6);
    changes("on the base alone,", &base, sizes, &mut random);

    let mut estate = base.clone();
    let mut turn = 0;
    while estate.overlaid() * 100 < size {
        let (declared, removed) = change(sizes, &mut random, 500, turn);
        estate = estate.with(&declared, &removed).0;
        turn += 1;
    }
    changes(&format!("with an overlay of {},", estate.overlaid()), &estate, sizes, &mut random);
    let watch = Watch::start();
    let folded = estate.folded();
    println!("folded in {:.2} s; worth it: {}", watch.microseconds() / 1e6, estate.is_worth_folding());

    let ids: Vec<String> = (0..QUESTIONS)
        .filter_map(|_| {
            let layer = 2 + random.below(3);
            let id = name(layer, random.below(sizes[layer]));
            folded.find(&id).map(|_| id)
        })
        .collect();
    let of = |estate: &Snapshot| -> Vec<ComponentId> { ids.iter().map(|id| estate.find(id).unwrap()).collect() };
    let (plain, overlaid) = (of(&folded), of(&estate));
    let pairs = |all: &[ComponentId]| -> Vec<(ComponentId, ComponentId)> { all.windows(2).map(|pair| (pair[0], pair[1])).collect() };
    let (plain_pairs, overlaid_pairs) = (pairs(&plain), pairs(&overlaid));
    let both = ((&folded, plain.as_slice()), (&estate, overlaid.as_slice()));
    compare("dependents", both.0, both.1, |estate, at| estate.dependents(*at, &[], None).len());
    compare("dependents, depth 3", both.0, both.1, |estate, at| estate.dependents(*at, &[], Some(3)).len());
    compare("dependencies", both.0, both.1, |estate, at| estate.dependencies(*at, &[], None).len());
    compare("states", both.0, both.1, |estate, at| estate.states(&[(*at, State::Down)], None).len());
    compare("impact, one path each", both.0, both.1, |estate, at| estate.reach_of(&[(*at, State::Down)], None).items.len());
    compare("relations", both.0, both.1, |estate, at| estate.relations_from(*at).len() + estate.relations_to(*at).len());
    compare("5 ways", (&folded, plain_pairs.as_slice()), (&estate, overlaid_pairs.as_slice()), |estate, (from, to)| {
        estate.ways(*from, *to, 5).iter().map(Vec::len).sum()
    });
    compare("find", (&folded, ids.as_slice()), (&estate, ids.as_slice()), |estate, id| usize::from(estate.find(id).is_some()));
    let types: Vec<&str> = LAYERS.to_vec();
    compare("of a type", (&folded, types.as_slice()), (&estate, types.as_slice()), |estate, kind| estate.of_type(kind).len());
    let once: &[()] = &[()];
    compare("all components", (&folded, once), (&estate, once), |estate, ()| estate.ids().count());
}
