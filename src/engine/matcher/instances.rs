//! Instances: rules with a binding that may match, match, or matched within the lookback.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use estate::ComponentId;
use value::Time;

use super::node::number;

/// Not in the list of all instances of its rule.
const UNLISTED: u32 = u32::MAX;

/// No part of a condition in particular.
pub(super) const ANY_PART: u16 = u16::MAX;

pub(super) type Binding = SmallVec<[ComponentId; 2]>;

/// What an instance was before the current step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// The step has not touched it.
    Untouched,
    Idle,
    Held(Time),
}

#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "independent marks")]
pub(super) struct Instance {
    pub rule: u32,
    pub binding: Binding,
    /// Its gates are open now.
    pub live: bool,
    /// Since when it holds.
    pub since: Option<Time>,
    /// Closed intervals in which it held, half open, ascending.
    pub held: Vec<(Time, Time)>,
    /// Since when its gates have been open.
    pub clock: Time,
    /// When it must be evaluated again; [`Time::MAX`]: never.
    pub timer: Time,
    /// The last instant at which it was live or held.
    pub last: Time,
    /// Its position in the list of live instances of its rule,
    place: u32,
    /// and in the list of all instances; [`UNLISTED`]: not in it.
    spot: u32,
    /// What it was before the current step, if the step has touched it.
    pub before: Before,
    /// Something that it reads has changed in the current step.
    pub changed: bool,
    /// The part of its condition that it waits for; [`ANY_PART`]: any.
    pub blocked: u16,
    /// The components that it explains are known.
    pub explaining: bool,
    /// No longer in use.
    pub gone: bool,
}

impl Instance {
    pub fn held_at(&self, at: Time) -> bool {
        self.since.is_some_and(|since| since <= at) || self.held.iter().any(|(from, until)| *from <= at && at < *until)
    }

    /// The next instant after `at` at which it begins or ceases to hold, as far as is known.
    pub fn next_change(&self, at: Time) -> Time {
        let all = self.held.iter().flat_map(|(from, until)| [*from, *until]).chain(self.since);
        all.filter(|time| *time > at).min().unwrap_or(Time::MAX)
    }
}

/// What a timer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Cell(u32),
    Instance(u32),
}

#[derive(Debug, Default)]
#[allow(clippy::struct_field_names, reason = "`live_of` a rule reads well beside `all_of`")]
pub(super) struct Live {
    pub instances: Vec<Instance>,
    free: Vec<u32>,
    /// By rule, variable and component.
    index: FxHashMap<u64, SmallVec<[u32; 2]>>, // lookup only
    /// Live instances of each rule.
    pub live_of: Vec<Vec<u32>>,
    /// All instances of each rule that is not decided by its gates, or has several variables.
    pub all_of: Vec<Vec<u32>>,
    /// How many instances of each rule hold.
    pub holding_of: Vec<u32>,
    /// Instances of rules that explain a component.
    pub explainers: FxHashMap<ComponentId, Vec<u32>>, // lookup only
    timers: BinaryHeap<Reverse<(Time, Due)>>,
    /// Touched in the current step.
    pub touched: Vec<u32>,
}

fn key(rule: u32, variable: usize, component: ComponentId) -> u64 {
    (u64::from(rule) << 36) | ((variable.min(15) as u64) << 32) | u64::from(component.0)
}

impl Live {
    pub fn new(rules: usize) -> Self {
        Live { live_of: vec![Vec::new(); rules], all_of: vec![Vec::new(); rules], holding_of: vec![0; rules], ..Live::default() }
    }

    pub fn find(&self, rule: u32, binding: &[ComponentId]) -> Option<u32> {
        let first = binding.first().copied().unwrap_or(super::store::NOWHERE);
        let found = self.index.get(&key(rule, 0, first))?;
        if binding.len() == 1 {
            return found.first().copied();
        }
        found.iter().copied().find(|at| self.instances[*at as usize].binding.as_slice() == binding)
    }

