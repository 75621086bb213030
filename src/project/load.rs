//! Loads a project.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use compile::plan::Plan;
use compile::{Inputs, Scripts, compile};
use diag::{Code, Diagnostic, SourceId, Sources, Text, sort, text};
use estate::{Built, Declared, LabelRules, Snapshot, build, build_over};
use knowledge::feedback::{JOURNAL, read_journal};
use knowledge::{CaseBase, Feedback, KnowledgeGraph};
use language::{ast, parse_file};
use script::RhaiScripts;
use signal::MappingRules;
use store::StoreError;

use super::Topology;
use super::as_of::DEFAULT_STORE;
use super::folder::{FOLDERS, below, read};
use super::recorded::declared_beside;

/// The contents of one project folder. Immutable: to reload, load a new one.
#[derive(Debug)]
pub struct Project {
    pub root: PathBuf,
    pub sources: Sources,
    pub estate: Arc<Snapshot>,
    /// What the files say about components that only the store has, and their relations with these.
    pub beside: Declared,
    pub plan: Arc<Plan>,
    pub placement: MappingRules,
    /// What labels of imported objects mean.
    pub labels: LabelRules,
    pub cases: CaseBase,
    /// Feedback on earlier answers.
    pub feedback: Feedback,
    pub scripts: RhaiScripts,
    /// The parsed rule files, to compile them against the estate of a bundle.
    files: Vec<ast::File>,
    model_files: Vec<SourceId>,
    known_cases: Option<BTreeSet<String>>,
    /// Drawn when it is first asked.
    pub(super) knowledge: OnceLock<Result<KnowledgeGraph, StoreError>>,
    /// All errors and warnings, by file and place. Invalid items are left out; the rest works.
    pub diagnostics: Vec<Diagnostic>,
}

/// The nearest folder upward that contains `rules/` or `topology/`.
pub fn find_project(from: &Path) -> Option<PathBuf> {
    let start = from.canonicalize().ok()?;
    start
        .ancestors()
        .find(|dir| dir.join("rules").is_dir())
        .or_else(|| start.ancestors().find(|dir| dir.join("topology").is_dir()))
        .map(Path::to_path_buf)
}

impl Project {
    /// Loads a folder. It is an error only if the folder is not a project; problems inside it are diagnostics.
    pub fn load(root: &Path) -> Result<Project, Box<Diagnostic>> {
        Self::load_over(root, &root.join(DEFAULT_STORE))
    }

    /// The same with another store, of whose components the files may speak. It is read only if they do.
    pub fn load_over(root: &Path, store: &Path) -> Result<Project, Box<Diagnostic>> {
        if !root.is_dir() {
            let message = text!("no such folder: `{}`", root.display());
            return Err(Box::new(
                Diagnostic::nowhere(Code::NO_PROJECT, message).help("name the folder that contains `rules/` and `topology/`"),
            ));
        }
        if !["rules", "topology", "cases"].iter().any(|name| root.join(name).is_dir()) {
            let message = text!("`{}` is not a project: it has no `rules/`, `topology/` or `cases/`", root.display());
            return Err(Box::new(
                Diagnostic::nowhere(Code::NO_PROJECT, message).help("name the project folder, or start one there: `faultscope init`"),
            ));
        }
        let mut diagnostics = Vec::new();
        let mut sources = Sources::default();
        let mut list = |folder: &str, extensions: &[&str], diagnostics: &mut Vec<Diagnostic>| -> Vec<SourceId> {
            let dir = root.join(folder);
            // A link to nothing is reported; a folder that is not there at all is none that is missed.
            let paths = if dir.is_dir() || dir.is_symlink() { below(&dir, extensions, diagnostics) } else { Vec::new() };
            paths.iter().filter_map(|path| read(&mut sources, root, path, diagnostics)).collect()
        };
        let topology = list("topology", &["yaml", "yml", "json"], &mut diagnostics);
        let rules = list("rules", &["rules"], &mut diagnostics);
        let scripts = list("rules", &["rhai"], &mut diagnostics);
        let cases = list("cases", &["yaml", "yml"], &mut diagnostics);
        let feedback = read_feedback(&mut sources, root, &mut diagnostics);
        let named = |ids: &[SourceId], names: &[&str]| -> Vec<SourceId> {
            ids.iter().copied().filter(|id| names.contains(&sources.path(*id))).collect()
        };
        let model_files = named(&topology, &["topology/model.yaml", "topology/model.yml"]);
        let source_files = named(&topology, &["topology/sources.yaml", "topology/sources.yml"]);
        let estate_files: Vec<SourceId> =
            topology.into_iter().filter(|id| !model_files.contains(id) && !source_files.contains(id)).collect();

        let built = build_over(&sources, &model_files, &estate_files, |relations| declared_beside(store, relations, &mut diagnostics));
        let Built { estate, beside, diagnostics: found } = built;
        diagnostics.extend(found);
        let (placement, labels) = match source_files.first() {
            Some(file) => {
                let (placement, found) = MappingRules::read(&sources, *file);
                diagnostics.extend(found);
                let (labels, found) = LabelRules::read(&sources, *file, &estate);
                diagnostics.extend(found);
                (placement, labels)
            }
            None => (MappingRules::default(), LabelRules::default()),
        };
        diagnostics.extend(placement.check(&estate));
        let cases = super::cases::read(&sources, &cases, root, &mut diagnostics);
        let (scripts, found) = RhaiScripts::compile(&sources, &scripts);
        diagnostics.extend(found);
        let mut files = Vec::new();
        for id in rules {
            let (file, found) = parse_file(&sources, id);
            diagnostics.extend(found);
            files.push(file);
        }
        let known_cases = cases.known.clone();
        let ids: BTreeSet<&str> = files.iter().flat_map(|file| &file.rules).map(|rule| rule.id.value.as_str()).collect();
        let cases = cases.checked(&estate, Some(&ids).filter(|_| !files.is_empty()), &mut diagnostics);
        let inputs =
            Inputs { sources: &sources, estate: &estate, files: &files, scripts: scripts.functions(), cases: known_cases.as_ref() };
        let (plan, found) = compile(inputs);
        diagnostics.extend(found);
        sort(&sources, &mut diagnostics);
        Ok(Project {
            root: root.to_path_buf(),
            sources,
            estate: Arc::new(estate),
            beside,
            plan: Arc::new(plan),
            placement,
            labels,
            cases: CaseBase::new(cases),
            feedback,
            scripts,
            files,
            model_files,
            known_cases,
            knowledge: OnceLock::new(),
            diagnostics,
        })
    }

