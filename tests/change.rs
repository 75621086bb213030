//! Small random estates: what `change` says of safety, order and risk is held against trying
//! everything by `impact` alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::faultscope;
use change::{
    Action, Basis, BreachView, ChangePlan, GroupLeft, Knowledge, Order, Risk, Safety, Step, Window, assess, assess_difference, read_plan,
};
use compile::plan::Plan;
use diag::{Sources, render};
use estate::{ComponentId, Snapshot, State, Tier, build};
use knowledge::CaseBase;
use proptest::prelude::*;
use value::{HOUR, Time};

/// Everything a test needs, small enough to try all orders.
#[derive(Debug, Clone)]
struct World {
    tiers: Vec<u8>,
    relations: Vec<(usize, usize, u8)>,
    /// Members as bits, need.
    groups: Vec<(u8, usize)>,
    /// Component, action, whether it begins a step, whether that is done together.
    operations: Vec<(usize, usize, bool, bool)>,
}

fn worlds() -> impl Strategy<Value = World> {
    (
        prop::collection::vec(0..4_u8, 3..=6),
        prop::collection::vec((0..6_usize, 0..6_usize, 0..4_u8), 0..10),
        prop::collection::vec((1..64_u8, 1..4_usize), 0..3),
        prop::collection::vec((0..6_usize, 0..5_usize, any::<bool>(), any::<bool>()), 1..=4),
    )
        .prop_map(|(tiers, relations, groups, operations)| World { tiers, relations, groups, operations })
}

impl World {
    /// The topology without some components. `None` if a group would need more members than it has: no file may say so.
    fn text(&self, without: &BTreeSet<usize>) -> Option<String> {
        let n = self.tiers.len();
        let mut text = "components:\n".to_owned();
        for (at, tier) in self.tiers.iter().enumerate().filter(|(at, _)| !without.contains(at)) {
            let tier = ["", ", tier: core", ", tier: important", ", tier: general"][usize::from(*tier)];
            text.push_str(&format!("  - {{id: c{at}, type: service{tier}, owner: o{}}}\n", at % 2));
        }
        let mut seen = BTreeSet::new();
        text.push_str("relations:\n");
        for (from, to, kind) in &self.relations {
            let (from, to) = (from % n, to % n);
            let kind = ["depends_on", "depends_on", "depends_on", "connects_to"][usize::from(*kind)];
            if from != to && !without.contains(&from) && !without.contains(&to) && seen.insert((from, to, kind)) {
                text.push_str(&format!("  - {{from: c{from}, kind: {kind}, to: c{to}}}\n"));
            }
        }
        text.push_str("groups:\n");
        for (at, (bits, need)) in self.groups.iter().enumerate() {
            let all: Vec<usize> = (0..n).filter(|member| bits >> member & 1 == 1).collect();
            let members: Vec<String> = all.iter().filter(|m| !without.contains(m)).map(|m| format!("c{m}")).collect();
            let need = (*need).min(all.len().max(1));
            if members.is_empty() {
                continue;
            }
            if need > members.len() {
                return None;
            }
            text.push_str(&format!("  - {{id: g{at}, members: [{}], need: {need}}}\n", members.join(", ")));
        }
        Some(text)
    }

    fn estate(&self) -> Snapshot {
        estate(&self.text(&BTreeSet::new()).expect("needs are cut to the members"))
    }

    /// Each component in one operation at most.
    fn steps(&self, estate: &Snapshot) -> Vec<Step> {
        let mut seen = BTreeSet::new();
        let mut steps: Vec<Step> = Vec::new();
        for (component, action, begins, together) in &self.operations {
            let component = component % self.tiers.len();
            if !seen.insert(component) {
                continue;
            }
            let id = estate.find(&format!("c{component}")).unwrap();
            match steps.last_mut() {
                Some(last) if !begins => last.on.push(id),
                Some(_) | None => {
                    let number = steps.len() + 1;
                    steps.push(Step { number, action: Action::ALL[*action], on: vec![id], together: *together });
                }
            }
        }
        steps
    }
}

