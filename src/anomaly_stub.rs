use crate::estate::*; use crate::signal::Facts; use crate::value::Time;
#[derive(Debug, Clone)]
pub struct Deviation { pub component: Option<ComponentId>, pub series: usize, pub metric: String, pub score: f64, pub high: bool, pub onset: Time, pub value: f64, pub usual: f64, pub spread: f64, pub samples: usize, pub reference: usize }
pub fn deviations(_: &Snapshot, _: &Facts, _: Time, _: Time) -> Vec<Deviation> { Vec::new() }
pub struct Symptom { pub component: ComponentId, pub onset: Time, pub weight: f64 }
pub struct Ranked { pub component: ComponentId, pub score: f64, pub confidence: f64, pub reasons: Vec<String>, pub explains: Vec<ComponentId>, pub deviations: Vec<usize> }
pub fn rank(_: &Snapshot, _: &Facts, _: &[Deviation], _: &[Symptom]) -> Vec<Ranked> { Vec::new() }
