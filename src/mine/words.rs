//! Items as conditions of the rule language, and as questions for people.

use estate::{Member, MetricDef, Model};
use value::{Dimension, Unit, format_number};

use super::transactions::{Item, Label, MetricUse, Place, Symptom};

/// The window in which a rule checks whether a metric moved: half the lookback of a diagnosis, so that at the peak of an incident it
/// still covers the time before.
const MOVED_WITHIN: &str = "30m";

/// The lookback of a tree, like that of a diagnosis: people may walk it after the peak.
const TREE_WINDOW: &str = "1h";

/// Significant digits of a bound, the fewest first: `85%` reads better than `85.3172%`.
const DIGITS: &[i32] = &[2, 3, 4];

/// What is known about a metric in the incidents from which a condition is derived.
#[derive(Debug, Clone)]
pub struct KnownNames<'a> {
    pub readings: &'a [MetricUse],
    /// The most extreme value where the metric was not anomalous on that side.
    pub quiet: Option<f64>,
}

/// The bound between anomalous and normal values of a metric.
enum Bound {
    /// Beyond a value.
    Value(String),
    /// By a share of the usual value, in percent.
    Share(f64),
    /// By an amount, if the usual value is 0.
    Amount(String),
}

/// A text literal of the rule language.
pub fn quoted(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("\"{}\"", plain.trim().replace('\\', "\\\\").replace('"', "\\\""))
}

/// The condition of an item about the variable `c` of the label's type. `None` if the language cannot express it.
pub fn condition(item: &Item, label: &Label, model: &Model, known: &KnownNames<'_>) -> Option<String> {
    let under = |kind: &str| format!("direct dependency of c where type = {kind}");
    let every_under = |kind: &str| format!("direct dependencies of c where type = {kind}");
    Some(match (&item.place, &item.symptom) {
        (Place::Itself, Symptom::Metric { name, high }) => moved(&format!("c.{name}"), metric(model, &label.kind, name)?, *high, known)?,
        (Place::Under(kind), Symptom::Metric { name, high }) => {
            format!("any {} has {}", under(kind), moved(name, metric(model, kind, name)?, *high, known)?)
        }
        (Place::Itself, Symptom::Alert(name)) => format!("alert {} on c", quoted(name)),
        (Place::Under(kind), Symptom::Alert(name)) => format!("alert {} on {}", quoted(name), every_under(kind)),
        (Place::Over, Symptom::Alert(name)) => format!("alert {} on dependents of c", quoted(name)),
        (Place::Itself, Symptom::Log(text)) => format!("log {} on c", quoted(text)),
        (Place::Under(kind), Symptom::Log(text)) => format!("log {} on {}", quoted(text), every_under(kind)),
        (Place::Itself, Symptom::ProbeFails) => "probe on c fails".to_owned(),
        (Place::Itself, Symptom::Changed) => "change on c".to_owned(),
        (Place::Over, Symptom::Metric { .. } | Symptom::Log(_))
        | (Place::Under(_) | Place::Over, Symptom::ProbeFails | Symptom::Changed) => return None,
    })
}

/// A question of a tree about a symptom of any component of a type, and the condition that answers it.
pub fn question(kind: &str, symptom: &Symptom, model: &Model, known: &KnownNames<'_>) -> Option<(String, String)> {
    Some(match symptom {
        Symptom::Metric { name, high } => {
            let def = metric(model, kind, name)?;
            let (word, stat, sign) = if *high { ("high", "peak", ">") } else { ("low", "lowest", "<") };
            let limit = match bound(def, *high, known)? {
                Bound::Value(value) | Bound::Amount(value) => value,
                Bound::Share(share) => {
                    let share = if *high { 100.0 + share } else { 100.0 - share };
                    format!("{}% of p50 of {name} within {TREE_WINDOW}", format_number(share))
                }
            };
            let asked = format!("Is {name} unusually {word} on any {kind}?");
            (asked, format!("any {kind} has ({stat} of {name} within {TREE_WINDOW} {sign} {limit})"))
        }
        Symptom::Alert(name) => {
            (format!("Has alert {name} fired on any {kind}?"), format!("any {kind} has alert {} within {TREE_WINDOW}", quoted(name)))
        }
        Symptom::Log(text) => {
            (format!("Has any {kind} logged: {text}?"), format!("any {kind} has log {} within {TREE_WINDOW}", quoted(text)))
        }
        Symptom::ProbeFails => (format!("Has a probe of any {kind} failed?"), format!("any {kind} has (probe fails within {TREE_WINDOW})")),
        Symptom::Changed => (format!("Has any {kind} changed?"), format!("any {kind} has change within {TREE_WINDOW}")),
    })
}

