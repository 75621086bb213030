//! Scores diagnoses against the known causes in the `expected.json` of bundles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;

use knowledge::{Calibration, Reliability, Unusable};
use localize::{Diagnosis, Layer};

use super::truth::{expected, expecting};
use super::{Options, Project, load_bundle};

/// Suspects whose confidence differs by less than this share one rank.
const TIE: f64 = 1e-9;

/// How accurately the bundles below a folder are diagnosed. `W` is why a bundle could not be used: typed, or told to a reader.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EvalReport<W = Unusable> {
    pub groups: Vec<GroupReport>,
    /// By group and by the fault in `expected.json`.
    pub faults: Vec<FaultReport>,
    pub bundles: Vec<BundleReport>,
    /// Bundles that could not be read, and why.
    pub failed: Vec<(String, W)>,
    /// How often the first suspect was right, by its confidence: for `all`, and for each layer that proposed one.
    pub reliability: BTreeMap<String, Reliability>,
    /// The calibration that fits the anomaly layer's own confidences on these bundles, starting from the identity, not the default.
    pub fitted: Calibration,
}

impl EvalReport {
    /// The same, with reasons in words.
    pub fn told(self, words: impl Fn(&Unusable) -> String) -> EvalReport<String> {
        let EvalReport { groups, faults, bundles, failed, reliability, fitted } = self;
        let failed = failed.into_iter().map(|(bundle, why)| (bundle, words(&why))).collect();
        EvalReport { groups, faults, bundles, failed, reliability, fitted }
    }
}

/// One kind of fault in one folder. Shares are 0 to 1.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FaultReport {
    pub group: String,
    /// Empty if `expected.json` does not name the fault.
    pub fault: String,
    pub bundles: usize,
    pub top1: f64,
    pub top3: f64,
}

/// One folder of bundles. Shares are 0 to 1; a tie counts with its expected value.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct GroupReport {
    pub group: String,
    /// Bundles with a fault.
    pub faults: usize,
    pub top1: f64,
    pub top3: f64,
    pub top5: f64,
    /// Bundles without a fault, and how many of them have no suspect.
    pub healthy: usize,
    pub abstained: usize,
    /// In how many of those a rule matched anyway.
    pub false_rules: usize,
    /// Bundles by the layer that proposed the first suspect.
    pub layers: BTreeMap<String, usize>,
    pub median_ms: f64,
    pub max_ms: f64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BundleReport {
    pub bundle: String,
    pub group: String,
    /// Components at fault; empty if there is no fault.
    pub expected: Vec<String>,
    /// The fault, as `expected.json` names it.
    pub fault: String,
    /// The first five suspects.
    pub suspects: Vec<String>,
    pub layer: Option<Layer>,
    /// The confidence of the first suspect if it is a component, and the layer's own value before feedback and calibration.
    pub confidence: Option<f64>,
    pub raw: Option<f64>,
    pub rules: Vec<String>,
    /// Chance that the first 1, 3 and 5 suspects contain a true cause.
    pub top: (f64, f64, f64),
    pub ms: f64,
}

/// Diagnoses every bundle with an `expected.json` below the folders.
pub fn evaluate(project: &Project, dirs: &[PathBuf], options: Options) -> EvalReport {
    let mut report = EvalReport {
        groups: Vec::new(),
        faults: Vec::new(),
        bundles: Vec::new(),
        failed: Vec::new(),
        reliability: BTreeMap::new(),
        fitted: Calibration::IDENTITY,
    };
    for dir in dirs {
        for bundle in expecting(dir) {
            let name = bundle.strip_prefix(dir).unwrap_or(&bundle).to_string_lossy().into_owned();
            let name = if name.is_empty() { bundle.to_string_lossy().into_owned() } else { name };
            let group = group_of(dir, &bundle);
            match one(project, &bundle, dir, options) {
                Ok(mut one) => {
                    one.bundle = name;
                    one.group = group;
                    report.bundles.push(one);
                }
                Err(why) => report.failed.push((name, why)),
            }
        }
    }
    report.groups = groups(&report.bundles);
    report.faults = faults(&report.bundles);
    for layer in [None, Some(Layer::Expert), Some(Layer::Knowledge), Some(Layer::Anomaly)] {
        let judged = pairs(&report.bundles, layer, |bundle| bundle.confidence);
        if !judged.is_empty() {
            report.reliability.insert(layer.map_or("all", Layer::name).to_owned(), Reliability::of(&judged));
        }
    }
    report.fitted = Calibration::IDENTITY.updated(&pairs(&report.bundles, Some(Layer::Anomaly), |bundle| bundle.raw));
    report
}

