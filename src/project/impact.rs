//! What a fault of components affects: the JSON of `faultscope impact` and of the server.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use diag::{Code, Diagnostic, did_you_mean, nearest, text};
use estate::{ComponentId, Group, Reach, Snapshot, Softening, State, Tier};
use localize::{ImpactView, SofteningView};
use value::Told;
use words::Writer;

/// The type of the components that all others ultimately serve.
const BUSINESS_LINE: &str = "business_line";

/// Which part of the answer is wanted.
#[derive(Debug, Clone, Default)]
pub struct ImpactFilter {
    /// Canonical name of a type.
    pub kind: Option<String>,
    pub tier: Option<Tier>,
    pub owner: Option<String>,
    /// This state or worse.
    pub state: Option<State>,
}

impl ImpactFilter {
    pub fn lets(&self, estate: &Snapshot, component: ComponentId) -> bool {
        let found = estate.component(component);
        self.kind.as_ref().is_none_or(|kind| estate.is_a(component, kind))
            && self.tier.is_none_or(|tier| found.tier == Some(tier))
            && self.owner.as_ref().is_none_or(|owner| found.owner.as_ref() == Some(owner))
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ImpactReport {
    /// As named in the question.
    pub components: Vec<String>,
    pub impact: Vec<ImpactItem>,
    /// Redundancy groups that lose members, and how many are left.
    pub groups: Vec<GroupItem>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupItem {
    pub group: String,
    pub members: usize,
    pub need: usize,
    /// Members that are not down.
    pub left: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ImpactItem {
    #[serde(flatten)]
    pub view: ImpactView,
    /// Business lines that it serves, directly or through others.
    pub business_lines: Vec<String>,
    /// Propagation paths to it, the shortest first. `path` is the one that carries its state.
    pub ways: Vec<Vec<String>>,
}

/// What a fault of all roots together affects. `depth`: the most hops; `paths`: how many ways to each component are listed.
pub fn impact(
    writer: &Writer<'_>,
    components: Vec<String>,
    roots: &[ComponentId],
    (depth, paths): (Option<u32>, usize),
    filter: &ImpactFilter,
) -> ImpactReport {
    let estate = writer.estate;
    let reach = estate.reach_of(&roots.iter().map(|root| (*root, State::Down)).collect::<Vec<_>>(), depth);
    let groups = losing(estate, roots, &reach);
    ImpactReport { components, impact: items(writer, &reach, paths, filter), groups }
}

/// A component by id or name, or the members of a group.
///
/// # Errors
/// `UNKNOWN_COMPONENT`
pub fn find_components(estate: &Snapshot, name: &str) -> Result<Vec<ComponentId>, Box<Diagnostic>> {
    match (estate.find_named(name), estate.group(name)) {
        (Some(root), _) => Ok(vec![root]),
        (None, Some(group)) => Ok(group.members.clone()),
        (None, None) => Err(unknown_component(estate, name)),
    }
}

/// Why a word names no one component.
pub fn unknown_component(estate: &Snapshot, name: &str) -> Box<Diagnostic> {
    let (message, help) = estate.why_not_found(name);
    Box::new(Diagnostic { help, ..Diagnostic::nowhere(Code::UNKNOWN_COMPONENT, message) })
}

/// The canonical name of a type.
///
/// # Errors
/// `UNKNOWN_TYPE`
pub fn find_type(estate: &Snapshot, name: &str) -> Result<String, Box<Diagnostic>> {
    let model = estate.model();
    model.find_type(name).map(|t| t.name.clone()).ok_or_else(|| {
        let found = Diagnostic::nowhere(Code::UNKNOWN_TYPE, text!("there is no component type `{}`", name));
        Box::new(Diagnostic { help: nearest(name, model.types.keys().map(String::as_str)).map(did_you_mean), ..found })
    })
}

/// Groups with members at fault or down.
fn losing(estate: &Snapshot, roots: &[ComponentId], reach: &Reach) -> Vec<GroupItem> {
    let down: BTreeSet<ComponentId> =
        reach.items.iter().filter(|one| one.state == State::Down).map(|one| one.component).chain(roots.iter().copied()).collect();
    let of = |group: &Group| GroupItem {
        group: group.id.clone(),
        members: group.members.len(),
        need: group.need,
        left: group.members.iter().filter(|member| !down.contains(member)).count(),
    };
    estate.groups().map(of).filter(|item| item.left < item.members).collect()
}

fn items(writer: &Writer<'_>, reach: &Reach, paths: usize, filter: &ImpactFilter) -> Vec<ImpactItem> {
    let estate = writer.estate;
    let id = |component: ComponentId| estate.component(component).id.clone();
    let mut lines_of: BTreeMap<ComponentId, Vec<String>> = BTreeMap::new();
    for line in reach.items.iter().map(|one| one.component).filter(|component| estate.is_a(*component, BUSINESS_LINE)) {
        for one in estate.dependencies(line, &[], None).into_iter().map(|reached| reached.component).chain([line]) {
            lines_of.entry(one).or_default().push(id(line));
        }
    }
    // Only for what is shown, because paths are expensive.
    let shown = reach.items.iter().enumerate();
    let shown = shown.filter(|(_, one)| filter.lets(estate, one.component) && filter.state.is_none_or(|least| one.state >= least));
    shown
        .filter_map(|(at, _)| reach.impacted(estate, at))
        .map(|one| {
            let path: Vec<ComponentId> = one.path.iter().map(|hop| hop.component).collect();
            let from = path.first().copied().unwrap_or(one.component);
            let ways = if paths > 1 { estate.ways(from, one.component, paths) } else { vec![path.clone()] };
            let told = |step: Softening| {
                let what = SofteningView::new(estate, step);
                Told { text: writer.softening(&what), what }
            };
            ImpactItem {
                view: ImpactView {
                    softens: one.softens.into_iter().map(told).collect(),
                    ..ImpactView::new(estate, one.component, one.distance, one.state, &path)
                },
                business_lines: lines_of.get(&one.component).cloned().unwrap_or_default(),
                ways: ways.into_iter().map(|way| way.into_iter().map(id).collect()).collect(),
            }
        })
        .collect()
}
