//! Foreign descriptions of an estate (manifests, inventories, service graphs) made into our topology files.
//!
//! [`read`] turns texts into an [`Imported`], [`topology_yaml`] writes it, [`parse_topology`] reads such a file back, and
//! [`compare`] shows what a new import changes. No I/O here: text in, values out.
//!
//! One file for each kind of input; `builder` collects what they find and checks it against the model, `tree` reads
//! JSON and YAML, `guess` tells types by the words of `images`, `hosts` addresses, `telemetry` who is only watched or told.

mod asm;
mod backstage;
mod builder;
mod compare;
mod compose;
mod compose_extends;
mod guess;
mod hosts;
mod images;
mod kubernetes;
mod kubernetes_objects;
mod kubernetes_settings;
mod names;
mod netbox;
mod netbox_links;
mod netbox_pages;
mod owners;
mod records;
mod selectors;
mod tables;
mod telemetry;
mod terraform;
mod traces;
mod tree;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use builder::Builder;
use diag::{Text, text};
use estate::{Declared, DeclaredComponent, DeclaredGroup, DeclaredRelation, LabelRules, Model, Snapshot, Written};

pub use compare::{Report, compare};
pub use records::Records;
pub use write::{parse_topology, quoted, topology_yaml};

/// A file: its name as the user gave it, and its text.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// Each list sorted.
    pub declared: Declared,
    pub skipped: Vec<Skipped>,
}

/// What was found but could not be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    pub what: String,
    pub why: String,
    /// Name of the file.
    pub source: String,
}

/// What the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Kubernetes,
    Compose,
    Csv,
    Jaeger,
    Netbox,
    Backstage,
    Terraform,
    Asm,
}

impl Kind {
    pub const ALL: [Kind; 8] =
        [Kind::Kubernetes, Kind::Compose, Kind::Csv, Kind::Jaeger, Kind::Netbox, Kind::Backstage, Kind::Terraform, Kind::Asm];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Kubernetes => "kubernetes",
            Kind::Compose => "compose",
            Kind::Csv => "csv",
            Kind::Jaeger => "jaeger",
            Kind::Netbox => "netbox",
            Kind::Backstage => "backstage",
            Kind::Terraform => "terraform",
            Kind::Asm => "asm",
        }
    }

    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What a file of this kind contains, for an error message.
    fn expected(self) -> Text {
        match self {
            Kind::Kubernetes => text!("Kubernetes objects, each with `kind` and `metadata`"),
            Kind::Compose => text!("a compose file with `services`"),
            Kind::Csv => text!("a table with the columns `id` and `type`, or `from`, `kind` and `to`"),
            Kind::Jaeger => text!("Jaeger dependencies or `traces_service_graph_request_total` series"),
            Kind::Netbox => text!("a NetBox API response with `results`, or a `dumpdata` list"),
            Kind::Backstage => text!("Backstage entities, each with `kind` and `metadata`"),
            Kind::Terraform => text!("a Terraform state of version 4"),
            Kind::Asm => text!("lines that begin with `V:` or `E:`"),
        }
    }

    /// How to get such a file.
    fn help(self) -> Text {
        match self {
            Kind::Kubernetes => text!("export them with `kubectl get deploy,sts,ds,jobs,cj,pods,svc,ing,nodes,pvc,pdb,cm -A -o json`"),
            Kind::Compose => text!("export one with `docker compose config`, which fills in all variables"),
            Kind::Csv => text!("the first line must name the columns: `id,type,name,owner,tier,environment` or `from,kind,to,effect`"),
            Kind::Jaeger => {
                text!(
                    "save `GET /api/dependencies` from Jaeger, or `GET /api/v1/query?query=traces_service_graph_request_total` from Prometheus"
                )
            }
            Kind::Netbox => text!("save `GET /api/dcim/devices/?limit=0` and similar, or the output of `manage.py dumpdata`"),
            Kind::Backstage => text!("use `catalog-info.yaml` files, or save `GET /api/catalog/entities`"),
            Kind::Terraform => text!("export one with `terraform state pull`"),
            Kind::Asm => text!("use the file of an IBM ASM file observer"),
        }
    }
}

/// No file could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError {
    pub file: String,
    pub problem: Text,
    pub help: Text,
}

impl ImportError {
    /// In words, for people.
    pub fn text(&self) -> Text {
        if self.file.is_empty() { self.problem.clone() } else { text!("`{}`: {}", self.file, self.problem) }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.text(), f)
    }
}

impl std::error::Error for ImportError {}

/// Reads all files together: what one file names, another may declare. A file that cannot be read is among the skipped,
/// unless none can be read.
pub fn read(kind: Kind, sources: &[Source], model: &Model) -> Result<Imported, ImportError> {
    read_beside(
        kind,
        sources,
        model,
        Beside { known: BTreeMap::new(), hosts: BTreeMap::new(), labels: &LabelRules::default(), namespace: None },
    )
}

/// What an import has besides its files.
#[derive(Debug, Clone)]
pub struct Beside<'a> {
    /// Components of the project, at which relations may end: types by id.
    pub known: BTreeMap<String, String>,
    /// At which hosts they answer: ids by host.
    pub hosts: BTreeMap<String, String>,
    /// What labels mean.
    pub labels: &'a LabelRules,
    /// The namespace of Kubernetes objects that name none.
    pub namespace: Option<&'a str>,
}

/// The hosts at which components answer: their names and aliases with a dot, and what is in the attributes `address` and `ip`. One
/// that several share is none's.
pub fn hosts_of(estate: &Snapshot) -> BTreeMap<String, String> {
    let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for component in estate.ids().map(|id| estate.component(id)) {
        let names = component.aliases.iter().map(String::as_str).chain([component.name.as_str()]);
        let texts = ["address", "ip"].into_iter().filter_map(|attribute| component.text(attribute));
        let addresses = texts.flat_map(|text| text.split(',').map(str::trim));
        for host in names.chain(addresses).filter(|host| host.contains('.')) {
            owners.entry(host).or_default().insert(&component.id);
        }
    }
    let only = |(host, owners): (&str, BTreeSet<&str>)| {
        let id = owners.first().filter(|_| owners.len() == 1)?;
        Some((host.to_owned(), (*id).to_owned()))
    };
    owners.into_iter().filter_map(only).collect()
}

/// The same inside a project.
pub fn read_beside(kind: Kind, sources: &[Source], model: &Model, beside: Beside<'_>) -> Result<Imported, ImportError> {
    let mut builder = Builder::new(kind, model, beside);
    match kind {
        Kind::Kubernetes => kubernetes::read(&mut builder, sources),
        Kind::Compose => compose::read(&mut builder, sources),
        Kind::Csv => tables::read(&mut builder, sources),
        Kind::Jaeger => traces::read(&mut builder, sources),
        Kind::Netbox => netbox::read(&mut builder, sources),
        Kind::Backstage => backstage::read(&mut builder, sources),
        Kind::Terraform => terraform::read(&mut builder, sources),
        Kind::Asm => asm::read(&mut builder, sources),
    }
    if let Some((file, problem)) = builder.all_failed(sources.len()) {
        return Err(ImportError { file, problem, help: text!("expected {}; {}", kind.expected(), kind.help()) });
    }
    Ok(builder.finish())
}