/// The confidence of each first suspect, from one layer or all, and whether it was right. In a tie, the one listed first counts.
fn pairs(bundles: &[BundleReport], layer: Option<Layer>, confidence: fn(&BundleReport) -> Option<f64>) -> Vec<(f64, bool)> {
    let right = |bundle: &BundleReport| bundle.suspects.first().is_some_and(|suspect| bundle.expected.contains(suspect));
    let of_layer = bundles.iter().filter(|bundle| layer.is_none() || bundle.layer == layer);
    of_layer.filter_map(|bundle| Some((confidence(bundle)?, right(bundle)))).collect()
}

/// The path from `dir` to the folder that contains the bundle; `dir` itself if that is the folder.
fn group_of(dir: &Path, bundle: &Path) -> String {
    let parent = bundle.parent().unwrap_or(dir);
    let inside = parent.strip_prefix(dir).unwrap_or(parent);
    let shown = if inside.as_os_str().is_empty() { dir } else { inside };
    shown.to_string_lossy().into_owned()
}

fn one(project: &Project, dir: &Path, root: &Path, options: Options) -> Result<BundleReport, Unusable> {
    let causes = expected(dir)?;
    let started = Instant::now();
    let bundle = load_bundle(project, dir, root, options).map_err(|error| Unusable::Unreadable(error.message.to_string()))?;
    let diagnosis = bundle.diagnose();
    let ms = started.elapsed().as_secs_f64() * 1000.0;
    let fault = causes.first().map(|cause| cause.fault.clone()).unwrap_or_default();
    let wanted: Vec<String> = causes.into_iter().map(|cause| cause.component).collect();
    let ranked = ranking(&diagnosis);
    let top = (chance(&ranked, &wanted, 1), chance(&ranked, &wanted, 3), chance(&ranked, &wanted, 5));
    let first = diagnosis.incidents.first();
    let suspect = first.and_then(|i| i.suspects.first()).filter(|s| s.component.is_some());
    Ok(BundleReport {
        bundle: String::new(),
        group: String::new(),
        expected: wanted,
        fault,
        suspects: ranked.iter().map(|(c, _)| c.clone()).take(5).collect(),
        layer: first.map(|i| i.layer),
        confidence: suspect.map(|s| s.confidence),
        raw: suspect.map(|s| s.raw),
        rules: first.and_then(|i| i.suspects.first()).map(|s| s.rules.clone()).unwrap_or_default(),
        top,
        ms,
    })
}

/// Suspects of all incidents in order, each component once, with the value that decides its rank. The first suspects of all
/// incidents come in the order of the diagnosis.
pub fn ranking(diagnosis: &Diagnosis) -> Vec<(String, f64)> {
    let mut ranked: Vec<(String, f64)> = Vec::new();
    for suspect in diagnosis.incidents.iter().flat_map(|i| &i.suspects) {
        let Some(component) = &suspect.component else { continue };
        if !ranked.iter().any(|(c, _)| c == component) {
            // Consecutive suspects with equal confidence are a tie; otherwise the order is kept.
            ranked.push((component.clone(), suspect.confidence));
        }
    }
    ranked
}

/// The chance that the first `n` contain one of `wanted` if ties are ordered at random.
#[allow(clippy::cast_precision_loss, reason = "counts of suspects are small")]
pub fn chance(ranked: &[(String, f64)], wanted: &[String], n: usize) -> f64 {
    if wanted.is_empty() {
        return 0.0;
    }
    let mut start = 0;
    while start < ranked.len().min(n) {
        let level = ranked.get(start).map_or(0.0, |(_, c)| *c);
        let tied: Vec<&(String, f64)> = ranked.iter().skip(start).take_while(|(_, c)| (c - level).abs() < TIE).collect();
        let hits = tied.iter().filter(|(c, _)| wanted.contains(c)).count();
        let room = (n - start).min(tied.len());
        if hits > 0 {
            // 1 - the chance that none of `room` draws out of the tie is a hit.
            let miss: f64 = (0..room).map(|i| (tied.len() - hits).saturating_sub(i) as f64 / (tied.len() - i) as f64).product();
            return 1.0 - miss;
        }
        start += tied.len();
    }
    0.0
}

