//! Checks `sources.yaml` against the model and the estate: names that nobody has, units that do not fit, counters that are read as
//! values, and entries that earlier ones leave nothing to do.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Diagnostic, Place, Text, did_you_mean, nearest, text};
use estate::{MetricDef, Model, Snapshot};

use super::finding::ADDRESSES;
use super::mapping::{HISTOGRAM, TOTAL, by_name, metric_of, unit_in};
use super::mapping_rules::{By, Fit, Key, MappingRules, MetricEntry, ReadAs, Rule, ScoreSeries};

impl MappingRules {
    /// Unknown types, metrics and attributes, incompatible units, entries without effect.
    pub fn check(&self, estate: &Snapshot) -> Vec<Diagnostic> {
        let model = estate.model();
        let mut found: Vec<Diagnostic> = self.metrics.iter().filter_map(|entry| check_entry(entry, model)).collect();
        found.extend(self.scores.iter().filter_map(|entry| check_score(entry, model)));
        found.extend(attributes(&self.rules, estate));
        found.extend(idle_rules(&self.rules));
        found.extend(mapped_twice(&self.metrics, model));
        found.extend(counters_of_model(model));
        found.extend(self.metrics.iter().filter_map(|entry| histogram(entry, model)));
        found
    }
}

/// The types that an entry is for; all of them if it names none. `None`: the model has no such type.
fn kinds_of<'m>(entry: &MetricEntry, model: &'m Model) -> Option<Vec<&'m str>> {
    let all = model.types.keys().map(String::as_str);
    let Some(wanted) = &entry.kind else { return Some(all.collect()) };
    let found = model.find_type(wanted)?;
    Some(all.filter(|kind| model.is_a(kind, &found.name)).collect())
}

fn check_entry(entry: &MetricEntry, model: &Model) -> Option<Diagnostic> {
    let Some(kinds) = kinds_of(entry, model) else {
        let wanted = entry.kind.as_deref().unwrap_or_default();
        let diagnostic = Diagnostic::error(Code::UNKNOWN_COMPONENT_TYPE, entry.places.kind, text!("no type `{}` in the model", wanted));
        return Some(match nearest(wanted, model.types.keys().map(String::as_str)) {
            Some(name) => diagnostic.help(did_you_mean(name)),
            None => diagnostic,
        });
    };
    let defs: Vec<&MetricDef> = kinds.iter().filter_map(|&kind| metric_of(model, kind, &entry.metric)).collect();
    let Some(first) = defs.first() else {
        let message = match &entry.kind {
            Some(kind) => text!("the type `{}` has no metric `{}`", kind, entry.metric),
            None => text!("no type has a metric `{}`", entry.metric),
        };
        let diagnostic = Diagnostic::error(Code::UNKNOWN_METRIC, entry.places.metric, message);
        return Some(match nearest(&entry.metric, metric_names(model, &kinds)) {
            Some(name) => diagnostic.help(did_you_mean(name)),
            None => diagnostic.help("declare it in `topology/model.yaml`"),
        });
    };
    if defs.iter().any(|def| entry.mapped(def).is_some()) {
        return None;
    }
    Some(misfit(entry, first))
}

/// The samples of an entry cannot be values of its metric.
fn misfit(entry: &MetricEntry, def: &MetricDef) -> Diagnostic {
    let dimension = def.unit.dimension;
    let (message, help): (Text, Text) = match (entry.read_as, entry.unit) {
        (Some(ReadAs::Counter(_)), _) => (
            text!("the rise of series `{}` cannot be metric `{}`, which is {}", entry.series, def.name, dimension.describe()),
            text!("use `as: rate` for a metric per time, `as: increase` for a count, and the `unit` of what the series counts"),
        ),
        (None, _) if entry.series.ends_with(TOTAL) => (
            text!("series `{}` is a counter, and metric `{}` is {}", entry.series, def.name, dimension.describe()),
            text!("map it to a metric in `/s`, `/min` or a count; write `as: value` if its values do not add up"),
        ),
        (_, Some(unit)) => (
            text!(
                "series `{}` in `{}` cannot be mapped to metric `{}`, which is {}",
                entry.series,
                unit.name,
                def.name,
                dimension.describe()
            ),
            text!("use a unit like that of `{}`", dimension.example()),
        ),
        (_, None) => (
            text!("series `{}` cannot be mapped to metric `{}`, which is {}", entry.series, def.name, dimension.describe()),
            text!("use a unit like that of `{}`", dimension.example()),
        ),
    };
    Diagnostic::error(Code::UNIT_MISMATCH, entry.places.unit, message).help(help)
}

