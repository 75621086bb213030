//! What a snapshot says differently from its base: whole new answers for the few components, and the few groups, that changed.
//!
//! A component that changed, or that a relation or a group was added to or taken from, has all that concerns it in one [`Local`]; the
//! base is not asked about it any more. The indexes of the base stay as they are, with entries that no longer hold: who looks something
//! up there asks the component whether it is still so.

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::Direction;

use super::component::{Component, Group};
use super::csr::{OwnRow, Row};
use super::graph::{KindIndex, Link};
use super::pages::Pages;

#[derive(Debug, Clone, Default)]
pub(super) struct Overlay {
    /// By slot.
    pub locals: Pages<Arc<Local>>,
    /// Components that the base does not have, by id; also those that were removed again.
    pub added: Arc<BTreeMap<Arc<str>, Added>>,
    /// Slots by name, alias and type, where the base does not list them.
    pub names: Arc<Index>,
    pub aliases: Arc<Index>,
    pub types: Arc<Index>,
    /// By position: those of the base first, then those that it does not have. `None`: it was removed.
    pub groups: Pages<Option<Arc<Group>>>,
    pub added_groups: Arc<BTreeMap<Arc<str>, u32>>,
    /// Whether some relation has an effect of its own.
    pub effects: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Added {
    pub slot: u32,
    /// How many components of the base come before it.
    pub before: u32,
}

/// All about one component.
#[derive(Debug, Clone)]
pub(super) struct Local {
    pub component: Component,
    /// It was removed: nothing else holds.
    pub gone: bool,
    /// Relations that begin and that end here, by kind and other end.
    out: Vec<Link>,
    into: Vec<Link>,
    on: OwnRow,
    back: OwnRow,
    /// Positions of its groups, in the order of their ids.
    pub groups: Vec<u32>,
}

/// Which way along the travel of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    On,
    Back,
}

impl Local {
    pub fn new(component: Component) -> Self {
        let (out, into, groups) = (Vec::new(), Vec::new(), Vec::new());
        Local { component, gone: false, out, into, on: OwnRow::default(), back: OwnRow::default(), groups }
    }

    pub fn links(&self, direction: Direction) -> &[Link] {
        match direction {
            Direction::Outgoing => &self.out,
            Direction::Incoming => &self.into,
        }
    }

    fn list(&mut self, direction: Direction) -> &mut Vec<Link> {
        match direction {
            Direction::Outgoing => &mut self.out,
            Direction::Incoming => &mut self.into,
        }
    }

    pub fn link(&self, direction: Direction, kind: KindIndex, other: u32) -> Option<&Link> {
        let links = self.links(direction);
        links.get(find(links, kind, other).ok()?)
    }

    /// In any order; instead of those that it has.
    pub fn set_links(&mut self, direction: Direction, mut links: Vec<Link>) {
        links.sort_unstable_by_key(|link| (link.kind, link.other));
        *self.list(direction) = links;
    }

    /// A relation that is there already is replaced.
    pub fn put_link(&mut self, direction: Direction, link: Link) {
        let links = self.list(direction);
        match find(links, link.kind, link.other) {
            Ok(at) => {
                if let Some(known) = links.get_mut(at) {
                    *known = link;
                }
            }
            Err(at) => links.insert(at, link),
        }
    }

    pub fn remove_link(&mut self, direction: Direction, kind: KindIndex, other: u32) {
        let links = self.list(direction);
        if let Ok(at) = find(links, kind, other) {
            links.remove(at);
        }
    }

    pub fn row(&self, side: Side) -> Row<'_> {
        match side {
            Side::On => self.on.row(),
            Side::Back => self.back.row(),
        }
    }

    pub fn set_rows(&mut self, on: OwnRow, back: OwnRow) {
        (self.on, self.back) = (on, back);
    }
}

fn find(links: &[Link], kind: KindIndex, other: u32) -> Result<usize, usize> {
    links.binary_search_by_key(&(kind, other), |link| (link.kind, link.other))
}

/// Slots by a word.
#[derive(Debug, Clone, Default)]
pub(super) struct Index(BTreeMap<Arc<str>, Arc<[u32]>>);

impl Index {
    pub fn get(&self, word: &str) -> &[u32] {
        match self.0.get(word) {
            Some(slots) => slots,
            None => &[],
        }
    }

    pub fn add(&mut self, word: &str, slot: u32) {
        let known = self.get(word);
        if !known.contains(&slot) {
            let more: Arc<[u32]> = known.iter().copied().chain([slot]).collect();
            self.0.insert(word.into(), more);
        }
    }

    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|word| &**word)
    }
}