#[allow(clippy::cast_precision_loss, reason = "counts of bundles are small")]
fn faults(bundles: &[BundleReport]) -> Vec<FaultReport> {
    let mut kinds: BTreeMap<(&str, &str), Vec<&BundleReport>> = BTreeMap::new();
    for bundle in bundles.iter().filter(|bundle| !bundle.expected.is_empty()) {
        kinds.entry((&bundle.group, &bundle.fault)).or_default().push(bundle);
    }
    let report = |((group, fault), members): ((&str, &str), Vec<&BundleReport>)| {
        let mean = |pick: fn(&BundleReport) -> f64| members.iter().map(|bundle| pick(bundle)).sum::<f64>() / members.len() as f64;
        FaultReport {
            group: group.to_owned(),
            fault: fault.to_owned(),
            bundles: members.len(),
            top1: mean(|bundle| bundle.top.0),
            top3: mean(|bundle| bundle.top.1),
        }
    };
    kinds.into_iter().map(report).collect()
}

#[allow(clippy::cast_precision_loss, reason = "counts of bundles are small")]
fn groups(bundles: &[BundleReport]) -> Vec<GroupReport> {
    let mut names: Vec<&str> = bundles.iter().map(|b| b.group.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let members: Vec<&BundleReport> = bundles.iter().filter(|b| b.group == name).collect();
            let faults: Vec<&&BundleReport> = members.iter().filter(|b| !b.expected.is_empty()).collect();
            let mean = |pick: fn(&BundleReport) -> f64| {
                if faults.is_empty() { 0.0 } else { faults.iter().map(|b| pick(b)).sum::<f64>() / faults.len() as f64 }
            };
            let healthy: Vec<&&BundleReport> = members.iter().filter(|b| b.expected.is_empty()).collect();
            let mut times: Vec<f64> = members.iter().map(|b| b.ms).collect();
            times.sort_by(f64::total_cmp);
            let mut layers = BTreeMap::new();
            for bundle in &members {
                let layer = bundle.layer.map_or("none", Layer::name);
                *layers.entry(layer.to_owned()).or_default() += 1;
            }
            GroupReport {
                group: name.to_owned(),
                faults: faults.len(),
                top1: mean(|b| b.top.0),
                top3: mean(|b| b.top.1),
                top5: mean(|b| b.top.2),
                healthy: healthy.len(),
                abstained: healthy.iter().filter(|b| b.suspects.is_empty()).count(),
                false_rules: healthy.iter().filter(|b| b.layer == Some(Layer::Expert)).count(),
                layers,
                median_ms: times.get(times.len() / 2).copied().unwrap_or(0.0),
                max_ms: times.last().copied().unwrap_or(0.0),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{BundleReport, Layer, chance, pairs};

    #[test]
    fn first_suspects_are_right_or_wrong() {
        let bundle = |expected: &[&str], suspects: &[&str], layer: Option<Layer>, confidence: Option<f64>| BundleReport {
            fault: String::new(),
            bundle: String::new(),
            group: String::new(),
            expected: expected.iter().map(|&c| c.to_owned()).collect(),
            suspects: suspects.iter().map(|&c| c.to_owned()).collect(),
            layer,
            confidence,
            raw: confidence.map(|c| c / 2.0),
            rules: Vec::new(),
            top: (0.0, 0.0, 0.0),
            ms: 0.0,
        };
        let bundles = [
            bundle(&["a"], &["a", "b"], Some(Layer::Expert), Some(0.8)),
            bundle(&["b"], &["a", "b"], Some(Layer::Anomaly), Some(0.4)),
            bundle(&[], &["a"], Some(Layer::Anomaly), Some(0.2)),
            bundle(&["a"], &[], None, None),
        ];
        assert_eq!(pairs(&bundles, None, |b| b.confidence), [(0.8, true), (0.4, false), (0.2, false)]);
        assert_eq!(pairs(&bundles, Some(Layer::Anomaly), |b| b.raw), [(0.2, false), (0.1, false)]);
    }

    #[test]
    fn ties_count_by_expectation() {
        let ranked = |list: &[(&str, f64)]| list.iter().map(|(c, p)| ((*c).to_owned(), *p)).collect::<Vec<_>>();
        let wanted = vec!["b".to_owned()];
        for (list, n, expected) in [
            (&[("a", 0.9), ("b", 0.5)][..], 1, 0.0),
            (&[("a", 0.9), ("b", 0.5)][..], 3, 1.0),
            (&[("a", 0.5), ("b", 0.5)][..], 1, 0.5),
            (&[("a", 0.5), ("b", 0.5), ("c", 0.5), ("d", 0.5)][..], 3, 0.75),
            (&[][..], 5, 0.0),
        ] {
            let found = chance(&ranked(list), &wanted, n);
            assert!((found - expected).abs() < 1e-9, "{list:?} top {n}: {found} is not {expected}");
        }
    }
}
