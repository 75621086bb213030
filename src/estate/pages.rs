//! A table with few entries. A copy shares its pages with the original until one of them changes, so that the next version of a
//! table costs what differs.

use std::sync::Arc;

const PAGE: usize = 64;

type Page<T> = [Option<T>; PAGE];

#[derive(Debug, Clone)]
pub(super) struct Pages<T> {
    /// A word for each page, a bit for each entry: a lookup that finds nothing, as nearly all do, reads nothing else.
    filled: Vec<u64>,
    held: Vec<Option<Arc<Page<T>>>>,
    entries: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages { filled: Vec::new(), held: Vec::new(), entries: 0 }
    }
}

fn place(at: u32) -> (usize, usize) {
    (at as usize / PAGE, at as usize % PAGE)
}

impl<T: Clone> Pages<T> {
    /// Entries.
    pub fn len(&self) -> usize {
        self.entries
    }

    pub fn get(&self, at: u32) -> Option<&T> {
        let (page, nth) = place(at);
        if (*self.filled.get(page)? >> nth) & 1 == 0 {
            return None;
        }
        self.held.get(page)?.as_ref()?.get(nth)?.as_ref()
    }

    pub fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        let (page, nth) = place(at);
        Arc::make_mut(self.held.get_mut(page)?.as_mut()?).get_mut(nth)?.as_mut()
    }

    pub fn set(&mut self, at: u32, value: T) {
        let (page, nth) = place(at);
        if self.held.len() <= page {
            self.held.resize(page + 1, None);
            self.filled.resize(page + 1, 0);
        }
        let (Some(word), Some(slot)) = (self.filled.get_mut(page), self.held.get_mut(page)) else { return };
        let entries = Arc::make_mut(slot.get_or_insert_with(|| Arc::new(std::array::from_fn(|_| None))));
        if let Some(entry) = entries.get_mut(nth) {
            self.entries += usize::from(entry.is_none());
            *word |= 1 << nth;
            *entry = Some(value);
        }
    }

    /// The positions of all entries, ascending.
    pub fn positions(&self) -> impl Iterator<Item = u32> + '_ {
        let pages = self.filled.iter().zip((0u32..).step_by(PAGE)).filter(|(word, _)| **word != 0);
        pages.flat_map(|(word, first)| (0u32..64).filter(move |nth| (word >> nth) & 1 == 1).map(move |nth| first + nth))
    }
}

#[cfg(test)]
mod tests {
    use super::Pages;

    #[test]
    fn a_copy_does_not_see_later_changes() {
        let mut table: Pages<u32> = Pages::default();
        for at in [3, 64, 1_000, 63] {
            table.set(at, at * 2);
        }
        let before = table.clone();
        table.set(64, 5);
        table.set(65, 6);
        *table.get_mut(3).unwrap() = 7;
        assert!(table.get_mut(4).is_none() && table.get_mut(100_000).is_none());
        let all = |table: &Pages<u32>| table.positions().map(|at| (at, *table.get(at).unwrap())).collect::<Vec<_>>();
        assert_eq!(all(&before), [(3, 6), (63, 126), (64, 128), (1_000, 2_000)]);
        assert_eq!(all(&table), [(3, 7), (63, 126), (64, 5), (65, 6), (1_000, 2_000)]);
        assert_eq!((before.len(), table.len(), table.get(66)), (4, 5, None));
    }
}