/// A score for a metric that no type has could never be combined with the built-in detectors.
fn check_score(entry: &ScoreSeries, model: &Model) -> Option<Diagnostic> {
    let metric = entry.metric.as_deref()?;
    let kinds: Vec<&str> = model.types.keys().map(String::as_str).collect();
    if kinds.iter().any(|&kind| metric_of(model, kind, metric).is_some()) {
        return None;
    }
    let diagnostic = Diagnostic::error(Code::UNKNOWN_METRIC, entry.place, text!("no type has a metric `{}`", metric));
    Some(match nearest(metric, metric_names(model, &kinds)) {
        Some(name) => diagnostic.help(did_you_mean(name)),
        None => diagnostic.help("declare it in `topology/model.yaml`, or omit `metric` to score the whole component"),
    })
}

fn metric_names<'m>(model: &'m Model, kinds: &[&'m str]) -> BTreeSet<&'m str> {
    kinds.iter().flat_map(|&kind| model.lineage(kind)).flat_map(|t| t.metrics.keys()).map(String::as_str).collect()
}

/// A part of a histogram or a summary that is read as a value, though it is a counter. Gauges are called `…_count`, too: one whose unit is
/// said is no part of a histogram, unless its name ends in a unit before that.
fn histogram(entry: &MetricEntry, model: &Model) -> Option<Diagnostic> {
    let (before, ending) = HISTOGRAM.iter().find_map(|ending| Some((entry.series.strip_suffix(*ending)?, *ending)))?;
    let is_gauge = ending == "_count" && entry.unit.is_some() && unit_in(before).is_none();
    let fits = || kinds_of(entry, model)?.iter().find_map(|&kind| entry.mapped(metric_of(model, kind, &entry.metric)?));
    if entry.read_as().is_some() || is_gauge || fits().is_none() {
        return None;
    }
    let message = text!("series `{}` is called like a part of a histogram, which only climbs, but is read as a value", entry.series);
    let help = text!("say `as: rate` or `as: increase`; write `as: value` if it is none");
    Some(Diagnostic::warning(Code::UNIT_MISMATCH, entry.places.series, message).help(help))
}

/// Metrics of the model that a series of their own name cannot be: it would be a counter.
fn counters_of_model(model: &Model) -> Vec<Diagnostic> {
    let mut found: BTreeMap<Place, Diagnostic> = BTreeMap::new();
    for def in model.types.values().flat_map(|of| of.metrics.values()) {
        if let Some(place) = def.place
            && def.name.ends_with(TOTAL)
            && by_name(&def.name, def).is_none()
        {
            let message = text!("metric `{}` is called like a counter, but is {}", def.name, def.unit.dimension.describe());
            let help = text!("a series of this name is not read: give the metric another name, or map the series with `as`");
            found.insert(place, Diagnostic::warning(Code::UNIT_MISMATCH, place, message).help(help));
        }
    }
    found.into_values().collect()
}

/// Attributes that the model does not declare and no component has.
fn attributes(rules: &[Rule], estate: &Snapshot) -> Vec<Diagnostic> {
    let declared = estate.model().types.values().flat_map(|of| of.attributes.keys());
    let given = estate.ids().flat_map(|id| estate.component(id).attributes.keys());
    let known: BTreeSet<&str> = declared.chain(given).map(String::as_str).chain(ADDRESSES.iter().copied()).collect();
    let mut found = Vec::new();
    for (by, place) in rules.iter().flat_map(|rule| rule.by.iter().zip(&rule.by_places)) {
        let By::Attribute(name) = by else { continue };
        if known.contains(name.as_str()) {
            continue;
        }
        let words = ["id", "name"].into_iter().chain(known.iter().copied());
        // A longer word for the same thing is further away than a typing error: `ipaddr`.
        let longer = || known.iter().copied().filter(|known| name.starts_with(known)).max_by_key(|known| known.len());
        let message = text!("no component has an attribute `{}`", name);
        let diagnostic = Diagnostic::warning(Code::UNKNOWN_ATTRIBUTE_KEY, *place, message);
        found.push(match nearest(name, words).or_else(longer) {
            Some(near) => diagnostic.help(did_you_mean(near)),
            None => diagnostic.help("use `id`, `name`, or an attribute of `topology/model.yaml`"),
        });
    }
    found
}

/// Entries of `placement` that find nothing which an earlier one has not found or dropped.
fn idle_rules(rules: &[Rule]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (at, later) in rules.iter().enumerate() {
        let Some(earlier) = rules.iter().take(at).find(|earlier| earlier.hides(later)) else { continue };
        // What is the same, word for word, has been reported when it was read.
        if earlier.written == later.written {
            continue;
        }
        let message = text!("this entry never applies: entry {} comes first", earlier.number);
        let diagnostic = Diagnostic::warning(Code::IDLE_MAPPING, later.place, message);
        found.push(diagnostic.related(earlier.place, "the earlier entry").help("delete it, or put it before the other one"));
    }
    found
}

impl Rule {
    /// Whether a later entry has no labels left to place.
    fn hides(&self, later: &Rule) -> bool {
        let pattern = |rule: &Rule| rule.pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
        let same_key = self.key == later.key && pattern(self) == pattern(later);
        let drops_all = self.drop && self.key == Key::Nothing && self.pattern.is_none();
        let finds_all = !later.drop && later.by.iter().all(|by| self.by.contains(by));
        self.is_wider(later) && (drops_all || (same_key && (self.drop || finds_all)))
    }

    /// Whether its conditions hold wherever those of another one do.
    fn is_wider(&self, other: &Rule) -> bool {
        let includes = |fits: &[Fit], inner: &Fit| fits.iter().any(|fit| fit.includes(inner));
        let wanted = self.when.iter().all(|(label, fits)| {
            let inner = other.when.get(label).map(Vec::as_slice).unwrap_or_default();
            !inner.is_empty() && inner.iter().all(|one| includes(fits, one))
        });
        let excluded = self.not.iter().all(|(label, fits)| {
            let spared = |fit: &Fit| other.not.get(label).is_some_and(|fits| includes(fits, fit));
            let elsewhere = other.when.get(label).is_some_and(|values| {
                let other_value = |value: &Fit| match value {
                    Fit::Exactly(value) => !fits.iter().any(|fit| fit.fits(value)),
                    Fit::Pattern { .. } => false,
                };
                !values.is_empty() && values.iter().all(other_value)
            });
            elsewhere || fits.iter().all(spared)
        });
        wanted && excluded
    }
}

/// Series that two entries map, so that the later one does less than it says.
fn mapped_twice(entries: &[MetricEntry], model: &Model) -> Vec<Diagnostic> {
    let reaches: Vec<BTreeMap<&str, &str>> = entries.iter().map(|entry| reach(entry, model)).collect();
    let mut found = Vec::new();
    for (at, (later, own)) in entries.iter().zip(&reaches).enumerate() {
        let mut earlier = entries.iter().zip(&reaches).take(at).filter(|(earlier, _)| earlier.series == later.series);
        found.extend(earlier.find_map(|earlier| twice(earlier, (later, own))));
    }
    found
}

/// The types on which an entry decides, with its metric there.
fn reach<'m>(entry: &MetricEntry, model: &'m Model) -> BTreeMap<&'m str, &'m str> {
    let metric = |kind: &'m str| metric_of(model, kind, &entry.metric).filter(|def| entry.mapped(def).is_some());
    let kinds = kinds_of(entry, model).unwrap_or_default();
    kinds.into_iter().filter_map(|kind| Some((kind, metric(kind)?.name.as_str()))).collect()
}

