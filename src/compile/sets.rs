//! Places, sets and filters.

use diag::{Code, did_you_mean, nearest, text};
use estate::{ROOT_TYPE, Tier};
use language::ast::{self, At, WhereValue};

use super::Compiler;
use super::plan::{Field, Filter, FilterValue, Op, PlaceOf, Set, SetBase, Subject, Target};
use super::scope::{FIELDS, Scope, UNKNOWN};

/// Words that start a set, for "did you mean".
const SET_WORDS: &[&str] = &["dependents", "dependencies", "peers", "members", "components", "依赖方", "被依赖方", "同类", "成员", "组件"];

impl Compiler<'_> {
    pub(super) fn place_of(&mut self, scope: &Scope, place: &ast::Place) -> Option<PlaceOf> {
        Some(match place {
            ast::Place::Reference(reference) => PlaceOf::Subject(self.subject(scope, reference)?),
            ast::Place::Holder { kind, of } => {
                let of = self.subject(scope, of)?;
                PlaceOf::Holder { kind: self.type_name(kind)?, of }
            }
            ast::Place::Component(id) => {
                self.component_exists(id);
                PlaceOf::Component(id.value.clone())
            }
        })
    }

    /// Only a warning: a bundle may include its own topology, with this component.
    fn component_exists(&mut self, id: &At<String>) {
        let estate = self.inputs.estate;
        if estate.is_empty() || estate.find(&id.value).is_some() {
            return;
        }
        let near = nearest(&id.value, estate.ids().map(|c| estate.component(c).id.as_str()));
        let help = near.map_or_else(|| text!("declare it under `topology/`"), did_you_mean);
        self.warning(Code::UNKNOWN_COMPONENT, id.span, text!("the topology has no component `{}`", id.value), "not found", help);
    }

    pub(super) fn target(&mut self, scope: &Scope, target: &ast::Target) -> Option<Target> {
        // A bare word after `impact` or `on` parses as a set of one type; if it names a variable, it means that component.
        if let ast::Target::Set(set) = target
            && let ast::SetBase::Everything(Some(name)) = &set.base
            && set.filter.is_none()
            && scope.variables.iter().any(|v| v.name == name.value)
        {
            let reference = ast::Reference { name: ast::Name::Variable(name.value.clone()), span: name.span };
            return Some(Target::Place(PlaceOf::Subject(self.subject(scope, &reference)?)));
        }
        // `subnet of h` is written as `pod of s` is, but is what holds `h`.
        if let ast::Target::Set(set) = target
            && let ast::SetBase::Instances { kind, of } = &set.base
            && set.filter.is_none()
        {
            let subject = self.subject(scope, of)?;
            if self.is_holder(scope, &kind.value, subject) {
                return Some(Target::Place(PlaceOf::Holder { kind: self.type_name(kind)?, of: subject }));
            }
        }
        Some(match target {
            ast::Target::Place(place) => Target::Place(self.place_of(scope, place)?),
            ast::Target::Set(set) => Target::Set(self.set(scope, set)?.0),
        })
    }

    /// A set with the types that its elements may have.
    pub(super) fn set(&mut self, scope: &Scope, set: &ast::Set) -> Option<(Set, Vec<String>)> {
        let (base, mut types) = match &set.base {
            ast::SetBase::Walk { dependents, of, via, max_hops } => {
                let of = self.place_of(scope, of)?;
                let via = via.iter().map(|name| self.relation_name(name)).collect::<Option<Vec<_>>>()?;
                let max_hops = max_hops.as_ref().map(|h| h.value);
                (SetBase::Walk { dependents: *dependents, of, via, max_hops }, vec![ROOT_TYPE.to_owned()])
            }
            ast::SetBase::Peers { of, scope: within } => {
                let of = self.subject(scope, of)?;
                let base = match within {
                    ast::Scope::Estate => SetBase::PeersInEstate(of),
                    ast::Scope::Type(kind) => SetBase::PeersIn { of, kind: self.type_name(kind)? },
                    ast::Scope::Group => SetBase::PeersInGroup(of),
                };
                (base, scope.types(of))
            }
            ast::SetBase::Members(ast::MembersOf::Group(id)) => {
                self.group_exists(id);
                (SetBase::Group(id.value.clone()), vec![ROOT_TYPE.to_owned()])
            }
            ast::SetBase::Members(ast::MembersOf::Place(place)) => {
                (SetBase::Held(self.place_of(scope, place)?), vec![ROOT_TYPE.to_owned()])
            }
            ast::SetBase::Instances { kind, of } => {
                let (kind, of) = self.instances(scope, kind, of)?;
                (SetBase::Instances { kind: kind.clone(), of }, vec![kind])
            }
            ast::SetBase::Everything(None) => (SetBase::Type(ROOT_TYPE.to_owned()), vec![ROOT_TYPE.to_owned()]),
            ast::SetBase::Everything(Some(name)) => {
                let kind = self.set_name(scope, name)?;
                (SetBase::Type(kind.clone()), vec![kind])
            }
        };
        let filter = match &set.filter {
            Some(filter) => {
                let compiled = self.filter(filter, &types)?;
                if let Some(narrowed) = types_of(&compiled) {
                    types = narrowed;
                }
                Some(compiled)
            }
            None => None,
        };
        Some((Set { base, filter, written: self.written(set.span) }, types))
    }

    /// Whether a type in the singular names what holds a component: nothing of that type is sure to come and go for it.
    fn is_holder(&self, scope: &Scope, kind: &str, of: Subject) -> bool {
        let model = self.model();
        let types = scope.types(of);
        model.find_type(kind).is_some_and(|kind| !types.iter().all(|of| model.comes_and_goes_for(&kind.name, of)))
    }

    /// `pods of s`: a type, in the singular or the plural, and the component for which it comes and goes.
    fn instances(&mut self, scope: &Scope, kind: &At<String>, of: &ast::Reference) -> Option<(String, Subject)> {
        let subject = self.subject(scope, of)?;
        let name = match self.singular(&kind.value) {
            Some(name) => name,
            None => self.type_name(kind)?,
        };
        let types = scope.types(subject);
        if types.iter().any(|of| of == UNKNOWN) {
            return None;
        }
        if types.iter().any(|of| self.model().may_come_and_go_for(&name, of)) {
            return Some((name, subject));
        }
        let of_type = types.first().map_or(ROOT_TYPE, String::as_str).to_owned();
        let variable = self.written(of.span).text;
        let message = text!("no `{}` comes and goes for a `{}`", name, of_type);
        let help = text!(
            "for what it holds write `members of {} where type = {}`; `instance_of` of a type says what it comes and goes for",
            variable,
            name
        );
        self.error(Code::UNKNOWN_TYPE, kind.span, message, "not an instance of it", help);
        None
    }

    /// The type that a word names, also in the plural: `pods`, `processes`, `replicas`.
    fn singular(&self, word: &str) -> Option<String> {
        let cut = |end: &str, with: &str| word.strip_suffix(end).map(|stem| format!("{stem}{with}"));
        let names = [Some(word.to_owned()), cut("s", ""), cut("es", ""), cut("ies", "y")];
        names.into_iter().flatten().find_map(|name| self.model().find_type(&name)).map(|found| found.name.clone())
    }

    /// A single word where a set is expected: a type. Otherwise it is probably a misspelled set or variable.
    fn set_name(&mut self, scope: &Scope, name: &At<String>) -> Option<String> {
        if let Some(found) = self.model().find_type(&name.value) {
            return Some(found.name.clone());
        }
        let mut names: Vec<String> = SET_WORDS.iter().map(|word| (*word).to_owned()).collect();
        names.extend(scope.variables.iter().map(|v| v.name.clone()));
        names.extend(self.model().types.values().flat_map(|t| std::iter::once(t.name.clone()).chain(t.zh.clone())));
        let help = nearest(&name.value, names.iter().map(String::as_str))
            .map_or_else(|| text!("use a variable of `given`, a component type, or a set such as `dependents of db`"), did_you_mean);
        let message = text!("`{}` is neither a variable nor a component type", name.value);
        self.error(Code::UNKNOWN_TYPE, name.span, message, "unknown name", help);
        None
    }

    fn group_exists(&mut self, id: &At<String>) {
        let estate = self.inputs.estate;
        if estate.is_empty() || estate.group(&id.value).is_some() {
            return;
        }
        let near = nearest(&id.value, estate.groups().map(|g| g.id.as_str()));
        let help = near.map_or_else(|| text!("declare it under `topology/`"), did_you_mean);
        self.warning(Code::UNKNOWN_COMPONENT, id.span, text!("the topology has no group `{}`", id.value), "not found", help);
    }

    pub(super) fn filter(&mut self, filter: &ast::Where, types: &[String]) -> Option<Filter> {
        Some(match filter {
            ast::Where::Any(parts) => Filter::Any(parts.iter().map(|p| self.filter(p, types)).collect::<Option<_>>()?),
            ast::Where::All(parts) => Filter::All(parts.iter().map(|p| self.filter(p, types)).collect::<Option<_>>()?),
            ast::Where::Test { name, op, value } => self.filter_test(name, op, value, types)?,
        })
    }

    fn filter_test(&mut self, name: &At<String>, op: &At<Op>, value: &At<WhereValue>, types: &[String]) -> Option<Filter> {
        let field = match FIELDS.iter().find(|(en, zh)| *en == name.value || *zh == name.value).map(|(en, _)| *en) {
            Some("id") => Field::Id,
            Some("name") => Field::Name,
            Some("type") => Field::Type,
            Some("owner") => Field::Owner,
            Some("environment") => Field::Environment,
            Some("tier") => Field::Tier,
            Some(_) | None => return self.attribute_test(name, op, value, types),
        };
        let text = match &value.value {
            WhereValue::Text(text) => text.clone(),
            // An id such as `007` parses as a number; use the text as written.
            WhereValue::Quantity(_) => self.written(value.span).text,
        };
        if !matches!(op.value, Op::Eq | Op::Ne) {
            self.error(
                Code::UNIT_MISMATCH,
                op.span,
                text!("`{}` is text, which has no order", name.value),
                "expected `=` or `!=`",
                "compare it with `=` or `!=`",
            );
            return None;
        }
        let text = match field {
            Field::Type => self.type_name(&At::new(text, value.span))?,
            Field::Tier => self.tier(&text, value)?,
            Field::Id | Field::Name | Field::Owner | Field::Environment | Field::Attribute(_) => text,
        };
        Some(Filter::Test { field, op: op.value, value: FilterValue::Text(text) })
    }

    fn tier(&mut self, text: &str, value: &At<WhereValue>) -> Option<String> {
        if let Some(tier) = Tier::parse(text) {
            return Some(tier.name().to_owned());
        }
        self.error(
            Code::UNKNOWN_ATTRIBUTE,
            value.span,
            text!("unknown business tier `{}`", text),
            "unknown tier",
            "use one of `core`, `important`, `general`, `minor`",
        );
        None
    }

    fn attribute_test(&mut self, name: &At<String>, op: &At<Op>, value: &At<WhereValue>, types: &[String]) -> Option<Filter> {
        let model = self.inputs.estate.model();
        let everything = types.iter().any(|t| t == ROOT_TYPE);
        let candidates: Vec<String> = if everything { model.types.keys().cloned().collect() } else { types.to_vec() };
        let found = candidates.iter().find_map(|kind| match model.member(kind, &name.value) {
            Some(estate::Member::Attribute(def)) => Some(def),
            Some(estate::Member::Metric(_)) | None => None,
        });
        let Some(def) = found else {
            let mut names: Vec<&str> = FIELDS.iter().map(|(en, _)| *en).collect();
            names.extend(candidates.iter().flat_map(|kind| model.lineage(kind)).flat_map(|t| t.attributes.keys()).map(String::as_str));
            let near = nearest(&name.value, names).map(str::to_owned);
            let help = near.map_or_else(
                || text!("use `id`, `name`, `type`, `owner`, `environment`, `tier` or an attribute of the type; metrics go in `if`"),
                |near| did_you_mean(&near),
            );
            self.error(Code::UNKNOWN_ATTRIBUTE, name.span, text!("there is no attribute `{}`", name.value), "not in the model", help);
            return None;
        };
        let field = Field::Attribute(def.name.clone());
        let kind = def.kind;
        match (kind, &value.value) {
            (estate::AttributeKind::Number(unit), WhereValue::Quantity(quantity)) if quantity.unit.dimension == unit.dimension => {
                Some(Filter::Test { field, op: op.value, value: FilterValue::Number(quantity.base()) })
            }
            (estate::AttributeKind::Text | estate::AttributeKind::Bool, WhereValue::Text(text)) if matches!(op.value, Op::Eq | Op::Ne) => {
                Some(Filter::Test { field, op: op.value, value: FilterValue::Text(text.clone()) })
            }
            (kind, _) => {
                let expected = match kind {
                    estate::AttributeKind::Number(unit) => {
                        text!("{} such as `{}`", unit.dimension.describe(), unit.dimension.example())
                    }
                    estate::AttributeKind::Text => text!("text, with `=` or `!=`"),
                    estate::AttributeKind::Bool => text!("`true` or `false`, with `=` or `!=`"),
                };
                self.error(
                    Code::UNIT_MISMATCH,
                    value.span,
                    text!("invalid comparison with `{}`", name.value),
                    text!("expected {}", expected),
                    "",
                );
                None
            }
        }
    }

    /// The component from which a walk starts, for the default fault of a TOP rule.
    pub(super) fn walk_start(target: &Target) -> Option<PlaceOf> {
        match target {
            Target::Set(Set { base: SetBase::Walk { of, .. } | SetBase::Held(of), .. }) => Some(of.clone()),
            Target::Set(Set {
                base: SetBase::PeersIn { of, .. } | SetBase::PeersInGroup(of) | SetBase::PeersInEstate(of) | SetBase::Instances { of, .. },
                ..
            }) => Some(PlaceOf::Subject(*of)),
            Target::Set(Set { base: SetBase::Group(_) | SetBase::Type(_), .. }) => None,
            Target::Place(PlaceOf::Subject(Subject::Variable(index))) => Some(PlaceOf::Subject(Subject::Variable(*index))),
            Target::Place(PlaceOf::Subject(Subject::It) | PlaceOf::Holder { .. } | PlaceOf::Component(_)) => None,
        }
    }
}

/// The types that a filter admits, if it tests the type: `type = service or type = frontend`.
fn types_of(filter: &Filter) -> Option<Vec<String>> {
    match filter {
        Filter::Test { field: Field::Type, op: Op::Eq, value: FilterValue::Text(kind) } => Some(vec![kind.clone()]),
        Filter::Test { .. } => None,
        Filter::All(parts) => parts.iter().find_map(types_of),
        Filter::Any(parts) => parts.iter().map(types_of).collect::<Option<Vec<_>>>().map(|lists| lists.concat()),
    }
}