    /// Instances of a rule in which a variable is bound to a component.
    pub fn with(&self, rule: u32, variable: usize, component: ComponentId) -> SmallVec<[u32; 4]> {
        let found = self.index.get(&key(rule, variable, component)).map(SmallVec::as_slice).unwrap_or_default();
        if variable < 15 {
            return SmallVec::from_slice(found);
        }
        found.iter().copied().filter(|at| self.instances[*at as usize].binding.get(variable) == Some(&component)).collect()
    }

    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.instances.len() - self.free.len()
    }

    /// `listed`: in the list of all instances of the rule.
    pub fn add(&mut self, rule: u32, binding: &Binding, now: Time, listed: bool) -> u32 {
        let instance = Instance {
            rule,
            binding: binding.clone(),
            live: false,
            since: None,
            held: Vec::new(),
            clock: now,
            timer: Time::MAX,
            last: now,
            place: 0,
            spot: UNLISTED,
            before: Before::Untouched,
            changed: false,
            blocked: ANY_PART,
            explaining: false,
            gone: false,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.instances[at as usize] = instance;
                at
            }
            None => {
                self.instances.push(instance);
                number(self.instances.len() - 1)
            }
        };
        for (variable, component) in binding.iter().enumerate() {
            self.index.entry(key(rule, variable, *component)).or_default().push(at);
        }
        if binding.is_empty() {
            self.index.entry(key(rule, 0, super::store::NOWHERE)).or_default().push(at);
        }
        if listed {
            let all = &mut self.all_of[rule as usize];
            self.instances[at as usize].spot = number(all.len());
            all.push(at);
        }
        at
    }

    pub fn remove(&mut self, at: u32) {
        self.set_live(at, false);
        let instance = &mut self.instances[at as usize];
        instance.gone = true;
        instance.timer = Time::MAX;
        instance.held = Vec::new();
        let (rule, binding) = (instance.rule, std::mem::take(&mut instance.binding));
        let mut forget = |key: u64| {
            if let Some(list) = self.index.get_mut(&key) {
                list.retain(|other| *other != at);
                if list.is_empty() {
                    self.index.remove(&key);
                }
            }
        };
        for (variable, component) in binding.iter().enumerate() {
            forget(key(rule, variable, *component));
        }
        if binding.is_empty() {
            forget(key(rule, 0, super::store::NOWHERE));
        }
        let spot = self.instances[at as usize].spot;
        if spot != UNLISTED {
            let all = &mut self.all_of[rule as usize];
            all.swap_remove(spot as usize);
            if let Some(&moved) = all.get(spot as usize) {
                self.instances[moved as usize].spot = spot;
            }
        }
        self.free.push(at);
    }

    pub fn set_live(&mut self, at: u32, live: bool) {
        let instance = &mut self.instances[at as usize];
        if instance.live == live {
            return;
        }
        instance.live = live;
        let list = &mut self.live_of[instance.rule as usize];
        if live {
            instance.place = number(list.len());
            list.push(at);
        } else {
            let place = instance.place as usize;
            list.swap_remove(place);
            if let Some(&moved) = list.get(place) {
                self.instances[moved as usize].place = number(place);
            }
        }
    }

    /// Records its state before the step, once a step.
    pub fn touch(&mut self, at: u32) {
        let instance = &mut self.instances[at as usize];
        if instance.before == Before::Untouched {
            instance.before = instance.since.map_or(Before::Idle, Before::Held);
            self.touched.push(at);
        }
    }

    /// Makes sure that it is evaluated by `time`.
    pub fn wake(&mut self, at: u32, time: Time) {
        let instance = &mut self.instances[at as usize];
        if time < instance.timer {
            instance.timer = time;
            self.timers.push(Reverse((time, Due::Instance(at))));
        }
    }

    pub fn wake_cell(&mut self, at: u32, time: Time) {
        self.timers.push(Reverse((time, Due::Cell(at))));
    }

    /// When the next timer is due.
    pub fn next_due(&self) -> Option<Time> {
        self.timers.peek().map(|Reverse((time, _))| *time)
    }

    /// The earliest timer that is due by `until`.
    pub fn due(&mut self, until: Time) -> Option<(Time, Due)> {
        let Reverse((time, due)) = *self.timers.peek()?;
        if time > until {
            return None;
        }
        self.timers.pop();
        Some((time, due))
    }
}