fn estate(text: &str) -> Snapshot {
    let mut sources = Sources::default();
    let file = sources.add("estate.yaml", text);
    let (estate, diagnostics) = build(&sources, &[], &[file]);
    assert!(diagnostics.iter().all(|d| !d.is_error()), "{}\n{text}", render(&sources, &diagnostics, false, false));
    estate
}

// ---- what is meant, said as plainly as possible --------------------------------------------------------------------

type Done = Vec<(Action, ComponentId)>;

fn operations(steps: &[Step]) -> Done {
    steps.iter().flat_map(|step| step.on.iter().map(|on| (step.action, *on))).collect()
}

/// Everything that is down while `at_once` happens after `before`.
fn down(estate: &Snapshot, before: &Done, at_once: &Done) -> BTreeSet<ComponentId> {
    let gone = before.iter().filter(|(action, _)| *action == Action::Remove);
    let now = at_once.iter().filter(|(action, _)| *action != Action::Failover);
    let roots: Vec<(ComponentId, State)> = gone.chain(now).map(|(_, component)| (*component, State::Down)).collect();
    let reached = estate.impact(&roots, None).into_iter().filter(|one| one.state == State::Down).map(|one| one.component);
    roots.iter().map(|(root, _)| *root).chain(reached).collect()
}

fn is_safe(estate: &Snapshot, all: &Done, before: &Done, at_once: &Done) -> bool {
    let down = down(estate, before, at_once);
    let removed = |member: &ComponentId| all.contains(&(Action::Remove, *member));
    let groups_hold = estate.groups().all(|group| {
        let living = group.members.iter().filter(|member| !down.contains(member)).count();
        living >= group.need || group.members.iter().all(removed)
    });
    let core_holds = down.iter().all(|component| {
        let planned = all.iter().any(|(action, on)| on == component && *action != Action::Failover);
        let grouped = estate.groups().any(|group| group.members.contains(component));
        estate.component(*component).tier != Some(Tier::Core) || planned || grouped
    });
    groups_hold && core_holds
}

/// Whether any order and any splitting is safe: each operation is given each of as many moments as there are operations.
fn any_order(estate: &Snapshot, all: &Done) -> bool {
    let n = all.len();
    let tries = n.pow(u32::try_from(n).unwrap());
    (0..tries).any(|number| {
        let moment = |at: usize| number / n.pow(u32::try_from(at).unwrap()) % n;
        (0..n).all(|now| {
            let of = |wanted: &dyn Fn(usize) -> bool| -> Done {
                all.iter().enumerate().filter(|(at, _)| wanted(moment(*at))).map(|(_, done)| *done).collect()
            };
            is_safe(estate, all, &of(&|m: usize| m < now), &of(&|m: usize| m == now))
        })
    })
}

fn sorted(mut done: Done) -> Done {
    done.sort();
    done
}

