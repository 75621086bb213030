//! Relations that wait for a component: they are declared, and an end is not there. They are drawn when it comes. There are few of them,
//! as a rule none, and without this list all relations would have to be looked through for each component that comes.

use redb::{ReadableTableMetadata, WriteTransaction};

use super::StoreError;
use super::records::Key;
use super::tables::{Rows, WAITING, keys_with, push_bytes};

/// The list, open for writing.
pub(super) struct Waiting<'t>(Rows<'t>);

impl<'t> Waiting<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self(transaction.open_table(WAITING)?))
    }

    /// The relation with this key waits for a component.
    pub(super) fn note(&mut self, id: &str, relation: &[u8]) -> Result<(), StoreError> {
        self.0.insert(waiting_key(id, relation).as_slice(), b"".as_slice())?;
        Ok(())
    }

    /// A relation is no longer declared.
    pub(super) fn forget(&mut self, relation: &Key) -> Result<(), StoreError> {
        if self.0.is_empty()? {
            return Ok(());
        }
        let ([from, _, to], bytes) = (relation.texts(), relation.bytes());
        for id in [from, to] {
            self.0.remove(waiting_key(id, &bytes).as_slice())?;
        }
        Ok(())
    }

    /// The keys of those that wait for this component. They are taken off the list.
    pub(super) fn take(&mut self, id: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        if self.0.is_empty()? {
            return Ok(Vec::new());
        }
        let prefix = waiting_key(id, &[]);
        let keys = keys_with(&self.0, &prefix)?;
        for key in &keys {
            self.0.remove(key.as_slice())?;
        }
        Ok(keys.iter().filter_map(|key| key.strip_prefix(prefix.as_slice())).map(<[u8]>::to_vec).collect())
    }
}

fn waiting_key(id: &str, relation: &[u8]) -> Vec<u8> {
    let mut key = Vec::new();
    push_bytes(&mut key, id.as_bytes());
    key.extend_from_slice(relation);
    key
}

#[cfg(test)]
mod tests {
    use std::fs;

    use redb::{ReadableDatabase, ReadableTableMetadata};

    use crate::tables::{EDGES, LISTED, META, WAITING, write_to};
    use crate::{Changeset, GIT, Store, check};
    use ::estate::{DeclaredComponent, DeclaredRelation};

    fn component(id: &str) -> DeclaredComponent {
        DeclaredComponent { id: id.to_owned(), kind: "service".to_owned(), origin: GIT.to_owned(), ..DeclaredComponent::default() }
    }

    /// A store from before there was a list: it is whole, and what waits in it is found.
    #[test]
    fn older_stores_get_their_list() {
        let dir = std::env::temp_dir().join(format!("faultscope-waiting-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let path = dir.join("estate.redb");
        let store = Store::open(&path).unwrap();
        let relation = |to: &str| DeclaredRelation {
            from: "a".to_owned(),
            kind: "calls".to_owned(),
            to: to.to_owned(),
            origin: GIT.to_owned(),
            ..DeclaredRelation::default()
        };
        let changes =
            Changeset { put_components: vec![component("a")], put_relations: vec![relation("b"), relation("c")], ..Changeset::default() };
        store.apply(&changes, "test", "", GIT, 0).unwrap().unwrap();
        let transaction = write_to(&store.db).unwrap();
        transaction.delete_table(WAITING).unwrap();
        transaction.open_table(META).unwrap().remove(LISTED).unwrap();
        transaction.commit().unwrap();
        drop(store);
        assert!(check(&path).unwrap().is_whole());
        let store = Store::open(&path).unwrap();
        assert_eq!(store.apply(&Changeset::default(), "test", "", GIT, 0).unwrap(), None);
        let edges = || store.db.begin_read().unwrap().open_table(EDGES).unwrap().len().unwrap();
        assert_eq!(edges(), 0);
        for (id, drawn) in [("b", 1), ("c", 2)] {
            let changes = Changeset { put_components: vec![component(id)], ..Changeset::default() };
            store.apply(&changes, "test", "", GIT, 0).unwrap().unwrap();
            assert_eq!(edges(), drawn, "{id}");
        }
        drop(store);
        fs::remove_dir_all(&dir).unwrap();
    }
}