/// A metric entry with its reach.
type Reach<'r, 'm> = (&'r MetricEntry, &'r BTreeMap<&'m str, &'m str>);

fn twice((earlier, theirs): Reach<'_, '_>, (later, own): Reach<'_, '_>) -> Option<Diagnostic> {
    let both: Vec<(&str, &str)> = own.iter().filter_map(|(kind, metric)| Some((*theirs.get(kind)?, *metric))).collect();
    let (first, second) = both.iter().copied().find(|(first, second)| first != second).or(both.first().copied())?;
    let apart = earlier.labels.iter().any(|(label, value)| later.labels.get(label).is_some_and(|other| other != value));
    // What is the same, word for word, has been reported when it was read.
    if apart || earlier.written == later.written {
        return None;
    }
    let within =
        |inner: &MetricEntry, outer: &MetricEntry| outer.labels.iter().all(|(label, value)| inner.labels.get(label) == Some(value));
    let message = if both.len() == own.len() && within(later, earlier) {
        if first == second {
            text!("this entry never applies: an earlier one maps `{}` already", later.series)
        } else {
            text!("`{}` is mapped twice: an earlier entry makes it `{}`, so it is never `{}`", later.series, first, second)
        }
    } else if first != second && !(both.len() == theirs.len() && within(earlier, later)) {
        text!("`{}` is mapped twice: where both entries fit, it is `{}`, not `{}`", later.series, first, second)
    } else {
        return None;
    };
    let diagnostic = Diagnostic::warning(Code::IDLE_MAPPING, later.places.series, message);
    let help = "delete one of them, or tell them apart with `type` or `labels`";
    Some(diagnostic.related(earlier.places.series, "the earlier entry").help(help))
}
