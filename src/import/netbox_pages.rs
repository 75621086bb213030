//! Answers of NetBox that are one page of many: how many records are missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::builder::Builder;
use super::tree;

/// The pages of each query, by its address without the position of a page.
#[derive(Default)]
pub(super) struct Pages<'s> {
    queries: BTreeMap<String, Query<'s>>,
}

struct Query<'s> {
    /// How many records there are, as the answers say it.
    count: usize,
    /// The keys of those that are in the files.
    seen: BTreeSet<u64>,
    /// Whether a page is the last one.
    ends: bool,
    source: &'s str,
}

impl<'s> Pages<'s> {
    /// Notes an answer that does not hold all records of its query.
    pub(super) fn add(&mut self, document: &Value, source: &'s str) {
        let results = tree::list(document, &["results"]);
        let count = document.get("count").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let next = tree::text(document, &["next"]);
        let neighbour = next.clone().or_else(|| tree::text(document, &["previous"]));
        if document.get("results").is_none() || (neighbour.is_none() && count <= results.len()) {
            return;
        }
        let address = neighbour.or_else(|| results.iter().find_map(of_record)).unwrap_or_else(|| source.to_owned());
        let new = || Query { count, seen: BTreeSet::new(), ends: false, source };
        let query = self.queries.entry(without_position(&address)).or_insert_with(new);
        query.count = query.count.max(count);
        query.ends |= next.is_none();
        query.seen.extend(results.iter().filter_map(|one| one.get("id").and_then(Value::as_u64)));
    }

    /// Says what is missing, for no page is asked for here.
    pub(super) fn report(self, builder: &mut Builder<'_>) {
        let why = "one page of several: save the others too, or ask for all with `?limit=0`";
        for (address, query) in self.queries {
            let missing = query.count.saturating_sub(query.seen.len());
            if missing > 0 {
                builder.skip(format!("{missing} of {} records of `{address}`", query.count), why, query.source);
            } else if query.count == 0 && !query.ends {
                builder.skip(format!("more records of `{address}`"), why, query.source);
            }
        }
    }
}

/// The list that a record is from: `https://n/api/dcim/devices/7/` is one of `https://n/api/dcim/devices/`.
pub(super) fn of_record(record: &Value) -> Option<String> {
    let url = tree::text(record, &["url"])?;
    let (list, _) = url.trim_end_matches('/').rsplit_once('/')?;
    Some(format!("{list}/"))
}

/// The address of a query, without what tells its pages apart.
fn without_position(address: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let is_position = |part: &str| ["limit=", "offset=", "cursor=", "start="].iter().any(|word| part.starts_with(word));
    let mut kept: Vec<&str> = query.split('&').filter(|part| !part.is_empty() && !is_position(part)).collect();
    kept.sort_unstable();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}
