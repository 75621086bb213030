//! One column: what is usual for it, and how far its values deviate from that.

use serde::{Deserialize, Serialize};

use estate::Direction;
use signal::{is_counter, rates};
use value::{Duration, Time};

use super::ewma::{self, Ewma};
use super::reference::{MIN_REFERENCE, count, median, usual};
use super::sampling::step;
use super::season::Season;
use super::tail::{Detector, Tail, t_quantile, t_tail};

/// How far apart values usually lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scale {
    /// In the unit of the column; above zero.
    Spread(f64),
    /// Every value of the reference was zero, so there is no scale: any other value is this many spreads away.
    Nothing(f64),
}

/// The middle of values and their scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    pub median: f64,
    pub scale: Scale,
}

impl Reference {
    fn of(values: &[f64]) -> Option<Reference> {
        match usual(values, values) {
            Some(usual) => Some(Reference { median: usual.median, scale: Scale::Spread(usual.spread) }),
            None => Some(Reference { median: 0.0, scale: Scale::Nothing(1.0 / usual(values, &[1.0])?.spread) }),
        }
    }

    fn is_sound(&self) -> bool {
        let (Scale::Spread(scale) | Scale::Nothing(scale)) = self.scale;
        self.median.is_finite() && scale.is_finite() && scale > 0.0
    }
}

/// A rhythm, and how values scatter about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rhythmic {
    pub season: Season,
    /// Of the differences from what the season expects.
    rest: Reference,
}

/// What is usual for a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub name: String,
    /// Whether it is a counter. All other fields are then about its rate per second.
    pub rate: bool,
    pub direction: Direction,
    /// Of all values, whatever the time.
    pub level: Reference,
    pub rhythm: Option<Rhythmic>,
    /// Finite values of the reference.
    pub samples: usize,
    /// The usual time between two values, in milliseconds.
    pub step: Duration,
    /// See [`ewma::inflation`].
    inflation: f64,
}

/// What a value is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Basis {
    pub expected: f64,
    scale: Scale,
    pub detector: Detector,
}

/// The half-width of the band of a column in spreads, around its level and around its rhythm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Away {
    level: f64,
    rhythm: f64,
}

impl Column {
    /// `None` for fewer than three finite values.
    pub fn fit(name: &str, times: &[Time], values: &[f64], direction: Direction, seasonal: bool) -> Option<Column> {
        let raw = finite(times, values);
        let rate = is_counter(name, &raw, &[]);
        let points = if rate { rates(&raw) } else { raw };
        if points.len() < MIN_REFERENCE {
            return None;
        }
        let plain: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
        let level = Reference::of(&plain)?;
        let season = if seasonal { Season::find(&points) } else { None };
        let mut column = Column {
            name: name.to_owned(),
            rate,
            direction,
            level,
            rhythm: season.and_then(|season| rhythmic(season, &points)),
            samples: points.len(),
            step: step(&points),
            inflation: 1.0,
        };
        let z = |(time, value): &(Time, f64)| (*time, column.basis(Some(*time)).z(*value));
        let (times, zs): (Vec<Time>, Vec<f64>) = points.iter().map(z).unzip();
        column.inflation = ewma::inflation(&times, column.step, &zs);
        Some(column)
    }

    /// The values as the column judges them: of a counter its rise per second, and NaN where there is none.
    pub fn read(&self, times: &[Time], values: &[f64]) -> Vec<f64> {
        if !self.rate {
            return values.to_vec();
        }
        let mut risen = rates(&finite(times, values)).into_iter().peekable();
        times.iter().map(|time| risen.next_if(|(at, _)| at == time).map_or(f64::NAN, |(_, rate)| rate)).collect()
    }

    /// What a value at this time is compared with: the rhythm, or the level if there is no rhythm or the time is unknown.
    pub fn basis(&self, time: Option<Time>) -> Basis {
        let Some((rhythm, time)) = self.rhythm.as_ref().zip(time) else {
            return Basis { expected: self.level.median, scale: self.level.scale, detector: Detector::RobustZ };
        };
        let (expected, off) = rhythm.season.expected(time);
        let scale = match rhythm.rest.scale {
            Scale::Spread(spread) => Scale::Spread(spread.hypot(off)),
            Scale::Nothing(away) => Scale::Nothing(away),
        };
        Basis { expected: expected + rhythm.rest.median, scale, detector: Detector::Seasonal }
    }

