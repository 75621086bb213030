//! Backstage catalogues: `catalog-info.yaml` files or the entities that the API answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::builder::Builder;
use super::{DeclaredComponent, Source, Written, guess, names, tree};

/// Kind, namespace and name, all in lower case: Backstage compares them in any case.
type Reference = (String, String, String);

const IMPORTED: [&str; 5] = ["component", "api", "resource", "system", "domain"];

struct Entity<'s> {
    reference: Reference,
    /// As it is written.
    name: String,
    value: Value,
    source: &'s str,
}

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    let entities = collect(builder, sources);
    let entries: Vec<(Reference, Vec<String>)> = entities
        .iter()
        .map(|entity| {
            let (kind, namespace, _) = &entity.reference;
            let name = &entity.name;
            let full = format!("{kind}:{namespace}/{name}");
            (entity.reference.clone(), vec![name.clone(), format!("{kind}/{name}"), full])
        })
        .collect();
    let ids = names::unique(&entries);
    for entity in &entities {
        if let Some(id) = ids.get(&entity.reference) {
            component(builder, entity, id);
        }
    }
    for entity in &entities {
        if let Some(id) = ids.get(&entity.reference) {
            relations(builder, entity, id, &ids);
        }
    }
}

fn collect<'s>(builder: &mut Builder<'_>, sources: &'s [Source]) -> Vec<Entity<'s>> {
    let mut entities: BTreeMap<Reference, Entity<'s>> = BTreeMap::new();
    let mut pages = Pages::default();
    for source in sources {
        let documents = builder.documents(source);
        if documents.is_empty() {
            continue;
        }
        let mut found = false;
        let mut failures = Vec::new();
        for (document, number) in documents.iter().zip(1..) {
            pages.add(document, &source.name);
            failures.extend(tree::text(document, &["error", "message"]).map(|said| (number, said)));
        }
        let lists = documents.into_iter().flat_map(|document| match document {
            Value::Array(items) => items,
            Value::Object(mut map) if map.contains_key("items") => match map.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            },
            other => vec![other],
        });
        for value in lists {
            let (Some(kind), Some(name)) = (tree::text(&value, &["kind"]), tree::text(&value, &["metadata", "name"])) else { continue };
            found = true;
            let kind = kind.to_lowercase();
            if !IMPORTED.contains(&kind.as_str()) {
                // People and places are not components; groups serve as owners.
                if !["group", "user", "location", "template"].contains(&kind.as_str()) {
                    builder.skip(format!("{kind} `{name}`"), format!("entities of kind `{kind}` are not imported"), &source.name);
                }
                continue;
            }
            let namespace = tree::text(&value, &["metadata", "namespace"]).unwrap_or_else(|| "default".to_owned());
            let reference = (kind.clone(), namespace.to_lowercase(), name.to_lowercase());
            if entities.contains_key(&reference) {
                builder.skip(format!("{kind} `{name}`"), "declared twice; the first is used", &source.name);
            } else {
                entities.insert(reference.clone(), Entity { reference, name, value, source: &source.name });
            }
        }
        if !found {
            builder.fail_foreign(&source.name);
            continue;
        }
        for (number, said) in failures {
            builder.skip(format!("answer {number}"), format!("it is an error: {said}"), &source.name);
        }
    }
    pages.report(builder);
    entities.into_values().collect()
}

/// Answers that are one page of many: `/entities/by-query` says how many entities there are, and where the next page begins.
#[derive(Default)]
struct Pages<'s> {
    total: usize,
    seen: usize,
    /// Whether a page is the last one.
    ends: bool,
    source: Option<&'s str>,
}

impl<'s> Pages<'s> {
    fn add(&mut self, document: &Value, source: &'s str) {
        if document.get("totalItems").is_none() && document.get("pageInfo").is_none() {
            return;
        }
        let total = document.get("totalItems").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
        self.total = self.total.max(total.unwrap_or(0));
        self.seen += tree::list(document, &["items"]).len();
        self.ends |= tree::text(document, &["pageInfo", "nextCursor"]).is_none();
        self.source = self.source.or(Some(source));
    }

