//! One step: a fact comes or time passes, rules are looked at, findings start, change and end.
//!
//! A fact has an effect from its own time on. If that is now, the rules that it concerns are looked at as of now; if it lies
//! in the past, what they were since then is worked out anew (`derive`).

use std::sync::Arc;

use smallvec::SmallVec;

use crate::estate::ComponentId;
use crate::value::{Duration, Time, Truth};

use super::super::evaluate::compare_numbers;
use super::eval::{Env, Valued};
use super::fact::{Prepared, Ready, SeriesKey, Signal};
use super::gates::Source;
use super::live::{Binding, Due};
use super::network::{ANYWHERE, Check, INDIRECT, MetricId, PatternId, REST, Shape, Use};
use super::store::{Hit, Known, NOWHERE};
use super::{Emitted, Event, Matcher, Outcome};

/// Where a rule has more live instances than this, those that an event concerns are looked up and not picked out.
const FEW: usize = 32;

impl Matcher {
    /// Lets time pass: what becomes true or false by that alone is appended to `out`. Time never goes back.
    pub fn advance(&mut self, to: Time, out: &mut Vec<Emitted>) {
        loop {
            let timer = self.live.next_due().filter(|time| *time <= to);
            let fact = self.waiting.keys().next().map(|(time, _)| *time).filter(|time| *time <= to);
            let Some(next) = timer.into_iter().chain(fact).min() else { break };
            self.now = self.now.max(next);
            while let Some((time, due)) = self.live.due(self.now) {
                match due {
                    Due::Instance(at) if self.live.instances[at as usize].timer == time => {
                        self.live.instances[at as usize].timer = Time::MAX;
                        if self.live.instances[at as usize].live {
                            self.look(at);
                        }
                    }
                    Due::Cell(at) if self.store.cells[at as usize].timer == time => self.cell_due(at),
                    Due::Instance(_) | Due::Cell(_) => {}
                }
            }
            while let Some(entry) = self.waiting.first_entry().filter(|e| e.key().0 <= self.now) {
                let fact = entry.remove();
                let outcome = self.take(&fact);
                self.count(outcome);
            }
            self.finish(out);
        }
        self.now = self.now.max(to);
    }

