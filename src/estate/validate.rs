//! Groups and relations against the components and the model.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Diagnostic, Place, Text, suggestion, text};
use value::fields::{Reader, listed};

use super::component::{Component, ComponentId, Group};
use super::cycles::{Hold, circles};
use super::graph::{Edge, KindIndex};
use super::model::{Containment, Model, RelationKind};
use super::read_topology::{GroupDraft, TopologyDraft};
use value::fields::Word;

/// A search for the nearest id looks at every id. After this many, the whole file is wrong, and "did you mean" does not help.
const MOST_SUGGESTIONS: usize = 100;

/// A cycle is named up to this many components; the rest is counted.
const LONGEST_NAMED_CIRCLE: usize = 8;

/// Every id that a relation or a group may name.
pub(super) struct Names<'d> {
    pub known: BTreeMap<&'d str, ComponentId>,
    /// Where ids were first declared, of components and of groups.
    pub places: BTreeMap<&'d str, Place>,
    pub groups: BTreeMap<&'d str, Vec<ComponentId>>,
    /// Declared, but wrong and reported already.
    pub broken: BTreeSet<&'d str>,
}

/// What an id refers to.
enum Found<'a> {
    Component(ComponentId),
    Group(&'a [ComponentId]),
    Broken,
    Nothing,
}

impl Names<'_> {
    fn find(&self, id: &str) -> Found<'_> {
        if let Some(component) = self.known.get(id) {
            Found::Component(*component)
        } else if let Some(members) = self.groups.get(id) {
            Found::Group(members)
        } else if self.broken.contains(id) {
            Found::Broken
        } else {
            Found::Nothing
        }
    }

    fn nearest(&self, id: &str, asked: &mut usize) -> Option<Text> {
        *asked += 1;
        if *asked > MOST_SUGGESTIONS {
            return None;
        }
        suggestion(id, self.known.keys().chain(self.groups.keys()).copied())
    }
}

/// Redundancy groups, in the order of their ids; from here on `names` knows them.
pub(super) fn groups<'d>(reader: &mut Reader<'_>, draft: &'d TopologyDraft<'_>, names: &mut Names<'d>) -> Vec<Group> {
    let mut good = Vec::new();
    let mut asked = 0;
    for said in &draft.groups {
        let id = said.id.text.as_str();
        if let Some(first) = names.places.get(id) {
            let message = text!("`{}` is declared twice: a component and a group cannot share an id", id);
            let report = Diagnostic::error(Code::DUPLICATE_ID, said.id.place, message).label("declared again");
            reader.report(report.related(*first, "first declared here"));
            continue;
        }
        let members = members(reader, said, names, &mut asked);
        if let Some(need) = need(reader, said) {
            good.push(Group { id: id.to_owned(), members: members.clone(), need });
        }
        names.places.insert(id, said.id.place);
        names.groups.insert(id, members);
    }
    good.sort_by(|a: &Group, b| a.id.cmp(&b.id));
    good
}

/// The members that exist, ascending, each once.
fn members(reader: &mut Reader<'_>, said: &GroupDraft, names: &Names<'_>, asked: &mut usize) -> Vec<ComponentId> {
    let group = &said.id.text;
    let mut members = BTreeSet::new();
    for word in &said.members {
        match names.find(&word.text) {
            Found::Component(component) => {
                if !members.insert(component) {
                    let message = text!("group `{}` lists `{}` twice", group, word.text);
                    reader.report(Diagnostic::warning(Code::GROUP_MEMBER, word.place, message));
                }
            }
            Found::Group(_) => {
                let message = text!("`{}` is a group and cannot be a member of group `{}`", word.text, group);
                reader.report(Diagnostic::error(Code::GROUP_MEMBER, word.place, message).help("list its members instead"));
            }
            Found::Broken => {}
            Found::Nothing => {
                let message = text!("member `{}` of group `{}` does not exist", word.text, group);
                let mut report = Diagnostic::error(Code::GROUP_MEMBER, word.place, message).label("unknown component");
                report.help = names.nearest(&word.text, asked);
                reader.report(report);
            }
        }
    }
    members.into_iter().collect()
}

