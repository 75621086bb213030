//! Tables as CSV: components, or relations, told apart by the columns.

use std::collections::BTreeMap;

use diag::text;
use estate::State;

use super::builder::Builder;
use super::{DeclaredComponent, Source, Written};

/// Columns of our own, under their Chinese names too.
const COLUMNS: [(&str, &str); 17] = [
    ("id", "id"),
    ("编号", "id"),
    ("type", "type"),
    ("类型", "type"),
    ("name", "name"),
    ("名称", "name"),
    ("owner", "owner"),
    ("负责人", "owner"),
    ("tier", "tier"),
    ("级别", "tier"),
    ("environment", "environment"),
    ("环境", "environment"),
    ("from", "from"),
    ("kind", "kind"),
    ("to", "to"),
    ("effect", "effect"),
    ("影响", "effect"),
];

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    for source in sources {
        table(builder, source);
    }
}

fn table(builder: &mut Builder<'_>, source: &Source) {
    let text = source.text.strip_prefix('\u{FEFF}').unwrap_or(&source.text);
    let first = text.lines().next().unwrap_or("");
    let delimiter = [b',', b';', b'\t'].into_iter().find(|one| first.contains(char::from(*one))).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let columns: Vec<String> = match reader.headers() {
        Ok(headers) => headers.iter().map(column).collect(),
        Err(error) => {
            builder.fail(&source.name, text!("invalid CSV: {}", error));
            return;
        }
    };
    let has = |name: &str| columns.iter().any(|column| column == name);
    let relations = has("from") && has("to");
    if !relations && !has("id") {
        builder.fail_foreign(&source.name);
        return;
    }
    for (number, record) in reader.records().enumerate() {
        let line = number + 2;
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                builder.skip(format!("record {line}"), format!("invalid CSV: {error}"), &source.name);
                continue;
            }
        };
        let cells = columns.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
        let row: BTreeMap<&str, &str> = cells.map(|(column, cell)| (column.as_str(), cell)).collect();
        if row.is_empty() {
            continue;
        }
        if relations {
            relation(builder, &row, line, source);
        } else {
            component(builder, &row, line, source);
        }
    }
}

/// The name of a column of ours, or the column's own.
fn column(header: &str) -> String {
    let lower = header.to_lowercase();
    COLUMNS.iter().find(|(given, _)| *given == lower).map_or_else(|| header.to_owned(), |(_, name)| (*name).to_owned())
}

fn relation(builder: &mut Builder<'_>, row: &BTreeMap<&str, &str>, line: usize, source: &Source) {
    match (row.get("from"), row.get("to")) {
        (Some(from), Some(to)) => {
            let word = row.get("effect").map(|word| word.to_lowercase());
            let effect = word.as_deref().and_then(|word| State::NAMES.into_iter().find(|(name, _)| *name == word)).map(|(_, state)| state);
            if let Some(word) = word.filter(|_| effect.is_none()) {
                builder.skip(format!("effect `{word}` of record {line}"), "expected `down`, `degraded` or `at_risk`", &source.name);
            }
            builder.relate_with(from, row.get("kind").unwrap_or(&"depends_on"), to, effect, &source.name);
        }
        (Some(_) | None, Some(_) | None) => builder.skip(format!("record {line}"), "`from` or `to` is missing", &source.name),
    }
}

fn component(builder: &mut Builder<'_>, row: &BTreeMap<&str, &str>, line: usize, source: &Source) {
    let cell = |name: &str| row.get(name).map(|cell| (*cell).to_owned());
    let Some(id) = cell("id") else {
        builder.skip(format!("record {line}"), "`id` is missing", &source.name);
        return;
    };
    let own = ["id", "type", "name", "owner", "tier", "environment"];
    let others = row.iter().filter(|(name, _)| !own.contains(*name) && !name.is_empty());
    let attributes = others.map(|(name, cell)| ((*name).to_owned(), Written::Text((*cell).to_owned()))).collect();
    let component = DeclaredComponent {
        id,
        kind: cell("type").unwrap_or_else(|| estate::ROOT_TYPE.to_owned()),
        name: cell("name"),
        owner: cell("owner"),
        environment: cell("environment"),
        tier: cell("tier"),
        attributes,
        ..DeclaredComponent::default()
    };
    builder.add(component, &source.name);
}