fn known<'a>(plan: &'a Plan, cases: &'a CaseBase) -> Knowledge<'a> {
    Knowledge { plan, cases }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each moment of the plan is judged as the definition says.
    #[test]
    fn moments_are_judged_as_defined(world in worlds()) {
        let estate = world.estate();
        let steps = world.steps(&estate);
        let all = operations(&steps);
        let mut before = Done::new();
        for moment in Basis::new(&estate, &steps).walk(&steps) {
            let at_once: Done = moment.batch.on.iter().map(|on| (moment.batch.action, *on)).collect();
            prop_assert_eq!(moment.breaches.is_empty(), is_safe(&estate, &all, &before, &at_once), "{:?}\n{:?}", steps, moment);
            before.extend(at_once);
        }
        prop_assert_eq!(sorted(before), sorted(all));
    }

    /// An order is found if and only if there is one, and it is safe and complete.
    #[test]
    fn an_order_is_found_if_there_is_one(world in worlds()) {
        let estate = world.estate();
        let steps = world.steps(&estate);
        let all = operations(&steps);
        let frame = Basis::new(&estate, &steps);
        let exists = any_order(&estate, &all);
        match frame.order(&steps, &frame.walk(&steps)) {
            Order::Safe => prop_assert!(exists),
            Order::Otherwise { batches, .. } => {
                prop_assert!(exists);
                let mut before = Done::new();
                for batch in &batches {
                    let at_once: Done = batch.on.iter().map(|on| (batch.action, *on)).collect();
                    prop_assert!(is_safe(&estate, &all, &before, &at_once), "{:?}\n{:?}", steps, batches);
                    before.extend(at_once);
                }
                prop_assert_eq!(sorted(before), sorted(all));
            }
            Order::Impossible { obstacles } => {
                prop_assert!(!exists, "{:?}", steps);
                prop_assert!(!obstacles.is_empty(), "it must say why: {:?}", steps);
            }
        }
    }

    /// More at fault is never less unsafe: what the proof in `order.rs` stands on.
    #[test]
    fn what_contains_an_unsafe_moment_is_unsafe(world in worlds(), bits in any::<u8>(), more in any::<u8>()) {
        let estate = world.estate();
        let all = operations(&world.steps(&estate));
        let pick = |bits: u8| -> Done { all.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, done)| *done).collect() };
        if !is_safe(&estate, &all, &Done::new(), &pick(bits)) {
            prop_assert!(!is_safe(&estate, &all, &Done::new(), &pick(bits | more)));
        }
    }

    /// Who is affected, and the rules of risk R1 to R6, from the definition.
    #[test]
    fn the_facts_of_risk(world in worlds()) {
        let estate = world.estate();
        let steps = world.steps(&estate);
        let all = operations(&steps);
        let (plan, cases) = (Plan::default(), CaseBase::new(Vec::new()));
        let change = ChangePlan { title: "t".to_owned(), window: None, steps: steps.clone() };
        let found = assess(&estate, &change, known(&plan, &cases));
        let mut states: BTreeMap<ComponentId, State> = BTreeMap::new();
        let mut living: BTreeMap<String, usize> = BTreeMap::new();
        let mut before = Done::new();
        for moment in Basis::new(&estate, &steps).walk(&steps) {
            let at_once: Done = moment.batch.on.iter().map(|on| (moment.batch.action, *on)).collect();
            let gone = before.iter().filter(|(action, _)| *action == Action::Remove).map(|(_, on)| (*on, State::Down));
            let now = at_once.iter().map(|(action, on)| (*on, action.state()));
            let roots: Vec<(ComponentId, State)> = gone.chain(now).collect();
            for one in estate.impact(&roots, None) {
                let state = states.entry(one.component).or_insert(one.state);
                *state = (*state).max(one.state);
            }
            let down = down(&estate, &before, &at_once);
            down.iter().for_each(|component| {
                states.insert(*component, State::Down);
            });
            for group in estate.groups() {
                let count = group.members.iter().filter(|member| !down.contains(member)).count();
                let least = living.entry(group.id.clone()).or_insert(count);
                *least = (*least).min(count);
            }
            before.extend(at_once);
        }
        // What happens to an operated component is no effect, unless it is worse than what was meant.
        states.retain(|component, state| all.iter().all(|(action, on)| on != component || action.state() < *state));
        let named: BTreeMap<String, State> = states.iter().map(|(c, s)| (estate.component(*c).id.clone(), *s)).collect();
        let said: BTreeMap<String, State> = found.affected.iter().map(|view| (view.component.clone(), view.state)).collect();
        prop_assert_eq!(said, named);

        let retired = |id: &str| estate.group(id).unwrap().members.iter().all(|member| all.contains(&(Action::Remove, *member)));
        let need = |id: &str| estate.group(id).unwrap().need;
        let short: BTreeSet<&String> = living.iter().filter(|(id, n)| **n < need(id) && !retired(id)).map(|(id, _)| id).collect();
        let said: BTreeSet<&String> = found.redundancy.iter().filter(|v| v.left != GroupLeft::NoSpare).map(|v| &v.group).collect();
        prop_assert_eq!(&said, &short);

        let covered = |component: ComponentId| {
            let groups: Vec<_> = estate.groups_of(component).collect();
            !groups.is_empty() && groups.iter().all(|group| !short.contains(&group.id))
        };
        let goes_down = |tier: Option<Tier>| states.iter().any(|(c, s)| *s == State::Down && estate.component(*c).tier == tier && !covered(*c));
        let holds = |rule: &str| found.reasons.iter().any(|reason| reason.rule == rule);
        prop_assert_eq!(holds("R1"), goes_down(Some(Tier::Core)));
        prop_assert_eq!(holds("R2"), !short.is_empty());
        prop_assert_eq!(holds("R3"), goes_down(Some(Tier::Important)));
        prop_assert_eq!(holds("R4"), goes_down(Some(Tier::General)) || goes_down(None));
        prop_assert_eq!(found.risk, found.reasons.iter().map(|reason| reason.level).max().unwrap_or(Risk::Low));
        // An order that cannot be safe is never a low risk.
        if found.order.as_ref().is_some_and(|order| order.safety == Safety::Unsafe) {
            prop_assert!(found.risk >= Risk::High, "{:?}", found.reasons);
        }
    }

    /// `Snapshot::without` is the estate of a topology that never had these components, and R8 compares with it.
    #[test]
    fn without_is_as_if_they_had_never_been(world in worlds(), bits in any::<u8>()) {
        let n = world.tiers.len();
        let gone: BTreeSet<usize> = (0..n).filter(|at| bits >> at & 1 == 1).collect();
        let Some(text) = world.text(&gone) else { return Ok(()) };
        let before = world.estate();
        let ids: BTreeSet<ComponentId> = gone.iter().filter_map(|at| before.find(&format!("c{at}"))).collect();
        let (cut, fresh) = (before.without(&ids), estate(&text));
        let names = |estate: &Snapshot| -> Vec<String> { estate.ids().map(|id| estate.component(id).id.clone()).collect() };
        prop_assert_eq!(names(&cut), names(&fresh));
        prop_assert_eq!(cut.relations().collect::<Vec<_>>(), fresh.relations().collect::<Vec<_>>());
        for id in fresh.ids() {
            prop_assert_eq!(cut.impact(&[(id, State::Down)], None), fresh.impact(&[(id, State::Down)], None));
        }
        prop_assert_eq!(cut.single_points(), fresh.single_points());

        // New single points, each tried alone.
        let alone = |estate: &Snapshot, id: &str| -> BTreeSet<String> {
            let Some(root) = estate.find(id) else { return BTreeSet::new() };
            let reached = estate.impact(&[(root, State::Down)], None).into_iter().filter(|one| one.state == State::Down);
            reached.map(|one| estate.component(one.component).id.clone()).collect()
        };
        let (plan, cases) = (Plan::default(), CaseBase::new(Vec::new()));
        let found = assess_difference("t", &before, &fresh, known(&plan, &cases));
        for id in names(&fresh) {
            let new: Vec<String> = alone(&fresh, &id).difference(&alone(&before, &id)).cloned().collect();
            let said = found.single_points.iter().find(|point| point.component == id).map(|point| point.new.clone()).unwrap_or_default();
            prop_assert_eq!(said, new, "{}", id);
        }
    }
}

