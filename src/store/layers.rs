//! The declarations of the origins, as rows: those of one item are adjacent, and the estate as it is follows from them.

use std::collections::BTreeMap;

use redb::{Range, ReadOnlyTable, ReadTransaction};

use super::StoreError;
use super::records::{Item, cut_key, merge};
use super::tables::{Cut, LAYERS, Row, bad_key};

/// What the origins say about one item: the value of each row, by origin.
pub(super) type Layers = BTreeMap<String, Vec<u8>>;

/// Where the declaration of an origin is.
pub(super) fn layer_key(item: &[u8], origin: &str) -> Vec<u8> {
    [item, origin.as_bytes()].concat()
}

/// The key of the item, and the origin.
pub(super) fn split(at: &[u8]) -> Result<(&[u8], &str), StoreError> {
    let mut cut = Cut(at);
    cut_key(&mut cut)?;
    let (item, origin) = at.split_at_checked(at.len() - cut.0.len()).ok_or_else(bad_key)?;
    Ok((item, std::str::from_utf8(origin).map_err(|_| bad_key())?))
}

/// The item that layers add up to.
pub(super) fn merged(item: &[u8], layers: &Layers) -> Result<Option<Item>, StoreError> {
    let layers = layers.iter().map(|(origin, value)| Item::read(item, origin, value));
    Ok(merge(layers.collect::<Result<_, _>>()?))
}

/// Rows in the order of their keys, gathered by item.
#[derive(Default)]
pub(super) struct Gathered {
    item: Vec<u8>,
    layers: Vec<Item>,
}

impl Gathered {
    /// Takes the next row. If it begins another item, the layers of the one before; else none.
    pub(super) fn row(&mut self, at: &[u8], value: &[u8]) -> Result<Vec<Item>, StoreError> {
        let (item, origin) = split(at)?;
        let layer = Item::read(item, origin, value)?;
        let mut before = Vec::new();
        if item != self.item.as_slice() {
            before = std::mem::take(&mut self.layers);
            self.item.clear();
            self.item.extend_from_slice(item);
        }
        self.layers.push(layer);
        Ok(before)
    }

    /// The layers of the last item.
    pub(super) fn last(self) -> Vec<Item> {
        self.layers
    }
}

/// The layers of each item, in the order of keys. One by one from the file: their bytes need not all be in memory as well.
pub(super) fn each_item(view: &ReadTransaction, mut take: impl FnMut(Vec<Item>)) -> Result<(), StoreError> {
    let table = view.open_table(LAYERS)?;
    let mut gathered = Gathered::default();
    for entry in table.range::<&[u8]>(..)? {
        let (at, value) = entry?;
        take(gathered.row(at.value(), value.value())?);
    }
    take(gathered.last());
    Ok(())
}

/// So many rows in between are passed over faster than the tree is searched.
const NEAR: usize = 16;

/// The layers as they were before a change, which is made in the order of keys: a large change reads them once, from the
/// beginning to the end; a small one looks up what it needs.
pub(super) struct Before {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    rows: Range<'static, &'static [u8], &'static [u8]>,
    next: Option<Row>,
}

impl Before {
    pub(super) fn open(view: &ReadTransaction) -> Result<Self, StoreError> {
        let table = view.open_table(LAYERS)?;
        let rows = table.range::<&[u8]>(..)?;
        let mut before = Self { table, rows, next: None };
        before.step()?;
        Ok(before)
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.next.is_none()
    }

    /// Those of one item. Items are asked in the order of their keys.
    pub(super) fn of(&mut self, item: &[u8]) -> Result<Layers, StoreError> {
        let mut passed = 0;
        while self.next.as_ref().is_some_and(|(at, _)| at.as_slice() < item) {
            if passed == NEAR {
                self.rows = self.table.range::<&[u8]>(item..)?;
            }
            passed += 1;
            self.step()?;
        }
        let mut layers = Layers::new();
        while let Some((at, value)) = self.next.take_if(|(at, _)| at.starts_with(item)) {
            let (_, origin) = split(&at)?;
            layers.insert(origin.to_owned(), value);
            self.step()?;
        }
        Ok(layers)
    }

    fn step(&mut self) -> Result<(), StoreError> {
        self.next = match self.rows.next() {
            Some(entry) => {
                let (at, value) = entry?;
                Some((at.value().to_vec(), value.value().to_vec()))
            }
            None => None,
        };
        Ok(())
    }
}