    /// The estate of a bundle's own `topology.json` under this project's model, and the plan for it. The diagnostics are about the
    /// topology only; those about the rules were reported when the project was loaded.
    pub fn with_topology(&self, name: &str, text: &str) -> (Snapshot, Plan, Vec<Text>) {
        let Topology { sources, estate, diagnostics } = self.topology_of(name, text);
        let words =
            |d: &Diagnostic| text!("{} {}: {}", d.place.map_or_else(String::new, |p| sources.describe(p)), d.code, d.message.clone());
        let warnings = diagnostics.iter().map(words).collect();
        let plan = self.plan_for(&estate);
        (estate, plan, warnings)
    }

    /// The estate of one topology text under this project's model, with the problems of the text.
    pub fn topology_of(&self, name: &str, text: &str) -> Topology {
        let mut sources = Sources::default();
        let models: Vec<SourceId> = self.model_files.iter().map(|id| sources.add(self.sources.path(*id), self.sources.text(*id))).collect();
        let topology = sources.add(name, text);
        let (estate, mut diagnostics) = build(&sources, &models, &[topology]);
        diagnostics.retain(|d| d.place.is_some_and(|p| p.source == topology));
        Topology { sources, estate, diagnostics }
    }

    /// This project's rules, compiled against another estate. Their problems were reported when the project was loaded.
    pub fn plan_for(&self, estate: &Snapshot) -> Plan {
        let inputs = Inputs {
            sources: &self.sources,
            estate,
            files: &self.files,
            scripts: self.scripts.functions(),
            cases: self.known_cases.as_ref(),
        };
        compile(inputs).0
    }

    /// Identifies the contents of the files from which it was loaded.
    pub fn digest(&self) -> String {
        let mut hasher = DefaultHasher::new();
        for id in self.sources.ids() {
            (self.sources.path(id), self.sources.text(id)).hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }

    /// Folders of which `before` has files and this one has none: taken away, or on a disk that is not there now. An estate without components,
    /// and rules that never fire, are no errors for [`Project::load`], but hardly what somebody wanted.
    pub fn lost_since(&self, before: &Project) -> Vec<Diagnostic> {
        let files = |project: &Project, folder: &str| {
            let inside = |id: &SourceId| project.sources.path(*id).strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            project.sources.ids().filter(inside).count()
        };
        let lost = FOLDERS.into_iter().map(|(folder, _)| (folder, files(before, folder)));
        let lost = lost.filter(|(folder, had)| *had > 0 && files(self, folder) == 0);
        lost.map(|(folder, had)| {
            let message = text!("`{}/`: {} files were there, and none is now", folder, had);
            Diagnostic::nowhere(Code::UNREADABLE, message)
                .help("put them back; to go on without them, restart, or `POST /-/reload?accept_missing=true`")
        })
        .collect()
    }

    /// Rule files as parsed, for tools that show or rewrite them.
    pub fn files(&self) -> &[ast::File] {
        &self.files
    }
}

/// `feedback.ndjson`, which is optional.
fn read_feedback(sources: &mut Sources, root: &Path, diagnostics: &mut Vec<Diagnostic>) -> Feedback {
    let path = root.join(JOURNAL);
    let source = if path.exists() { read(sources, root, &path, diagnostics) } else { None };
    let Some(source) = source else { return Feedback::default() };
    let (entries, found) = read_journal(sources, source);
    diagnostics.extend(found);
    Feedback::new(entries)
}