    /// Takes a fact as of now; one of a later instant waits for it.
    pub fn push(&mut self, fact: &Prepared, out: &mut Vec<Emitted>) -> Outcome {
        let outcome = if fact.epoch != self.epoch {
            Outcome::Outdated
        } else if matches!(fact.what, Ready::Unread(_)) {
            Outcome::Unread
        } else if fact.time() > self.now {
            self.wait(fact.clone());
            Outcome::Waiting
        } else {
            let outcome = self.take(fact);
            self.finish(out);
            outcome
        };
        self.count(outcome);
        self.sweep_some();
        outcome
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Taken => self.stats.taken += 1,
            Outcome::Unread => self.stats.unread += 1,
            Outcome::Duplicate => self.stats.duplicates += 1,
            Outcome::TooLate => self.stats.too_late += 1,
            Outcome::Waiting | Outcome::Outdated => {}
        }
    }

    fn take(&mut self, fact: &Prepared) -> Outcome {
        match &fact.what {
            Ready::Sample { component, metric, series, time, value } => self.take_sample(*component, *metric, series, *time, *value),
            Ready::Signal { signal, identity, patterns } => self.take_signal(signal, *identity, patterns),
            Ready::Probe(probe) => self.take_probe(probe),
            Ready::Unread(_) => Outcome::Unread,
        }
    }

    /// How long samples of a metric are kept.
    pub(super) fn keeps(&self, metric: MetricId, staleness: Duration) -> Duration {
        let reach = self.net.names.reach.get(metric.0 as usize).copied().unwrap_or(0);
        self.lookback.saturating_add(self.net.durations).saturating_add(reach).saturating_add(2 * staleness + 1)
    }

    /// How long signals and probes are kept once they are over.
    pub(super) fn keeps_signals(&self) -> Duration {
        self.lookback.saturating_add(self.net.durations).saturating_add(self.net.window).saturating_add(1)
    }

    fn take_sample(&mut self, component: ComponentId, metric: MetricId, series: &Arc<SeriesKey>, time: Time, value: f64) -> Outcome {
        let old_cell = self.store.cell_at(component, metric);
        let Some(at) = old_cell.or_else(|| self.make_cell(component, metric)) else { return Outcome::Unread };
        let staleness = self.store.cells[at as usize].staleness;
        // However old, the last one before the time that is kept is kept too: to say when it was.
        let kept = self.now.minus(self.keeps(metric, staleness));
        if time < kept && self.store.cells[at as usize].has_between(series, time, kept) {
            return Outcome::TooLate;
        }
        let late = time < self.now;
        let cell = &self.store.cells[at as usize];
        let (before, until) = cell.at(time);
        // What lies where no bound holds, after what lay there too, tells nobody anything.
        if cell.plain && cell.is_only(series) && cell.is_quiet(value) && before.is_none_or(|old| cell.is_quiet(old)) {
            let Some(added) = self.store.cells[at as usize].put(series, time, value) else { return Outcome::Duplicate };
            self.store.samples += added;
            self.mark_holders(at);
            return Outcome::Taken;
        }
        let watches = cell.watches.clone();
        let mut told = std::mem::take(&mut self.told);
        told.clear();
        // Conditions that are worked out, not looked up: before and after.
        let env = Env::it(component);
        let mut truths: SmallVec<[Truth; 8]> = SmallVec::new();
        if !late {
            for listed in watches.iter().flat_map(|w| &self.net.watches[*w as usize].listed) {
                truths.push(self.eval(&listed.node, &env, time).0);
            }
        }
        let cell = &mut self.store.cells[at as usize];
        let Some(added) = cell.put(series, time, value) else {
            self.told = told;
            return Outcome::Duplicate;
        };
        self.store.samples += added;
        let many = cell.series.len() > 1;
        let (after, sure_until) = cell.at(time);
        let mut known = std::mem::take(&mut self.known);
        known.clear();
        // What was known before, and would have gone stale by now, may now be known for longer.
        let revived = late && until <= self.now;
        let mut listed_at = 0;
        let mut windows = false;
        for &watch in &watches {
            let watch = &self.net.watches[watch as usize];
            for table in &watch.tables {
                if late && many {
                    told.extend_from_slice(&table.uses);
                    continue;
                }
                let (old, new) = (table.held(before), table.held(after));
                match table.source {
                    Source::Now if late => told.extend_from_slice(table.between(if revived { 0 } else { old.min(new) }, old.max(new))),
                    Source::Now => {
                        let gate = if new > old { (Truth::True, sure_until) } else { (Truth::False, Time::MAX) };
                        known.extend(table.between(old.min(new), old.max(new)).iter().map(|what| (*what, gate)));
                    }
                    // A sample that was replaced may have been the extreme one.
                    Source::Extreme(_) => told.extend_from_slice(table.between(0, if added == 0 { old.max(new) } else { new })),
                }
            }
            for listed in &watch.listed {
                windows |= listed.window > 0;
                if late || self.eval(&listed.node, &env, time).0 != truths[listed_at] {
                    told.extend_from_slice(&listed.uses);
                }
                listed_at += 1;
            }
            if old_cell.is_none() {
                told.extend_from_slice(&watch.sampled);
            }
            let awake = |what: &&Use| !self.live.all_of[what.rule as usize].is_empty() || self.net.rules[what.rule as usize].anchor.is_some();
            told.extend(watch.raw.iter().filter(awake));
        }
        if !self.net.any_metric.is_empty() {
            let class = self.class(component);
            for slot in &self.classes[class as usize] {
                told.extend(self.net.any_metric.get(slot).into_iter().flatten());
            }
        }
        self.mark_holders(at);
        if many || windows {
            self.arm_cell(at);
        }
        self.steps += 1;
        self.reading = component;
        for &(what, gate) in &known {
            self.tell_that(what, component, time, Some(gate));
        }
        for &what in &told {
            self.tell(what, component, time);
        }
        self.reading = NOWHERE;
        (self.told, self.known) = (told, known);
        Outcome::Taken
    }

    /// A new cell with its watches; findings that read it without a sample so far hold it from now on.
    pub(super) fn make_cell(&mut self, component: ComponentId, metric: MetricId) -> Option<u32> {
        let mut cell = self.new_cell(component, metric)?;
        let class = self.class(component);
        for slot in &self.classes[class as usize] {
            cell.watches.extend(self.net.watch(*slot, metric));
        }
        for watch in cell.watches.iter().map(|w| &self.net.watches[*w as usize]) {
            cell.quiet = (cell.quiet.0.max(watch.quiet.0), cell.quiet.1.min(watch.quiet.1));
            cell.plain &= watch.listed.is_empty() && watch.raw.is_empty();
        }
        cell.plain &= self.net.any_metric.is_empty();
        let at = self.store.add_cell(cell);
        let mut holders = Vec::new();
        for watch in self.store.cells[at as usize].watches.iter().map(|w| &self.net.watches[*w as usize]) {
            for what in watch.tables.iter().flat_map(|t| &t.uses).chain(&watch.raw) {
                if !self.net.rules[what.rule as usize].partial || self.live.holding_of[what.rule as usize] == 0 {
                    continue;
                }
                let held = self.concerned(*what, component, false).into_iter();
                holders.extend(held.filter(|i| self.live.instances[*i as usize].since.is_some()));
            }
        }
        holders.sort_unstable();
        holders.dedup();
        self.store.cells[at as usize].holders = holders;
        Some(at)
    }

    /// Sees to it that a cell whose value or statistics change without a sample is looked at when they may.
    pub(super) fn arm_cell(&mut self, at: u32) {
        let cell = &self.store.cells[at as usize];
        let mut next = if cell.series.len() > 1 { cell.at(self.now).1 } else { Time::MAX };
        for window in cell.watches.iter().flat_map(|w| &self.net.watches[*w as usize].listed).map(|l| l.window).filter(|w| *w > 0) {
            for series in &cell.series {
                let first = series.points.partition_point(|(time, _)| *time <= self.now.minus(window));
                if let Some((oldest, _)) = series.points.get(first) {
                    next = next.min(oldest.plus(window));
                }
            }
        }
        if next < Time::MAX && next != cell.timer {
            self.store.cells[at as usize].timer = next;
            self.live.wake_cell(at, next);
        }
    }

    /// Whatever holds of the cell now may have begun to.
    fn cell_due(&mut self, at: u32) {
        let cell = &mut self.store.cells[at as usize];
        cell.timer = Time::MAX;
        let component = cell.component;
        let (value, _) = cell.at(self.now);
        let watches = cell.watches.clone();
        let mut uses: Vec<Use> = Vec::new();
        for watch in watches.iter().map(|w| &self.net.watches[*w as usize]) {
            for table in &watch.tables {
                match table.source {
                    Source::Now => uses.extend_from_slice(table.between(0, table.held(value))),
                    Source::Extreme(_) => {}
                }
            }
            for listed in &watch.listed {
                if self.eval(&listed.node, &Env::it(component), self.now).0.is_true() {
                    uses.extend_from_slice(&listed.uses);
                }
            }
        }
        for what in uses {
            self.tell(what, component, self.now);
        }
        self.arm_cell(at);
    }

    fn take_signal(&mut self, signal: &Arc<Signal>, identity: u64, patterns: &[PatternId]) -> Outcome {
        let (start, end) = signal.extent();
        if end < self.now.minus(self.keeps_signals()) {
            return Outcome::TooLate;
        }
        let slot = self.store.known.entry(identity).or_default();
        if let Some(known) = slot.iter_mut().find(|known| known.signal.is_same(signal)) {
            // Of an alert the resolution may be news.
            let (_, old_end) = known.signal.extent();
            let new_end = match (old_end, end) {
                (Time::MAX, end) => end,
                (old, Time::MAX) => old,
                (old, new) => old.max(new),
            };
            let Signal::Alert(alert) = known.signal.as_ref() else { return Outcome::Duplicate };
            if new_end == old_end {
                return Outcome::Duplicate;
            }
            let mut alert = alert.clone();
            alert.end = new_end;
            let component = alert.component;
            let updated = Arc::new(Signal::Alert(alert));
            known.signal = Arc::clone(&updated);
            let patterns = known.patterns.clone();
            for &pattern in &patterns {
                for place in component.into_iter().chain([NOWHERE]) {
                    if let Some(list) = self.store.list_at(place, pattern) {
                        let longest = &mut self.store.lists[list as usize].longest;
                        *longest = (*longest).max(new_end.since(start));
                        for hit in self.store.lists[list as usize].hits.iter_mut().filter(|hit| hit.signal.is_same(&updated)) {
                            hit.end = new_end;
                            hit.signal = Arc::clone(&updated);
                        }
                    }
                }
            }
            self.tell_patterns(component, &patterns, new_end.min(old_end));
            return Outcome::Taken;
        }
        self.store_signal(signal, identity, patterns);
        self.tell_patterns(signal.component(), patterns, start);
        Outcome::Taken
    }

    pub(super) fn store_signal(&mut self, signal: &Arc<Signal>, identity: u64, patterns: &[PatternId]) {
        let (start, end) = signal.extent();
        self.store.known.entry(identity).or_default().push(Known { signal: Arc::clone(signal), patterns: SmallVec::from_slice(patterns) });
        for &pattern in patterns {
            let anywhere = self.net.names.patterns[pattern.0 as usize].anywhere;
            for place in signal.component().into_iter().chain(anywhere.then_some(NOWHERE)) {
                let list = self.store.list_or_new(place, pattern);
                let list = &mut self.store.lists[list as usize];
                list.put(Hit { start, end, signal: Arc::clone(signal) });
                if !list.recent && place != NOWHERE {
                    list.recent = true;
                    self.store.recent.resize_with(self.net.names.patterns.len(), Vec::new);
                    self.store.recent[pattern.0 as usize].push(place);
                }
                self.store.hits += 1;
            }
        }
    }

    fn tell_patterns(&mut self, component: Option<ComponentId>, patterns: &[PatternId], from: Time) {
        let mut told = std::mem::take(&mut self.told);
        told.clear();
        for &pattern in patterns {
            if let Some(component) = component {
                let class = self.class(component);
                for slot in &self.classes[class as usize] {
                    told.extend_from_slice(self.net.event_uses(*slot, pattern));
                }
            }
            told.extend_from_slice(self.net.event_uses(ANYWHERE, pattern));
        }
        self.steps += 1;
        for &what in &told {
            self.tell(what, component.unwrap_or(NOWHERE), from);
        }
        self.told = told;
    }

    fn take_probe(&mut self, probe: &Arc<crate::signal::Probe>) -> Outcome {
        let Some(component) = probe.component else { return Outcome::Unread };
        if probe.time < self.now.minus(self.keeps_signals()) {
            return Outcome::TooLate;
        }
        let list = self.store.probes.entry(component).or_default();
        let place = list.partition_point(|other| (other.time, &other.origin) < (probe.time, &probe.origin));
        if list.iter().any(|other| other.origin == probe.origin) {
            return Outcome::Duplicate;
        }
        list.insert(place, Arc::clone(probe));
        let class = self.class(component);
        let uses: Vec<Use> = self.classes[class as usize].iter().flat_map(|slot| self.net.probe_uses(*slot)).copied().collect();
        for what in uses {
            self.tell(what, component, probe.time);
        }
        Outcome::Taken
    }

    /// Something happened to a component in a role of a rule, with an effect from `from` on.
    pub(super) fn tell(&mut self, what: Use, component: ComponentId, from: Time) {
        self.tell_that(what, component, from, None);
    }

    /// The same where it is known what the gate is now.
    fn tell_that(&mut self, what: Use, component: ComponentId, from: Time, gate: Option<Valued>) {
        let from = from.min(self.now);
        let late = from < self.now;
        let from = from.max(self.now.minus(self.lookback));
        let rule = what.rule as usize;
        let direct = (what.direct != INDIRECT).then_some(usize::from(what.direct));
        if let (REST, Some(anchor)) = (what.clause, self.net.rules[rule].anchor) {
            return self.wake_sleepers(what, anchor, component, from, late);
        }
        if what.clause == REST {
            let list = if late { &self.live.all_of[rule] } else { &self.live.live_of[rule] };
            if list.is_empty() {
                return;
            }
            if let (Some(_), 1) = (direct, self.net.hot[rule].variables) {
                if let Some(at) = self.live.find(what.rule, &[component]).filter(|at| late || self.waits(*at, what)) {
                    self.again(at, from, late);
                }
            } else {
                for at in self.concerned(what, component, late) {
                    self.again(at, from, late);
                }
            }
            return;
        }
        let (Some(variable), 1) = (direct, self.net.hot[rule].variables) else {
            for at in self.concerned(what, component, late) {
                self.again(at, from, late);
            }
            for binding in self.bindings_from(what, component, from) {
                if self.live.find(what.rule, &binding).is_none() {
                    self.begin(what.rule, binding, from, late);
                }
            }
            return;
        };
        // The usual case: one variable, and the component stands for it.
        if !late {
            // Where the gates do not let it through, there is nothing to begin, and only what is live can end.
            let gates = self.gates_pass_but(what.rule, &[component], self.now, gate.map(|value| (what.clause, value)));
            if !gates.0 && self.live.live_of[rule].is_empty() {
                return;
            }
            match self.live.find(what.rule, &[component]) {
                Some(at) => {
                    if gates.0 || self.live.instances[at as usize].live {
                        self.look_through(at, gates);
                        self.mark(at);
                    }
                }
                None if gates.0 && variable == 0 && self.fits(what.rule, 0, component) => {
                    if self.net.rules[rule].anchor.is_some() && self.sleeps(what.rule, component) {
                        return;
                    }
                    if let Some(at) = self.make(what.rule, SmallVec::from_slice(&[component])) {
                        self.look_through(at, gates);
                    }
                }
                None => {}
            }
            return;
        }
        if let Some(at) = self.live.find(what.rule, &[component]) {
            self.again(at, from, late);
        } else if variable == 0 && self.fits(what.rule, 0, component) {
            self.begin(what.rule, SmallVec::from_slice(&[component]), from, late);
        }
    }

    /// Whether a rule with an anchor does not hold for a component, and only a fact can change that.
    fn sleeps(&self, rule: u32, component: ComponentId) -> bool {
        let super::node::Node::And(parts) = &self.net.rules[rule as usize].condition else { return false };
        let binding = [component];
        let env = Env { binding: &binding, it: None };
        let mut blocked = parts.iter().map(|part| self.eval(part, &env, self.now)).filter(|(truth, _)| !truth.is_true());
        blocked.next().is_some_and(|(_, until)| until == Time::MAX)
    }

    /// A part of a rule with an anchor changed: looks at the components with a recent signal that fits it.
    fn wake_sleepers(&mut self, what: Use, anchor: PatternId, component: ComponentId, from: Time, late: bool) {
        if late {
            for at in self.concerned(what, component, true) {
                self.again(at, from, true);
            }
            let sleepers: Vec<Binding> = match self.net.roles[what.role as usize].base {
                Some(_) => self.bindings_from(what, component, from),
                // Wherever it happened, it concerns all.
                None => {
                    let all = self.store.lists.iter().filter(|list| list.pattern == anchor && list.component != NOWHERE);
                    let all: Vec<ComponentId> = all.map(|list| list.component).collect();
                    all.into_iter().filter(|c| self.fits(what.rule, 0, *c)).map(|c| SmallVec::from_slice(&[c])).collect()
                }
            };
            for binding in sleepers {
                if self.live.find(what.rule, &binding).is_none() {
                    self.derive(what.rule, binding, from);
                }
            }
            return;
        }
        let mut concerned: SmallVec<[ComponentId; 16]> = SmallVec::new();
        if what.direct == INDIRECT {
            let Some(recent) = self.store.recent.get(anchor.0 as usize).filter(|recent| !recent.is_empty()) else { return };
            // The same for all rules that look at the component in this role.
            if self.bases_of != (what.role, component, self.steps) {
                self.bases = self.bases(&self.net.roles[what.role as usize], component);
                self.bases_of = (what.role, component, self.steps);
            }
            match &self.bases {
                Some(bases) => concerned.extend(recent.iter().copied().filter(|base| bases.binary_search(base).is_ok())),
                None => concerned.extend_from_slice(recent),
            }
        } else if self.store.list_at(component, anchor).is_some() {
            concerned.push(component);
        }
        for base in concerned {
            let gates = self.gates_pass(what.rule, &[base], self.now);
            match self.live.find(what.rule, &[base]) {
                Some(at) => {
                    if gates.0 || self.live.instances[at as usize].live {
                        self.look_through(at, gates);
                        self.mark(at);
                    }
                }
                None if gates.0 && self.fits(what.rule, 0, base) && !self.sleeps(what.rule, base) => {
                    if let Some(at) = self.make(what.rule, SmallVec::from_slice(&[base])) {
                        self.look_through(at, gates);
                    }
                }
                None => {}
            }
        }
    }

    /// Instances of a rule in which the component is in the role.
    fn concerned(&self, what: Use, component: ComponentId, late: bool) -> Vec<u32> {
        let role = &self.net.roles[what.role as usize];
        let list = if late || what.clause != REST { &self.live.all_of[what.rule as usize] } else { &self.live.live_of[what.rule as usize] };
        if role.base.is_some()
            && list.len() > FEW
            && let Some(bases) = self.bases(role, component)
            && let Some(variable) = role.base
        {
            return bases.into_iter().flat_map(|base| self.live.with(what.rule, variable, base)).collect();
        }
        let concerns = |at: &u32| {
            (late || self.waits(*at, what)) && self.may_be(role, &self.live.instances[*at as usize].binding, component)
        };
        list.iter().copied().filter(concerns).collect()
    }

    /// Whether a change of a part of its condition, or of a gate, may change an instance.
    fn waits(&self, at: u32, what: Use) -> bool {
        let instance = &self.live.instances[at as usize];
        what.clause != REST || instance.live && (instance.blocked == super::live::ANY_PART || instance.blocked == what.part)
    }

    /// Looks at an instance that is known, because a fact concerns it.
    fn again(&mut self, at: u32, from: Time, late: bool) {
        if late {
            let instance = &self.live.instances[at as usize];
            let (rule, binding) = (instance.rule, instance.binding.clone());
            self.derive(rule, binding, from);
        } else {
            self.look(at);
        }
        self.mark(at);
    }

    fn mark_holders(&mut self, cell: u32) {
        for holder in 0..self.store.cells[cell as usize].holders.len() {
            let holder = self.store.cells[cell as usize].holders[holder];
            self.mark(holder);
        }
    }

    /// Something that it reads has changed.
    fn mark(&mut self, at: u32) {
        if self.live.instances[at as usize].since.is_some() {
            self.live.touch(at);
            self.live.instances[at as usize].changed = true;
        }
    }

    /// Looks at a binding that is not known.
    fn begin(&mut self, rule: u32, binding: Binding, from: Time, late: bool) {
        if late {
            self.derive(rule, binding, from);
        } else if self.gates_pass(rule, &binding, self.now).0
            && let Some(at) = self.make(rule, binding)
        {
            self.look(at);
        }
    }

    pub(super) fn make(&mut self, rule: u32, binding: Binding) -> Option<u32> {
        if self.live.len() >= self.limits.instances {
            self.stats.instances_not_made += 1;
            return None;
        }
        let listed = self.net.hot[rule as usize].shape == Shape::Whole || binding.len() != 1;
        Some(self.live.add(rule, binding, self.now, listed))
    }

    /// Whether every clause has a true gate, and until when that is sure.
    pub(super) fn gates_pass(&self, rule: u32, binding: &[ComponentId], at: Time) -> (bool, Time) {
        self.gates_pass_but(rule, binding, at, None)
    }

    /// The same where it is known of one gate whether it is true, and until when.
    fn gates_pass_but(&self, rule: u32, binding: &[ComponentId], at: Time, known: Option<(u32, Valued)>) -> (bool, Time) {
        let hot = &self.net.hot[rule as usize];
        let gates = &self.net.gates[hot.from as usize..hot.to as usize];
        let mut next = Time::MAX;
        let mut start = 0;
        while let Some(first) = gates.get(start) {
            let clause = first.clause;
            let end = start + gates[start..].iter().take_while(|gate| gate.clause == clause).count();
            let told = known.filter(|(of, _)| *of == clause).map(|(_, value)| value);
            let passed = match told {
                Some((Truth::True, until)) => Some(until),
                Some((Truth::False | Truth::Unknown, _)) if end - start == 1 => None,
                Some((Truth::False | Truth::Unknown, _)) | None => gates[start..end].iter().find_map(|gate| {
                    if let Some(component) = binding.get(usize::from(gate.direct)) {
                        let (truth, until) = self.check(&gate.check, *component, at);
                        return truth.is_true().then_some(until);
                    }
                    let role = &self.net.roles[gate.role as usize];
                    let checked = self.in_role(role, binding).into_iter().map(|component| self.check(&gate.check, component, at));
                    checked.into_iter().find(|(truth, _)| truth.is_true()).map(|(_, until)| until)
                }),
            };
            match passed {
                Some(until) => next = next.min(until),
                None => return (false, Time::MAX),
            }
            start = end;
        }
        (true, next)
    }

    /// A metric of a component; now, and within a step, it is looked up once.
    fn read(&self, component: ComponentId, metric: MetricId, at: Time) -> super::store::Read {
        let Some(known) = self.readings.get(metric.0 as usize).filter(|_| component == self.reading && at == self.now) else {
            return self.metric_at(Some(component), metric, at);
        };
        let (step, value, until) = known.get();
        if step == self.steps {
            return ((!value.is_nan()).then_some(value), until);
        }
        let (value, until) = self.metric_at(Some(component), metric, at);
        known.set((self.steps, value.unwrap_or(f64::NAN), until));
        (value, until)
    }

    pub(super) fn check(&self, check: &Check, component: ComponentId, at: Time) -> Valued {
        match check {
            Check::Bound { metric, op, bound } => {
                let (value, until) = self.read(component, *metric, at);
                (value.map_or(Truth::Unknown, |value| Truth::from(compare_numbers(value, *op, *bound))), until)
            }
            Check::Event { pattern, kind, window } => self.has_signal(component, *pattern, *kind, *window, at),
            Check::Atom(atom) => self.eval(&self.net.atoms[*atom as usize], &Env::it(component), at),
        }
    }

    /// What an instance is now.
    pub(super) fn look(&mut self, at: u32) {
        let instance = &self.live.instances[at as usize];
        let gates = self.gates_pass(instance.rule, &instance.binding, self.now);
        self.look_through(at, gates);
    }

    /// The same where it is known whether its gates let it through, and until when.
    fn look_through(&mut self, at: u32, (passes, mut next): (bool, Time)) {
        let instance = &self.live.instances[at as usize];
        let shape = self.net.hot[instance.rule as usize].shape;
        let mut clock = instance.clock;
        let mut blocked = super::live::ANY_PART;
        let truth = if !passes {
            false
        } else {
            match shape {
                Shape::Exact => true,
                Shape::Lasting(duration) => {
                    // What failed and passes again in one instant has not failed.
                    if !instance.live && instance.last < self.now {
                        clock = self.now;
                    }
                    let ripe = clock.plus(duration);
                    if ripe > self.now {
                        next = next.min(ripe);
                    }
                    ripe <= self.now
                }
                Shape::Whole => {
                    let rule = &self.net.rules[instance.rule as usize];
                    let env = Env { binding: &instance.binding, it: None };
                    let whole = std::slice::from_ref(&rule.condition);
                    let parts = if let super::node::Node::And(parts) = &rule.condition { parts } else { whole };
                    let mut truth = true;
                    for (part, node) in (0u16..).zip(parts) {
                        let (value, until) = self.eval(node, &env, self.now);
                        if !value.is_true() {
                            // Until this part changes, none of the others matters.
                            next = next.min(until);
                            (truth, blocked) = (false, part);
                            break;
                        }
                        next = next.min(until);
                    }
                    truth
                }
            }
        };
        let instance = &mut self.live.instances[at as usize];
        instance.clock = clock;
        instance.blocked = blocked;
        self.settle(at, passes, truth);
        if passes && next < Time::MAX {
            self.live.wake(at, next);
        }
    }

    /// Records what an instance is now.
    fn settle(&mut self, at: u32, live: bool, holds: bool) {
        let now = self.now;
        let instance = &mut self.live.instances[at as usize];
        if live || instance.live {
            instance.last = now;
        }
        match (instance.since, holds) {
            (None, true) => {
                self.live.touch(at);
                let instance = &mut self.live.instances[at as usize];
                // It ended in this very instant, and so it did not.
                let joined = instance.held.pop_if(|(_, until)| *until == now).map(|(from, _)| from);
                instance.since = Some(joined.unwrap_or(now));
                self.begins(at, now);
            }
            (Some(since), false) => {
                self.live.touch(at);
                let instance = &mut self.live.instances[at as usize];
                instance.since = None;
                if since < now {
                    instance.held.push((since, now));
                }
                self.ends(at, now);
            }
            (None, false) | (Some(_), true) => {}
        }
        self.live.set_live(at, live);
    }

    /// A finding begins: the cells that its evidence shows tell it of changes.
    fn begins(&mut self, at: u32, from: Time) {
        self.live.holding_of[self.live.instances[at as usize].rule as usize] += 1;
        for cell in self.cells_of(at) {
            let holders = &mut self.store.cells[cell as usize].holders;
            if !holders.contains(&at) {
                holders.push(at);
            }
        }
        self.explanation(at, from);
    }

    fn ends(&mut self, at: u32, from: Time) {
        self.live.holding_of[self.live.instances[at as usize].rule as usize] -= 1;
        for cell in self.cells_of(at) {
            let holders = &mut self.store.cells[cell as usize].holders;
            if let Some(place) = holders.iter().position(|other| *other == at) {
                holders.swap_remove(place);
            }
        }
        self.explanation(at, from);
    }

    fn cells_of(&self, at: u32) -> SmallVec<[u32; 4]> {
        let instance = &self.live.instances[at as usize];
        let mut cells = SmallVec::new();
        for (role, metric) in &self.net.rules[instance.rule as usize].reads {
            let role = &self.net.roles[*role as usize];
            let Some(metric) = metric else { continue };
            match role.is_variable() {
                Some(variable) => cells.extend(instance.binding.get(variable).and_then(|c| self.store.cell_at(*c, *metric))),
                None => cells.extend(self.in_role(role, &instance.binding).into_iter().filter_map(|c| self.store.cell_at(c, *metric))),
            }
        }
        cells
    }

    /// What a finding explains, for the rules that ask.
    fn explanation(&mut self, at: u32, from: Time) {
        let rule = &self.net.rules[self.live.instances[at as usize].rule as usize];
        if self.net.asking.is_empty() || !rule.explains {
            return;
        }
        self.explained = Some(self.explained.map_or(from, |earlier| earlier.min(from)));
        if self.live.instances[at as usize].explaining {
            return;
        }
        self.live.instances[at as usize].explaining = true;
        for component in self.explained_by(at) {
            self.live.explainers.entry(component).or_default().push(at);
        }
    }

    /// Works out what a binding was from `from` to now, from the facts at hand.
    pub(super) fn derive(&mut self, rule: u32, binding: Binding, from: Time) {
        let net = &self.net.rules[rule as usize];
        let env = Env { binding: &binding, it: None };
        let mut spans: Vec<(Time, Time)> = Vec::new();
        let mut open: Option<Time> = None;
        let mut time = from;
        let next = loop {
            let (truth, next) = self.eval(&net.condition, &env, time);
            if truth.is_true() {
                open.get_or_insert(time);
            } else if let Some(since) = open.take() {
                spans.push((since, time));
            }
            if next > self.now {
                break next;
            }
            time = next.max(time.plus(1));
        };
        let (passes, until) = self.gates_pass(rule, &binding, self.now);
        let known = self.live.find(rule, &binding);
        let whole = net.shape == Shape::Whole;
        let clock = match (&net.shape, &net.condition) {
            (Shape::Lasting(duration), super::node::Node::Held { inner, .. }) if passes => self.unbroken(inner, &env, *duration),
            (Shape::Exact | Shape::Lasting(_) | Shape::Whole, _) => self.now,
        };
        let wanted = passes || open.is_some() || !spans.is_empty() || (whole && self.passed_since(rule, &binding, from));
        let Some(at) = known.or_else(|| if wanted { self.make(rule, binding) } else { None }) else { return };
        self.live.touch(at);
        let instance = &mut self.live.instances[at as usize];
        let before = instance.since;
        // What it was before `from` stays as it was.
        instance.held.retain_mut(|(since, until)| {
            *until = (*until).min(from);
            *since < *until
        });
        if let Some(since) = before.filter(|since| *since < from) {
            instance.held.push((since, from));
        }
        let mut since = open;
        let first = spans.first().map(|(start, _)| *start).or(open);
        if first == Some(from) && instance.held.last().is_some_and(|(_, until)| *until == from) {
            let joined = instance.held.pop().map_or(from, |(start, _)| start);
            match spans.first_mut() {
                Some(span) => span.0 = joined,
                None => since = Some(joined),
            }
        }
        instance.held.extend(spans);
        instance.blocked = super::live::ANY_PART;
        instance.since = since;
        instance.clock = clock;
        instance.last = self.now;
        match (before, since) {
            (None, Some(_)) => self.begins(at, from),
            (Some(_), None) => self.ends(at, from),
            (Some(_), Some(_)) | (None, None) => self.explanation(at, from),
        }
        self.live.set_live(at, passes);
        let due = if passes { next.min(until) } else { Time::MAX };
        let ripe = match self.net.rules[rule as usize].shape {
            Shape::Lasting(duration) if passes && clock.plus(duration) > self.now => clock.plus(duration),
            Shape::Exact | Shape::Lasting(_) | Shape::Whole => Time::MAX,
        };
        if due.min(ripe) < Time::MAX {
            self.live.wake(at, due.min(ripe));
        }
    }

    /// Since when, at most `duration` ago, a condition that is true now has been true.
    fn unbroken(&self, inner: &super::node::Node, env: &Env<'_>, duration: Duration) -> Time {
        let mut time = self.now.minus(duration);
        let mut since = None;
        loop {
            let (truth, next) = self.eval(inner, env, time);
            if truth.is_true() {
                since.get_or_insert(time);
            } else {
                since = None;
            }
            if next > self.now || time >= self.now {
                return since.unwrap_or(self.now);
            }
            time = next.max(time.plus(1));
        }
    }

    /// Whether the gates let a binding through at some instant from `from` on.
    fn passed_since(&self, rule: u32, binding: &[ComponentId], from: Time) -> bool {
        self.net.rules[rule as usize].clauses.iter().all(|clause| {
            clause.iter().any(|(role, atom)| {
                let role = &self.net.roles[*role as usize];
                self.in_role(role, binding).into_iter().any(|component| {
                    let (truth, next) = self.eval(&self.net.atoms[*atom as usize], &Env::it(component), from);
                    truth.is_true() || next <= self.now
                })
            })
        })
    }

    /// Ends a step: rules that ask what others explain, then what happened.
    pub(super) fn finish(&mut self, out: &mut Vec<Emitted>) {
        if let Some(from) = self.explained.take() {
            let late = from < self.now;
            for rule in self.net.asking.clone() {
                let list = if late { self.live.all_of[rule as usize].clone() } else { self.live.live_of[rule as usize].clone() };
                for at in list {
                    self.again(at, from.max(self.now.minus(self.lookback)), late);
                }
            }
        }
        for at in std::mem::take(&mut self.live.touched) {
            let instance = &mut self.live.instances[at as usize];
            let Some(before) = instance.before.take() else { continue };
            let changed = std::mem::take(&mut instance.changed);
            let event = match (before, instance.since) {
                (None, Some(_)) => Event::Started,
                (Some(_), None) => Event::Ended,
                (Some(old), Some(new)) if changed || old != new => Event::Changed,
                (Some(_), Some(_)) | (None, None) => continue,
            };
            out.push(Emitted { at: self.now, event, rule: instance.rule, finding: at });
        }
    }

    pub(super) fn forget_touched(&mut self) {
        self.finish(&mut Vec::new());
    }
}