fn need(reader: &mut Reader<'_>, said: &GroupDraft) -> Option<usize> {
    // Counted as declared: a member that does not exist is a separate error.
    let count = said.members.iter().map(|word| word.text.as_str()).collect::<BTreeSet<_>>().len();
    #[allow(clippy::cast_precision_loss, reason = "no group has 2^53 members")]
    let fits = (1.0..=count as f64).contains(&said.need) && said.need.fract() == 0.0;
    if !fits {
        let message = text!("group `{}` needs {} of its {} members", said.id.text, said.need, count);
        let help = text!("`need` must be a whole number from 1 to {}", count);
        let report = Diagnostic::error(Code::GROUP_NEED, said.need_place, message);
        reader.report(if count == 0 { report.help("list at least one member") } else { report.help(help) });
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    Some(said.need as usize)
}

/// One end of a relation.
struct End<'w> {
    component: ComponentId,
    word: &'w Word,
    /// Whether the word names a group, and this is one of its members.
    grouped: bool,
}

/// Relations, sorted, each once, without circles of containment.
pub(super) fn relations(
    reader: &mut Reader<'_>,
    model: &Model,
    components: &[Component],
    draft: &TopologyDraft<'_>,
    names: &Names<'_>,
) -> Vec<Edge> {
    let indices: BTreeMap<&str, KindIndex> = model.relations.keys().map(String::as_str).zip((0u16..).map(KindIndex)).collect();
    let mut check = Check { reader, model, components, names, asked: 0, edges: BTreeMap::new() };
    for said in &draft.relations {
        let starts = check.ends(&said.from);
        let ends = check.ends(&said.to);
        let kind = check.kind(&said.kind);
        let Some((kind, index)) = kind.and_then(|kind| Some((kind, *indices.get(kind.name.as_str())?))) else { continue };
        for start in &starts {
            for end in &ends {
                check.pair(kind, index, start, end);
            }
        }
    }
    check.cut_circles();
    check.edges.into_keys().collect()
}

struct Check<'r, 's, 'a> {
    reader: &'r mut Reader<'s>,
    model: &'a Model,
    components: &'a [Component],
    names: &'a Names<'a>,
    /// How many ids were searched for their nearest.
    asked: usize,
    edges: BTreeMap<Edge, Place>,
}