    fn report(self, builder: &mut Builder<'_>) {
        let Some(source) = self.source else { return };
        let why = "one page of several: save the others too, or ask `/api/catalog/entities`, which answers all";
        let missing = self.total.saturating_sub(self.seen);
        if missing > 0 {
            builder.skip(format!("{missing} of {} entities", self.total), why, source);
        } else if self.total == 0 && !self.ends {
            builder.skip("more entities", why, source);
        }
    }
}

fn component(builder: &mut Builder<'_>, entity: &Entity<'_>, id: &str) {
    let (kind, name, value) = (&entity.reference.0, &entity.name, &entity.value);
    let said = tree::text(value, &["spec", "type"]).unwrap_or_default().to_lowercase();
    let guessed = guess::from_name(&said).or_else(|| guess::from_name(name));
    let engine = guessed.and_then(|guess| guess.engine);
    let kind = match (kind.as_str(), said.as_str()) {
        ("system", _) => "function",
        ("domain", _) => "business_line",
        ("component", "website" | "frontend" | "mobile-app") => "frontend",
        ("component", "library" | "documentation") | ("api", _) => "component",
        ("component", _) => guessed.map_or("service", |guess| guess.kind),
        (_, "s3-bucket" | "bucket" | "storage" | "volume" | "filesystem") => "storage",
        (_, "cluster" | "kubernetes-cluster") => "cluster",
        (_, "queue" | "topic" | "message-queue" | "message-broker") => "queue",
        (_, "host" | "server") => "host",
        (_, "vm" | "virtual-machine") => "virtual_machine",
        (_, _) => guessed.map_or("component", |guess| guess.kind),
    };
    let mut attributes = BTreeMap::new();
    let repository = tree::text(value, &["metadata", "annotations", "github.com/project-slug"])
        .or_else(|| tree::text(value, &["metadata", "annotations", "backstage.io/source-location"]));
    let found = [
        ("description", tree::text(value, &["metadata", "description"])),
        ("repository", repository),
        ("engine", engine.map(str::to_owned)),
    ];
    attributes.extend(found.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Written::Text(text?)))));
    let owner = tree::text(value, &["spec", "owner"]);
    let component = DeclaredComponent {
        id: id.to_owned(),
        kind: kind.to_owned(),
        name: tree::text(value, &["metadata", "title"]).or_else(|| Some(name.clone())),
        owner: owner.map(|owner| owner.rsplit(['/', ':']).next().unwrap_or(&owner).to_owned()),
        environment: tree::text(value, &["spec", "lifecycle"]),
        tier: tree::text(value, &["metadata", "labels", "tier"]),
        attributes,
        ..DeclaredComponent::default()
    };
    builder.add(component, entity.source);
}

/// Which field gives which relation: default kind of the target, our kind, and whether the direction is reversed.
const FIELDS: [(&str, &str, &str, bool); 7] = [
    ("dependsOn", "component", "depends_on", false),
    ("dependencyOf", "component", "depends_on", true),
    ("consumesApis", "api", "depends_on", false),
    ("providesApis", "api", "depends_on", true),
    ("subcomponentOf", "component", "belongs_to", false),
    ("system", "system", "serves", false),
    ("domain", "domain", "serves", false),
];

fn relations(builder: &mut Builder<'_>, entity: &Entity<'_>, id: &str, ids: &BTreeMap<Reference, String>) {
    for (field, default, kind, backwards) in FIELDS {
        let one = tree::text(&entity.value, &["spec", field]);
        let many = tree::list(&entity.value, &["spec", field]).iter().filter_map(tree::scalar);
        for target in many.chain(one) {
            let Some(end) = ids.get(&reference(&target, default, &entity.reference.1)) else {
                builder.skip(format!("`{id}` {field} `{target}`"), "dangling: the target is not in the files", entity.source);
                continue;
            };
            let (from, to) = if backwards { (end.as_str(), id) } else { (id, end.as_str()) };
            builder.relate(from, kind, to, entity.source);
        }
    }
}

/// `kind:namespace/name`, where kind and namespace may be left out.
fn reference(text: &str, kind: &str, namespace: &str) -> Reference {
    let (kind, rest) = text.split_once(':').unwrap_or((kind, text));
    let (namespace, name) = rest.split_once('/').unwrap_or((namespace, rest));
    (kind.to_lowercase(), namespace.to_lowercase(), name.to_lowercase())
}