// ---- plans as files ------------------------------------------------------------------------------------------------

const SHOP: &str = "components:\n  - {id: gw-1, type: gateway, name: 网关 1, tier: core, owner: a}\n  - {id: gw-2, type: gateway, tier: core, owner: a}\n  - {id: gw-3, type: gateway, tier: core, owner: b}\n  - {id: web, type: frontend, tier: core, owner: c}\n  - {id: db, type: database, tier: core, owner: d, attributes: {engine: mysql, max_connections: 500}}\nrelations:\n  - {from: web, kind: depends_on, to: pool}\n  - {from: pool, kind: depends_on, to: db}\ngroups:\n  - {id: pool, members: [gw-1, gw-2, gw-3], need: 2}\n";

fn read(text: &str) -> (Option<ChangePlan>, Vec<String>, Snapshot) {
    let estate = estate(SHOP);
    let mut sources = Sources::default();
    let file = sources.add("plan.yaml", text);
    let (plan, diagnostics) = read_plan(&sources, file, &estate);
    let said = diagnostics.iter().map(|d| format!("{} {}", d.code, d.help.as_ref().unwrap_or(&d.message))).collect();
    (plan, said, estate)
}

#[test]
fn mistakes_in_plans() {
    let cases: &[(&str, &str)] = &[
        ("- a", "F7001 expected the keys `title`, `window`, `steps`"),
        ("title: t\nsteps: [{do: restrat, on: db}]", "F7002 did you mean `restart`?"),
        ("title: t\nsteps: [{do: restart, on: dbb}]", "F7003 did you mean `db`?"),
        ("title: t\nsteps: [{do: restart, on: {type: gatway}}]", "F7003 did you mean `gateway`?"),
        ("title: t\nsteps: [{do: restart, on: {type: database, where: {engin: mysql}}}]", "F7003 did you mean `engine`?"),
        ("title: t\nsteps: [{do: restart, on: {type: queue}}]", "F7004 check that the plan is for this estate"),
        ("title: t\nsteps: []", "F7004 a change plan needs at least one step"),
        (
            "title: t\nwindow: {from: 2025-06-01T12:00:00Z, to: 2025-06-01T10:00:00Z}\nsteps: [{do: restart, on: db}]",
            "F7005 `to` must be after `from`",
        ),
        ("title: t\nsteps: [{do: remove, on: db}, {do: restart, on: db}]", "F7006 move the removal after this step"),
        ("title: t\nsteps: [{do: restart, on: db, togeter: true}]", "F3002 did you mean `together`?"),
        ("title: t\nsteps: [{do: restart}]", "F3004 a step needs `on`"),
        ("steps: [{do: restart, on: db}]", "F3004 a change plan needs `title`"),
        ("title: t\nsteps: [{do: restart, on: db, together: 1}]", "F3003 `together` must be true or false, not a number"),
    ];
    for (text, expected) in cases {
        let (plan, said, _) = read(text);
        assert_eq!(said, [*expected], "{text}");
        assert!(plan.is_none(), "{text}");
    }
}