    /// The tail of a single value that is `z` spreads from its basis.
    pub fn single(&self, basis: &Basis, z: f64) -> Tail {
        let freedom = self.freedom(basis.detector);
        Tail::new(self.sided(z, |z| t_tail(z, freedom)), basis.detector)
    }

    /// The tail of the running mean after the next value.
    pub fn drift(&self, ewma: &mut Ewma, time: Time, z: f64) -> Tail {
        let mean = ewma.next(time, self.step, z) / self.inflation;
        Tail::new(self.sided(mean, |z| ewma::tail(z, self.samples)), Detector::Ewma)
    }

    /// Where the band ends beyond which the tail of a single value is below `p`.
    pub fn away(&self, p: f64) -> Away {
        let side = match self.direction {
            Direction::High | Direction::Low => p,
            Direction::Both => p / 2.0,
        };
        // At a half the quantile is zero, and above it the band would lie beside what is expected.
        let away = |detector| if side < 0.5 { t_quantile(side, self.freedom(detector)) } else { 0.0 };
        Away { level: away(Detector::RobustZ), rhythm: away(Detector::Seasonal) }
    }

    /// The band that values are expected in. A direction that is not checked has no bound.
    pub fn band(&self, basis: &Basis, away: &Away) -> (Option<f64>, Option<f64>) {
        let away = if basis.detector == Detector::Seasonal { away.rhythm } else { away.level };
        let width = match basis.scale {
            Scale::Spread(spread) => away * spread,
            Scale::Nothing(most) => {
                if most > away {
                    0.0
                } else {
                    f64::INFINITY
                }
            }
        };
        let bound = |value: f64| value.is_finite().then_some(value);
        match self.direction {
            Direction::High => (None, bound(basis.expected + width)),
            Direction::Low => (bound(basis.expected - width), None),
            Direction::Both => (bound(basis.expected - width), bound(basis.expected + width)),
        }
    }

    /// Whether the values read from a file are valid.
    pub fn is_sound(&self) -> bool {
        let rhythm = self.rhythm.as_ref().is_none_or(|rhythm| rhythm.season.is_sound() && rhythm.rest.is_sound());
        rhythm && self.level.is_sound() && self.samples >= MIN_REFERENCE && self.inflation >= 1.0 && self.step >= 0
    }

    fn freedom(&self, detector: Detector) -> f64 {
        let rhythm = self.rhythm.as_ref().filter(|_| detector == Detector::Seasonal);
        rhythm.map_or_else(|| count(self.samples.saturating_sub(1)), |rhythm| rhythm.season.freedom())
    }

    fn sided(&self, z: f64, tail: impl Fn(f64) -> f64) -> f64 {
        match self.direction {
            Direction::High => tail(z),
            Direction::Low => tail(-z),
            Direction::Both => 2.0 * tail(z.abs()),
        }
    }
}

impl Basis {
    /// How many spreads a value is from what is expected.
    pub fn z(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Spread(spread) => (value - self.expected) / spread,
            Scale::Nothing(_) if value == self.expected => 0.0,
            Scale::Nothing(away) => away.copysign(value - self.expected),
        }
    }
}

/// How values scatter about a season. The differences are put about the middle of the values and not about zero: a spread too
/// small for the level is then not believed, as without a rhythm.
fn rhythmic(season: Season, points: &[(Time, f64)]) -> Option<Rhythmic> {
    let middle = median(points.iter().map(|(_, value)| *value))?;
    let around: Vec<f64> = points.iter().map(|(time, value)| value - season.expected(*time).0 + middle).collect();
    let found = Reference::of(&around)?;
    let scale = match found.scale {
        Scale::Spread(spread) => Scale::Spread(spread * season.shrinkage()),
        Scale::Nothing(away) => Scale::Nothing(away),
    };
    Some(Rhythmic { season, rest: Reference { median: found.median - middle, scale } })
}

fn finite(times: &[Time], values: &[f64]) -> Vec<(Time, f64)> {
    times.iter().copied().zip(values.iter().copied()).filter(|(_, value)| value.is_finite()).collect()
}