impl<'a> Check<'_, '_, 'a> {
    fn ends<'w>(&mut self, words: &'w [Word]) -> Vec<End<'w>> {
        let mut ends = Vec::new();
        for word in words {
            match self.names.find(&word.text) {
                Found::Component(component) => ends.push(End { component, word, grouped: false }),
                Found::Group(members) => ends.extend(members.iter().map(|&component| End { component, word, grouped: true })),
                Found::Broken => {}
                Found::Nothing => {
                    let message = text!("a relation names `{}`, which does not exist", word.text);
                    let mut report = Diagnostic::error(Code::DANGLING_RELATION, word.place, message).label("unknown component");
                    report.help = self.names.nearest(&word.text, &mut self.asked);
                    self.reader.report(report);
                }
            }
        }
        ends
    }

    fn kind(&mut self, word: &Word) -> Option<&'a RelationKind> {
        let found = self.model.find_relation(&word.text);
        if found.is_none() {
            let kinds = self.model.relations.values().flat_map(|r| [Some(r.name.as_str()), r.zh.as_deref()]).flatten();
            let message = text!("the model declares no relation kind `{}`", word.text);
            let mut report = Diagnostic::error(Code::UNKNOWN_RELATION_KIND, word.place, message).label("unknown kind");
            report.help = suggestion(&word.text, kinds)
                .or_else(|| Some(text!("one of {}", listed(&self.model.relations.keys().collect::<Vec<_>>()))));
            self.reader.report(report);
        }
        found
    }

    fn component(&self, id: ComponentId) -> Option<&'a Component> {
        self.components.get(id.0 as usize)
    }

    fn pair(&mut self, kind: &RelationKind, index: KindIndex, start: &End<'_>, end: &End<'_>) {
        let (Some(from), Some(to)) = (self.component(start.component), self.component(end.component)) else { return };
        if start.component == end.component {
            // "Every gateway calls the pool" means the other members of the pool.
            if !start.grouped && !end.grouped {
                let message = text!("`{}` cannot have a relation to itself", from.id);
                self.reader.report(Diagnostic::error(Code::SELF_RELATION, end.word.place, message).label("the same component"));
            }
            return;
        }
        let fits =
            |types: &[String], component: &Component| types.is_empty() || types.iter().any(|name| self.model.is_a(&component.kind, name));
        let (from_fits, to_fits) = (fits(&kind.from, from), fits(&kind.to, to));
        if !from_fits || !to_fits {
            let message = text!("`{}` cannot go from `{}` ({}) to `{}` ({})", kind.name, from.id, from.kind, to.id, to.kind);
            let allowed = |types: &[String]| if types.is_empty() { text!("anything") } else { listed(types).into() };
            let help = text!("`{}` goes from {} to {}", kind.name, allowed(&kind.from), allowed(&kind.to));
            let (wrong, component) = if to_fits { (start, from) } else { (end, to) };
            let report = Diagnostic::error(Code::RELATION_TYPES, wrong.word.place, message);
            self.reader.report(report.label(text!("this is a {}", component.kind)).help(help));
            return;
        }
        let edge = Edge { from: start.component, kind: index, to: end.component };
        if let Some(first) = self.edges.get(&edge) {
            let message = text!("`{} {} {}` is declared twice", from.id, kind.name, to.id);
            let report = Diagnostic::warning(Code::DUPLICATE_RELATION, end.word.place, message).label("declared again");
            self.reader.report(report.related(*first, "first declared here"));
            return;
        }
        self.edges.insert(edge, end.word.place);
    }

    /// Reports every containment cycle, and removes the relation that closes it.
    fn cut_circles(&mut self) {
        let containment: Vec<Containment> = self.model.relations.values().map(|kind| kind.containment).collect();
        let holds = self.edges.keys().filter_map(|&edge| match containment.get(usize::from(edge.kind.0))? {
            Containment::EndHolds => Some(Hold { holder: edge.to, held: edge.from, edge }),
            Containment::StartHolds => Some(Hold { holder: edge.from, held: edge.to, edge }),
            Containment::None => None,
        });
        for circle in circles(holds.collect()) {
            let Some(last) = circle.last() else { continue };
            let Some(place) = self.edges.remove(&last.edge) else { continue };
            let mut report = Diagnostic::error(Code::CONTAINMENT_CYCLE, place, self.describe(&circle)).label("this closes the cycle");
            for hold in circle.iter().take(circle.len() - 1).take(LONGEST_NAMED_CIRCLE) {
                if let Some(place) = self.edges.get(&hold.edge) {
                    report = report.related(*place, "part of the cycle");
                }
            }
            self.reader.report(report);
        }
    }

    /// `` `a` contains itself: a → b → a ``
    fn describe(&self, circle: &[Hold]) -> Text {
        let id = |component: ComponentId| self.component(component).map_or("", |c| c.id.as_str());
        let first = circle.first().map_or("", |hold| id(hold.holder));
        let mut names: Vec<Text> = circle.iter().take(LONGEST_NAMED_CIRCLE).map(|hold| id(hold.holder).to_owned().into()).collect();
        if circle.len() > LONGEST_NAMED_CIRCLE {
            names.push(text!("… {} more", circle.len() - LONGEST_NAMED_CIRCLE));
        }
        names.push(first.to_owned().into());
        text!("`{}` contains itself: {}", first, Text::joined(names, "{} → {}").unwrap_or_default())
    }
}
