//! Puts a fact into the store and notifies the rules that it affects.

use std::sync::Arc;

use smallvec::SmallVec;

use estate::ComponentId;
use value::{Time, Truth};

use super::bloom::Bloom;
use super::eval::Env;
use super::gates::Operand;
use super::network::{MetricId, PatternId, Use};
use super::store::{Hit, Known, NOWHERE, Teller};
use super::thresholds::{Statistic, Watch};
use super::{Matcher, Outcome};
use signal::{SeriesKey, Signal};

impl Matcher {
    /// A sample on a component, which tells the metric of all for which it comes and goes too.
    pub(super) fn take_sample(&mut self, of: ComponentId, metric: MetricId, series: &Arc<SeriesKey>, time: Time, value: f64) -> Outcome {
        let mut outcome = Outcome::Unread;
        for Teller { of: component, level } in self.net.tells(of, metric) {
            let teller = Teller { of, level: level + u8::from(series.instance.is_some()) };
            let one = self.take_into(component, teller, metric, series, (time, value));
            outcome = match (outcome, one) {
                (Outcome::Taken, _) | (_, Outcome::Taken) => Outcome::Taken,
                (Outcome::Unread, one) => one,
                (known, _) => known,
            };
        }
        outcome
    }

    /// The same, for one component whose metric it tells.
    fn take_into(
        &mut self,
        component: ComponentId,
        teller: Teller,
        metric: MetricId,
        series: &Arc<SeriesKey>,
        (time, value): (Time, f64),
    ) -> Outcome {
        let old_cell = self.store.cell_at(component, metric);
        let Some(at) = old_cell.or_else(|| self.make_cell(component, metric)) else { return Outcome::Unread };
        let staleness = self.store.cells[at as usize].staleness;
        // The last sample before the kept period is kept too, however old, to report its time.
        let kept = self.now.minus(self.keeps(metric, staleness));
        if time < kept && self.store.cells[at as usize].has_between(teller.of, series, time, kept) {
            return Outcome::TooLate;
        }
        let late = time < self.now;
        self.make_room(at, teller.of, series);
        let cell = &self.store.cells[at as usize];
        let (before, until) = cell.at(time);
        // The value stays in the range where no bound is true: no rule is affected.
        if cell.plain && cell.is_only(teller.of, series) && cell.is_quiet(value) && before.is_none_or(|old| cell.is_quiet(old)) {
            let Some(added) = self.store.cells[at as usize].put(teller, series, time, value) else { return Outcome::Duplicate };
            self.store.samples += added;
            self.heard_of(Some(component));
            self.mark_holders(at);
            return Outcome::Taken;
        }
        let watches = cell.watches.clone();
        let mut told = std::mem::take(&mut self.told);
        told.clear();
        // Computed values, before and after.
        let env = Env::it(component);
        let (counts, truths) = if late { Default::default() } else { self.worked_out(at, time) };
        let cell = &mut self.store.cells[at as usize];
        let Some(added) = cell.put(teller, series, time, value) else {
            self.told = told;
            return Outcome::Duplicate;
        };
        self.store.samples += added;
        let many = cell.series.len() > 1;
        let (after, sure_until) = cell.at(time);
        let mut known = std::mem::take(&mut self.known);
        known.clear();
        // A value that would have gone stale by now may stay known for longer.
        let revived = late && until <= self.now;
        let (mut listed_at, mut table_at, mut windows) = (0, 0, false);
        for &watch in &watches {
            let watch = &self.net.watches[watch as usize];
            for table in &watch.tables {
                if late && many {
                    told.extend_from_slice(&table.uses);
                    continue;
                }
                windows |= table.source.moving().is_some();
                if table.source.is_windowed() {
                    if late {
                        told.extend_from_slice(&table.uses);
                    } else {
                        let new = table.held(self.reading(&self.store.cells[at as usize], table.source, time));
                        let old = counts[table_at];
                        table_at += 1;
                        told.extend_from_slice(table.between(old.min(new), old.max(new)));
                    }
                    continue;
                }
                let (old, new) = (table.held(before.map(Statistic::Value)), table.held(after.map(Statistic::Value)));
                match table.source {
                    Operand::Statistic(..) | Operand::Trend { .. } => {}
                    Operand::Now if late => told.extend_from_slice(table.between(if revived { 0 } else { old.min(new) }, old.max(new))),
                    Operand::Now => {
                        let gate = if new > old { (Truth::True, sure_until) } else { (Truth::False, Time::MAX) };
                        known.extend(table.between(old.min(new), old.max(new)).iter().map(|what| (*what, gate)));
                    }
                    // A sample that was replaced, or changed by another series at its time, may have been the extreme one.
                    Operand::Extreme(_) => told.extend_from_slice(table.between(0, if added == 0 || many { old.max(new) } else { new })),
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
            let awake = |what: &&Use| !self.live.all_of[what.rule as usize].is_empty() || self.net.hot[what.rule as usize].anchor.is_some();
            told.extend(watch.raw.iter().filter(awake));
        }
        self.add_any_metric(component, &mut told);
        self.mark_holders(at);
        if many || windows {
            self.arm_cell(at);
        }
        self.heard_of(Some(component));
        self.reading = component;
        let mut sieve = Bloom::new(component);
        for &(what, gate) in &known {
            if self.lets_through(&mut sieve, what) {
                self.tell_that(what, component, time, Some(gate));
            }
        }
        for &what in &told {
            if late || self.lets_through(&mut sieve, what) {
                self.notify(what, component, time);
            }
        }
        self.reading = NOWHERE;
        (self.told, self.known) = (told, known);
        Outcome::Taken
    }

    fn make_room(&mut self, at: u32, of: ComponentId, series: &Arc<SeriesKey>) {
        let gone = self.store.cells[at as usize].make_room(of, series);
        self.store.samples -= gone;
        self.stats.samples_let_go += gone as u64;
    }

    /// The values computed from a cell at an instant: how many bounds of each table are true, and which other conditions.
    fn worked_out(&self, at: u32, time: Time) -> (SmallVec<[u32; 8]>, SmallVec<[Truth; 8]>) {
        let cell = &self.store.cells[at as usize];
        let watches = || cell.watches.iter().map(|w| &self.net.watches[*w as usize]);
        let tables = watches().flat_map(|watch| &watch.tables).filter(|table| table.source.is_windowed());
        let counts = tables.map(|table| table.held(self.reading(cell, table.source, time))).collect();
        let env = Env::it(cell.component);
        let truths = watches().flat_map(|watch| &watch.listed).map(|listed| self.eval(&listed.node, &env, time).0).collect();
        (counts, truths)
    }

    /// The uses that any sample of a component affects.
    fn add_any_metric(&mut self, component: ComponentId, told: &mut Vec<Use>) {
        if self.net.any_metric.is_empty() {
            return;
        }
        let class = self.class(component);
        for slot in &self.classes[class as usize] {
            told.extend(self.net.any_metric.get(slot).into_iter().flatten());
        }
    }

    /// A new cell with its watches. Findings that read it before it had a sample refer to it from now on.
    pub(super) fn make_cell(&mut self, component: ComponentId, metric: MetricId) -> Option<u32> {
        let mut cell = self.new_cell(component, metric)?;
        let class = self.class(component);
        for slot in &self.classes[class as usize] {
            cell.watches.extend(self.net.watch(*slot, metric));
        }
        for watch in cell.watches.iter().map(|w| &self.net.watches[*w as usize]) {
            cell.quiet = (cell.quiet.0.max(watch.quiet.0), cell.quiet.1.min(watch.quiet.1));
            let windowed = watch.tables.iter().any(|table| table.source.is_windowed());
            cell.plain &= watch.listed.is_empty() && watch.raw.is_empty() && !windowed;
        }
        cell.plain &= self.net.any_metric.is_empty();
        let at = self.store.add_cell(cell);
        let mut holders = Vec::new();
        for watch in self.store.cells[at as usize].watches.iter().map(|w| &self.net.watches[*w as usize]) {
            for what in &watch.partial {
                if self.live.holding_of[what.rule as usize] == 0 {
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

    /// Schedules a check for the instant at which the value or statistics of a cell may change without a sample.
    pub(super) fn arm_cell(&mut self, at: u32) {
        let cell = &self.store.cells[at as usize];
        let mut next = if cell.series.len() > 1 { cell.at(self.now).1 } else { Time::MAX };
        let watches = cell.watches.iter().map(|w| &self.net.watches[*w as usize]);
        for window in watches.flat_map(Watch::windows) {
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

    /// Any condition on the cell that is true now may have just become true.
    pub(super) fn cell_due(&mut self, at: u32) {
        let cell = &mut self.store.cells[at as usize];
        cell.timer = Time::MAX;
        let component = cell.component;
        let cell = &self.store.cells[at as usize];
        let watches = cell.watches.clone();
        let mut uses: Vec<Use> = Vec::new();
        for watch in watches.iter().map(|w| &self.net.watches[*w as usize]) {
            for table in &watch.tables {
                if !matches!(table.source, Operand::Extreme(_)) {
                    uses.extend_from_slice(table.between(0, table.held(self.reading(cell, table.source, self.now))));
                }
            }
            for listed in &watch.listed {
                if self.eval(&listed.node, &Env::it(component), self.now).0.is_true() {
                    uses.extend_from_slice(&listed.uses);
                }
            }
        }
        for what in uses {
            self.notify(what, component, self.now);
        }
        self.arm_cell(at);
    }

    pub(super) fn take_signal(&mut self, signal: &Arc<Signal>, identity: u64, patterns: &[PatternId]) -> Outcome {
        let (start, end) = signal.extent();
        let slot = self.store.known.get_mut(&identity);
        if let Some(known) = slot.and_then(|slot| slot.iter_mut().find(|known| known.signal.is_same(signal))) {
            // The resolution of a known alert may be new.
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
            let places = self.net.places(component);
            let updated = Arc::new(Signal::Alert(alert));
            known.signal = Arc::clone(&updated);
            let patterns = known.patterns.clone();
            for &pattern in &patterns {
                for place in places.iter().copied().chain([NOWHERE]) {
                    let Some(at) = self.store.list_at(place, pattern) else { continue };
                    let list = &mut self.store.lists[at as usize];
                    list.longest = list.longest.max(new_end.since(start));
                    if let Some(hit) = list.position(&updated).and_then(|at| list.hits.get_mut(at)) {
                        hit.end = new_end;
                        hit.signal = Arc::clone(&updated);
                    }
                    self.store.is_recent(at);
                }
            }
            self.tell_patterns(component, &patterns, new_end.min(old_end));
            return Outcome::Taken;
        }
        if end < self.now.minus(self.keeps_signals()) {
            return Outcome::TooLate;
        }
        self.store_signal(signal, identity, patterns);
        self.tell_patterns(signal.component(), patterns, start);
        Outcome::Taken
    }

    pub(super) fn store_signal(&mut self, signal: &Arc<Signal>, identity: u64, patterns: &[PatternId]) {
        let (start, end) = signal.extent();
        let places = self.net.places(signal.component());
        self.store.known.entry(identity).or_default().push(Known { signal: Arc::clone(signal), patterns: SmallVec::from_slice(patterns) });
        for &pattern in patterns {
            let anywhere = self.net.names.patterns[pattern.0 as usize].anywhere;
            for place in places.iter().copied().chain(anywhere.then_some(NOWHERE)) {
                let list = self.store.list_or_new(place, pattern);
                self.store.lists[list as usize].put(Hit { start, end, signal: Arc::clone(signal) });
                self.store.is_recent(list);
                self.store.hits += 1;
            }
        }
    }

    pub(super) fn tell_patterns(&mut self, component: Option<ComponentId>, patterns: &[PatternId], from: Time) {
        let places = self.net.places(component);
        self.heard_of(component);
        for place in places.iter().skip(1) {
            self.heard_of(Some(*place));
        }
        self.tell_patterns_at(component, patterns, from);
        for place in places.into_iter().skip(1) {
            self.tell_patterns_at(Some(place), patterns, from);
        }
    }

    fn tell_patterns_at(&mut self, component: Option<ComponentId>, patterns: &[PatternId], from: Time) {
        let mut told = std::mem::take(&mut self.told);
        told.clear();
        let class = component.map(|component| self.class(component));
        let class = class.and_then(|class| self.classes.get(class as usize)).map(SmallVec::as_slice).unwrap_or_default();
        for &pattern in patterns {
            told.extend(self.net.event_uses(class, pattern));
        }
        let component = component.unwrap_or(NOWHERE);
        let mut sieve = Bloom::new(component);
        for &what in &told {
            if from < self.now || self.lets_through(&mut sieve, what) {
                self.notify(what, component, from);
            }
        }
        self.told = told;
    }

    pub(super) fn take_probe(&mut self, probe: &Arc<signal::Probe>) -> Outcome {
        let Some(component) = probe.component else { return Outcome::Unread };
        if probe.time < self.now.minus(self.keeps_signals()) {
            return Outcome::TooLate;
        }
        let places = self.net.places(Some(component));
        let mut fresh = false;
        for place in &places {
            fresh |= self.store.put_probe(*place, probe);
        }
        if !fresh {
            return Outcome::Duplicate;
        }
        for place in places {
            let class = self.class(place);
            let uses: Vec<Use> = self.classes[class as usize].iter().flat_map(|slot| self.net.probe_uses(*slot)).copied().collect();
            for what in uses {
                self.notify(what, place, probe.time);
            }
        }
        Outcome::Taken
    }
}