#[test]
fn choices_and_windows() {
    let text = "title: 升级\nwindow: {from: 2025-06-01T22:00:00+08:00, to: 2025-06-02T00:00:00+08:00}\nsteps:\n  - {do: upgrade, on: {type: gateway, where: {owner: a}}}\n  - {do: restart, on: [网关 1, {type: 数据库, where: {engine: mysql, max_connections: 500, tier: 核心}}, pool], together: true}\n";
    let (plan, said, estate) = read(text);
    assert!(said.is_empty(), "{said:?}");
    let plan = plan.unwrap();
    let ids = |at: usize| -> Vec<&str> { plan.steps[at].on.iter().map(|on| estate.component(*on).id.as_str()).collect() };
    assert_eq!(ids(0), ["gw-1", "gw-2"]);
    assert_eq!(ids(1), ["gw-1", "db", "gw-2", "gw-3"]);
    assert_eq!((plan.steps[0].together, plan.steps[1].together), (false, true));
    let window = plan.window.unwrap();
    assert_eq!(window.to.since(window.from), 2 * HOUR);
}

#[test]
fn a_pool_is_restarted_one_by_one() {
    let (plan, cases) = (Plan::default(), CaseBase::new(Vec::new()));
    let judge = |text: &str| {
        let (change, said, estate) = read(text);
        assert!(said.is_empty(), "{said:?}");
        assess(&estate, &change.unwrap(), known(&plan, &cases))
    };
    let rolling = judge("title: t\nsteps: [{do: restart, on: pool}]");
    assert_eq!(rolling.order.as_ref().unwrap().safety, Safety::Safe);
    assert_eq!(rolling.risk, Risk::Medium, "{:?}", rolling.reasons);
    let at_once = judge("title: t\nsteps: [{do: restart, on: pool, together: true}]");
    let order = at_once.order.as_ref().unwrap();
    assert_eq!(order.safety, Safety::SafeOtherwise);
    assert_eq!(order.proposal.iter().map(|batch| batch.on.len()).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(at_once.risk, Risk::Critical);
    let database = judge("title: t\nsteps: [{do: restart, on: db}]");
    assert_eq!(database.order.as_ref().unwrap().safety, Safety::Unsafe);
    // Two of three may go, but then each of the others is a single point of failure.
    let smaller = judge("title: t\nsteps: [{do: remove, on: gw-3}]");
    assert_eq!(smaller.order.as_ref().unwrap().safety, Safety::Safe);
    assert_eq!(smaller.single_points.iter().map(|point| point.component.as_str()).collect::<Vec<_>>(), ["gw-1", "gw-2"]);
    assert_eq!(smaller.risk, Risk::High);
}

#[test]
fn a_window_longer_than_the_rto() {
    let (plan, cases) = (Plan::default(), CaseBase::new(Vec::new()));
    let (change, _, estate) = read("title: t\nsteps: [{do: restart, on: db}]");
    let mut change = change.unwrap();
    for (hours, exceeded) in [(0, false), (2, true)] {
        let from = Time(0);
        change.window = Some(Window { from, to: from.plus(hours * HOUR + HOUR / 2) });
        let found = assess(&estate, &change, known(&plan, &cases));
        assert_eq!(found.reasons.iter().any(|reason| reason.rule == "R9"), exceeded, "{hours} h");
    }
}

/// A group whose members stay and yet fall with what is removed stands no longer.
#[test]
fn a_group_that_falls_with_what_is_removed() {
    let (plan, cases) = (Plan::default(), CaseBase::new(Vec::new()));
    let before = estate(SHOP);
    let after = estate(
        &SHOP
            .replace("  - {id: db, type: database, tier: core, owner: d, attributes: {engine: mysql, max_connections: 500}}\n", "")
            .replace("  - {from: pool, kind: depends_on, to: db}\n", ""),
    );
    let found = assess_difference("t", &before, &after, known(&plan, &cases));
    let group = found.redundancy.first().unwrap();
    assert_eq!((group.group.as_str(), group.living, group.left), ("pool", 0, GroupLeft::Nothing));
    assert!(found.reasons.iter().any(|reason| reason.rule == "R2" && reason.level == Risk::Critical), "{:?}", found.reasons);
    assert!(found.affected.iter().all(|one| !one.covered), "{:?}", found.affected);
}

/// Four pods of a workload, three of them on one node, and on the other also one that does not serve; `said` is what the workload says
/// about its budget.
fn cluster(said: &str) -> Snapshot {
    let mut text = format!("components:\n  - {{id: cart, type: service, owner: a, attributes: {{{said}}}}}\n");
    for id in ["n1", "n2"] {
        text.push_str(&format!("  - {{id: {id}, type: node, owner: a}}\n"));
    }
    for number in 1..=5 {
        text.push_str(&format!("  - {{id: cart-{number}, type: pod, owner: a}}\n"));
    }
    text.push_str("relations:\n  - {from: cart, kind: runs_on, to: [cart-1, cart-2, cart-3, cart-4]}\n");
    text.push_str("  - {from: cart, kind: runs_on, to: cart-5, effect: degraded}\n");
    text.push_str("  - {from: [cart-1, cart-2, cart-3], kind: runs_on, to: n1}\n  - {from: [cart-4, cart-5], kind: runs_on, to: n2}\n");
    text.push_str("groups:\n  - {id: cart-pods, members: [cart-1, cart-2, cart-3, cart-4], need: 2}\n");
    estate(&text)
}

/// What a plan does to the pods of `cart`: whether its order is safe, how many pods are left at worst, and the budgets that block it.
fn drain(estate: &Snapshot, steps: &str) -> (Safety, Option<usize>, Vec<String>) {
    let mut sources = Sources::default();
    let file = sources.add("plan.yaml", format!("title: t\nsteps: {steps}"));
    let (change, diagnostics) = read_plan(&sources, file, estate);
    assert!(diagnostics.is_empty(), "{}", render(&sources, &diagnostics, false, false));
    let (plan, cases) = (Plan::default(), CaseBase::new(Vec::new()));
    let found = assess(estate, &change.unwrap(), known(&plan, &cases));
    let order = found.order.as_ref().unwrap();
    let blocked = order.given.iter().flat_map(|batch| &batch.breaches).filter_map(|breach| match breach {
        BreachView::Budget { budget, components, living, need, pods } => {
            Some(format!("{budget} of {}: {living} of {need}, {}", components.join(" "), pods.join(" ")))
        }
        BreachView::Group { .. } | BreachView::Core { .. } => None,
    });
    let blocked: Vec<String> = blocked.collect();
    assert_eq!(found.reasons.iter().any(|reason| reason.rule == "R15"), !blocked.is_empty(), "{:?}", found.reasons);
    assert!(order.safety != Safety::Unsafe || found.risk >= Risk::High, "{:?}", found.reasons);
    let living = found.redundancy.iter().find(|view| view.group == "cart-pods").map(|view| view.living);
    (order.safety, living, blocked)
}

/// A node gives up its pods as the budget allows, however many of them it has; without a budget all go at once.
#[test]
fn a_drain_respects_disruption_budgets() {
    let node = "[{do: drain, on: n1}]";
    for (said, steps, safety, living) in [
        ("", node, Safety::Unsafe, Some(1)),
        ("", "[{do: drain, on: n2}]", Safety::Safe, None),
        ("min_available: 2", node, Safety::Safe, Some(2)),
        ("min_available: 3", node, Safety::Safe, None),
        // Percentages are of what the workload asks for, rounded up.
        ("min_available: 50%, replicas: 4", node, Safety::Safe, Some(2)),
        ("min_available: 51%, replicas: 4", node, Safety::Safe, None),
        ("max_unavailable: 30%, replicas: 4", node, Safety::Safe, Some(2)),
        ("max_unavailable: 25%, replicas: 4", node, Safety::Safe, None),
        ("min_available: 50%, replicas: 6", node, Safety::Safe, None),
        ("max_unavailable: 1, replicas: 4", "[{do: drain, on: [n1, n2], together: true}]", Safety::Safe, None),
        // What an earlier step removed is missing.
        ("min_available: 2", "[{do: remove, on: cart-4}, {do: drain, on: n1}]", Safety::Safe, Some(2)),
        // Those of a DaemonSet stay.
        ("node_bound: true", node, Safety::Safe, None),
        ("node_bound: false", node, Safety::Unsafe, Some(1)),
        // Only a drain asks the budget.
        ("min_available: 3", "[{do: restart, on: n1}]", Safety::Unsafe, Some(1)),
        ("min_available: 3", "[{do: drain, on: cart-1}]", Safety::Safe, None),
        // One that does not serve counts for no budget.
        ("min_available: 4", "[{do: drain, on: cart-5}]", Safety::Safe, None),
    ] {
        assert_eq!(drain(&cluster(said), steps), (safety, living, Vec::new()), "{said}, {steps}");
    }
}

#[test]
fn a_budget_that_gives_up_nothing_blocks_a_drain() {
    let all = "cart-1 cart-2 cart-3";
    for (said, steps, expected) in [
        ("min_available: 4, poddisruptionbudget: cart-pdb", "[{do: drain, on: n1}]", format!("cart-pdb of cart: 4 of 4, {all}")),
        ("min_available: 100%, replicas: 4", "[{do: drain, on: n1}]", format!("cart of cart: 4 of 4, {all}")),
        ("max_unavailable: 0, replicas: 4", "[{do: drain, on: n2}]", "cart of cart: 4 of 4, cart-4".to_owned()),
        // Of a budget that is short, not even that goes.
        ("min_available: 5", "[{do: drain, on: cart-5}]", "cart of cart: 4 of 5, cart-5".to_owned()),
        ("max_unavailable: 0, replicas: 4", "[{do: drain, on: cart-1}]", "cart of cart: 4 of 4, cart-1".to_owned()),
        ("min_available: 3", "[{do: remove, on: cart-4}, {do: drain, on: n1}]", format!("cart of cart: 3 of 3, {all}")),
    ] {
        let (safety, _, blocked) = drain(&cluster(said), steps);
        // Before the removal, the drain would be safe.
        let expected_safety = if steps.contains("remove") { Safety::SafeOtherwise } else { Safety::Unsafe };
        assert_eq!(safety, expected_safety, "{said}, {steps}");
        assert_eq!(blocked, [expected], "{said}, {steps}");
    }
}

/// Rules that need another fault besides stand under the heading of rules, also where no other rule may fire.
#[test]
fn rules_that_need_another_fault_have_their_heading() {
    for (lang, expected) in [
        ("en", "  Rules that may fire\n    2 rules read affected components, but also need another fault\n"),
        ("zh", "  可能命中的规则\n    2 条规则读取受影响的组件，但还需其他异常才会命中\n"),
    ] {
        let plan = ["change", "tests/plans/joint/plan.yaml", "--project", "tests/plans/joint", "--lang", lang];
        let (_, out, error) = faultscope(&plan);
        assert!(out.contains(expected), "{out}{error}");
    }
}

/// `pay` with three pods and `pay-canary` with one or more, all on one node; what each says, and the need of the group of all pods.
fn canary([stable, canary]: [&str; 2], pods: &str, need: usize) -> Snapshot {
    estate(&format!(
        "components:
  - {{id: n1, type: node, owner: a}}
  - {{id: pay, type: service, owner: a, attributes: {{{stable}}}}}
  - {{id: pay-canary, type: service, owner: a, attributes: {{{canary}}}}}
  - {{id: p1, type: pod, owner: a}}
  - {{id: p2, type: pod, owner: a}}
  - {{id: p3, type: pod, owner: a}}
  - {{id: p4, type: pod, owner: a}}
relations:
  - {{from: pay, kind: runs_on, to: [p1, p2, p3]}}
  - {{from: pay-canary, kind: runs_on, to: {pods}}}
  - {{from: [p1, p2, p3, p4], kind: runs_on, to: n1}}
groups:
  - {{id: cart-pods, members: [p1, p2, p3, p4], need: {need}}}
"
    ))
}

/// Workloads that say the same of a budget share it.
#[test]
fn a_budget_counts_the_pods_of_all_its_workloads() {
    let node = "[{do: drain, on: n1}]";
    let payb = |kept: &str| format!("namespace: k, poddisruptionbudget: payb, min_available: {kept}");
    let (share, number) = (payb("75%"), payb("2"));
    for (said, pods, living) in [
        (&share, "p4", 3),
        (&number, "p4", 2),
        // A Service over the same pods counts none of them twice.
        (&share, "[p1, p2, p3, p4]", 3),
    ] {
        let estate = canary([said, said], pods, living);
        assert_eq!(drain(&estate, node), (Safety::Safe, Some(living), Vec::new()), "{said}, {pods}");
    }
    // A share is one of the replicas of all: of 3 + 2, four must stay.
    let (three, two) = (payb("75%, replicas: 3"), payb("75%, replicas: 2"));
    assert_eq!(drain(&canary([&three, &two], "p4", 1), node).2, ["payb of pay pay-canary: 4 of 4, p1 p2 p3 p4"]);
    // Budgets of two namespaces, and those without a name, are several.
    let other = share.replace("namespace: k,", "namespace: k2,");
    assert_eq!(drain(&canary([&share, &other], "p4", 1), node).2, ["payb of pay: 3 of 3, p1 p2 p3", "payb of pay-canary: 1 of 1, p4"]);
    let nameless = "namespace: k, min_available: 75%";
    assert_eq!(
        drain(&canary([nameless, nameless], "p4", 1), node).2,
        ["pay of pay: 3 of 3, p1 p2 p3", "pay-canary of pay-canary: 1 of 1, p4"]
    );
}
