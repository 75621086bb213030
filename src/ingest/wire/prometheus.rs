//! Remote-write: `prometheus.WriteRequest` (1) and `io.prometheus.write.v2.Request` (2).

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct Write1 {
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<Series1>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Series1 {
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub exemplars: Vec<Counted>,
    #[prost(message, repeated, tag = "4")]
    pub histograms: Vec<Counted>,
}

/// As bytes: one label that is not UTF-8 costs only its series.
#[derive(Clone, PartialEq, Message)]
pub struct Label {
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Sample {
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// What is counted and not read.
#[derive(Clone, PartialEq, Message)]
pub struct Counted {}

#[derive(Clone, PartialEq, Message)]
pub struct Write2 {
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub symbols: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "5")]
    pub series: Vec<Series2>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Series2 {
    /// Positions in the symbols: name and value of each label in turn.
    #[prost(uint32, repeated, tag = "1")]
    pub labels: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub histograms: Vec<Counted>,
    #[prost(message, repeated, tag = "4")]
    pub exemplars: Vec<Counted>,
}