fn metric<'m>(model: &'m Model, kind: &'m str, name: &str) -> Option<&'m MetricDef> {
    match model.member(kind, name)? {
        Member::Metric(def) => Some(def),
        Member::Attribute(_) => None,
    }
}

/// `subject` is the metric as the rule language refers to it here.
fn moved(subject: &str, def: &MetricDef, high: bool, known: &KnownNames<'_>) -> Option<String> {
    let (sign, verb) = if high { (">", "rises") } else { ("<", "falls") };
    Some(match bound(def, high, known)? {
        Bound::Value(value) => format!("{subject} {sign} {value}"),
        Bound::Share(share) => format!("{subject} {verb} {}% within {MOVED_WITHIN}", format_number(share)),
        Bound::Amount(amount) => format!("{subject} {verb} by {amount} within {MOVED_WITHIN}"),
    })
}

/// A value between the normal and the anomalous ones; if there is none, half of the smallest change.
fn bound(def: &MetricDef, high: bool, known: &KnownNames<'_>) -> Option<Bound> {
    let side = if high { 1.0 } else { -1.0 };
    let unit = shown_unit(def.unit);
    let least = |values: &mut dyn Iterator<Item = f64>| values.min_by(f64::total_cmp);
    let near = least(&mut known.readings.iter().map(|r| side * r.value))?;
    let far = known.readings.iter().map(|r| side * r.usual).chain(known.quiet.map(|q| side * q)).max_by(f64::total_cmp)?;
    if near > far
        && known.readings.iter().all(|r| r.alone)
        && let Some(value) = between(unit, side * far, side * near)
    {
        return Some(Bound::Value(unit.format(value)));
    }
    if known.readings.iter().all(|r| r.usual > 0.0) {
        let move_of = |r: &MetricUse| side * (r.value / r.usual - 1.0);
        let share = round(least(&mut known.readings.iter().map(move_of))? * 100.0 / 2.0, 2);
        return (share > 0.0).then_some(Bound::Share(share));
    }
    let amount = least(&mut known.readings.iter().map(|r| side * (r.value - r.usual)))? / 2.0;
    (amount > 0.0 && high).then(|| Bound::Amount(unit.format(round(amount / unit.factor, 2) * unit.factor)))
}

/// A ratio is written as a percentage.
fn shown_unit(unit: Unit) -> Unit {
    if unit.dimension == Dimension::Fraction { Unit::PERCENT } else { unit }
}

/// The midpoint of two values (base unit), with the fewest digits that still lie strictly between them.
fn between(unit: Unit, quiet: f64, strays: f64) -> Option<f64> {
    let (low, high) = (quiet.min(strays), quiet.max(strays));
    let middle = f64::midpoint(quiet, strays) / unit.factor;
    let inside = |value: &f64| *value > low && *value < high;
    DIGITS.iter().map(|digits| round(middle, *digits) * unit.factor).find(inside)
}

/// Rounds to a number of significant digits.
fn round(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    #[allow(clippy::cast_possible_truncation, reason = "the exponent of a double lies between -324 and 308")]
    let exponent = value.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits - 1 - exponent);
    if scale.is_finite() && scale > 0.0 { (value * scale).round() / scale } else { value }
}

#[cfg(test)]
mod tests {
    use super::{KnownNames, condition, question};
    use crate::transactions::{Item, Label, MetricUse, Place, Symptom};
    use estate::base_model;

