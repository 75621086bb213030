//! The other direction: what a sender writes. Replays use it, so that a recording arrives as it once did.

use std::collections::BTreeMap;

use prost::Message;
use value::Time;

use super::wire::prometheus::{Label, Sample, Series1, Write1};

/// Prometheus' marker of a series that ended.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// A request of remote-write 1, compressed. NaN ends a series. `None` if it is larger than snappy can compress, which is 4 GiB.
pub fn remote_write_body<'s>(series: impl IntoIterator<Item = (&'s BTreeMap<String, String>, &'s [(Time, f64)])>) -> Option<Vec<u8>> {
    let label = |(name, value): (&String, &String)| Label { name: name.clone().into_bytes(), value: value.clone().into_bytes() };
    let sample =
        |(time, value): &(Time, f64)| Sample { value: if value.is_nan() { f64::from_bits(STALE) } else { *value }, timestamp: time.0 };
    let series = series.into_iter().map(|(labels, points)| Series1 {
        labels: labels.iter().map(label).collect(),
        samples: points.iter().map(sample).collect(),
        exemplars: Vec::new(),
        histograms: Vec::new(),
    });
    let message = Write1 { series: series.collect() }.encode_to_vec();
    snap::raw::Encoder::new().compress_vec(&message).ok()
}