    fn metric(place: Place, name: &str, high: bool) -> Item {
        Item { place, symptom: Symptom::Metric { name: name.to_owned(), high } }
    }

    /// Readings as (value, usual); `alone` where one series makes the metric.
    fn check(kind: &str, item: &Item, readings: &[(f64, f64)], quiet: Option<f64>, alone: bool, expected: &str) {
        let readings: Vec<MetricUse> = readings.iter().map(|(value, usual)| MetricUse { value: *value, usual: *usual, alone }).collect();
        let label = Label { kind: kind.to_owned(), fault: "f".to_owned() };
        let found = condition(item, &label, &base_model(), &KnownNames { readings: &readings, quiet });
        assert_eq!(found.as_deref().unwrap_or("none"), expected, "{item:?} {readings:?} {quiet:?}");
    }

    #[test]
    fn metrics_in_their_units() {
        let cpu = metric(Place::Itself, "cpu_usage", true);
        // Between 24 and 91 lies 57.5.
        check("database", &cpu, &[(91.0, 20.0), (97.0, 22.0)], Some(24.0), true, "c.cpu_usage > 58%");
        check("database", &cpu, &[(91.0, 20.0)], None, true, "c.cpu_usage > 56%");
        // Nothing tells them apart by value: 91 is 355% more than 20, and half of that is asked for.
        check("database", &cpu, &[(91.0, 20.0)], Some(95.0), true, "c.cpu_usage rises 180% within 30m");
        check("database", &cpu, &[(91.0, 20.0)], Some(24.0), false, "c.cpu_usage rises 180% within 30m");
        check("database", &cpu, &[(30.0, 0.0)], Some(40.0), true, "c.cpu_usage rises by 15% within 30m");
        let hits = metric(Place::Itself, "hit_rate", false);
        check("cache", &hits, &[(40.0, 95.0)], Some(90.0), true, "c.hit_rate < 65%");
        check("cache", &hits, &[(38.0, 95.0)], Some(20.0), true, "c.hit_rate falls 30% within 30m");
        let time = metric(Place::Under("database".to_owned()), "response_time", true);
        let expected = "any direct dependency of c where type = database has response_time > 990ms";
        check("service", &time, &[(1500.0, 100.0)], Some(480.0), true, expected);
        check("service", &metric(Place::Itself, "no_such", true), &[(2.0, 1.0)], None, true, "none");
        check("service", &cpu, &[], None, true, "none");
    }

    #[test]
    fn events_with_their_places() {
        let alert = |place: Place, name: &str| Item { place, symptom: Symptom::Alert(name.to_owned()) };
        let cases = [
            (alert(Place::Itself, "Down"), r#"alert "Down" on c"#),
            (alert(Place::Over, r#"say "hi""#), r#"alert "say \"hi\"" on dependents of c"#),
            (alert(Place::Under("pod".into()), "a\\b"), r#"alert "a\\b" on direct dependencies of c where type = pod"#),
            (Item { place: Place::Itself, symptom: Symptom::Log("no route".into()) }, r#"log "no route" on c"#),
            (Item { place: Place::Itself, symptom: Symptom::ProbeFails }, "probe on c fails"),
            (Item { place: Place::Itself, symptom: Symptom::Changed }, "change on c"),
            (Item { place: Place::Over, symptom: Symptom::Changed }, "none"),
        ];
        for (item, expected) in &cases {
            check("service", item, &[], None, true, expected);
        }
    }

    #[test]
    fn questions_look_back_an_hour() {
        let readings = [MetricUse { value: 91.0, usual: 20.0, alone: true }];
        let cpu = Symptom::Metric { name: "cpu_usage".to_owned(), high: true };
        for (quiet, expected) in [
            (24.0, "any pod has (peak of cpu_usage within 1h > 58%)"),
            (95.0, "any pod has (peak of cpu_usage within 1h > 280% of p50 of cpu_usage within 1h)"),
        ] {
            let found = question("pod", &cpu, &base_model(), &KnownNames { readings: &readings, quiet: Some(quiet) });
            assert_eq!(found.map(|(_, auto)| auto).as_deref(), Some(expected));
        }
    }
}
