//! What is usual for a series: the median and spread of a reference, both robust against a few bad samples.

/// Fewer samples do not give a spread; of three, the median still outvotes one outlier.
pub(super) const MIN_REFERENCE: usize = 3;

/// Fewer peers do not give a spread.
const MIN_PEERS: usize = 5;

/// Median absolute deviation to the standard deviation of a normal distribution: 1/Φ⁻¹(3/4) (Hampel, "The influence curve and
/// its role in robust estimation", JASA 69, 1974).
const MAD_TO_SIGMA: f64 = 1.4826;

/// Mean absolute deviation to the same, √(π/2): what Iglewicz and Hoaglin ("How to Detect and Handle Outliers", ASQC 1993) and
/// IBM's modified z-score take where more than half of the samples are equal, so that the median deviation is zero.
const MEAN_DEVIATION_TO_SIGMA: f64 = 1.253_314;

/// First to last decile of a normal distribution, in standard deviations: 2·Φ⁻¹(0.9). Deciles and not the extremes, because a
/// tenth of the reference may be an earlier incident. They give skewed and quantised series the tail that the MAD does not see.
const DECILES_TO_SIGMA: f64 = 2.563;

/// The minimum spread as a share of the median: any two days differ by a twentieth. It also makes the scores of different metrics
/// comparable, because no score exceeds the change in twentieths.
pub(super) const RELATIVE_FLOOR: f64 = 0.05;

/// A metric that stays at 100 (or 1) and never exceeds it is a share of a whole, and only the missing part matters: the floor is 0.2 %
/// of the whole, so that one lost percent, which breaks an ordinary objective of 99 %, scores 5.
pub(super) const WHOLE_FLOOR: f64 = 0.002;
const WHOLES: [f64; 2] = [1.0, 100.0];
/// A median of at least 98 % counts as usually whole.
const NEARLY_WHOLE: f64 = 0.98;

/// A metric that is usually zero has no scale of its own: this is its maximum score, between a sure deviation and the cap.
pub(super) const FROM_NOTHING: f64 = 12.0;

/// Small references underestimate their spread: the standard error of a MAD is 1.17σ/√n, that of a median 1.25σ/√n (asymptotic
/// efficiencies 37 % and 64 %; Rousseeuw and Croux, JASA 88, 1993). The spread is widened by about both.
const SMALL_SAMPLE: f64 = 2.0;

/// The scatter of the same metric on other components counts as much as this many samples of its own: with a handful of samples the
/// others dominate, with dozens the series itself (a precision-weighted mean of variances, as in Smyth,
/// "Linear models and empirical Bayes", 2004).
const BORROWED: f64 = 8.0;

/// What is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usual {
    pub median: f64,
    /// Above zero and finite.
    pub spread: f64,
    pub samples: usize,
    /// The number of samples behind the spread, including [`BORROWED`] ones.
    pub weight: f64,
}

impl Usual {
    /// Robust z, in the direction of `side` (1 or -1).
    pub fn score(&self, value: f64, side: f64) -> f64 {
        side * (value - self.median) / self.spread
    }
}

/// The statistics of a reference by itself, before it is combined with those of other components.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scatter {
    median: f64,
    spread: f64,
    /// The minimum spread.
    floor: f64,
    samples: usize,
}

impl Scatter {
    /// Of finite values. `None` without any, or if nothing is to be compared with them.
    pub fn of(reference: &[f64], tested: &[f64]) -> Option<Self> {
        if reference.is_empty() || tested.is_empty() {
            return None;
        }
        let sorted = ascending(reference.iter().copied());
        let median = quantile(&sorted, 0.5)?;
        let whole = whole_of(median).filter(|whole| sorted.iter().chain(tested).all(|value| (0.0..=*whole).contains(value)));
        let floor = if let Some(whole) = whole {
            whole * WHOLE_FLOOR
        } else if median == 0.0 {
            tested.iter().map(|value| value.abs()).fold(0.0, f64::max) / FROM_NOTHING
        } else {
            median.abs() * RELATIVE_FLOOR
        };
        Some(Scatter { median, spread: spread(&sorted, median)?, floor, samples: sorted.len() })
    }

    /// In the unit of the values.
    pub fn spread(&self) -> f64 {
        self.spread
    }

    /// The spread as a share of the median, which is comparable between components. `None` if there is none.
    pub fn relative(&self) -> Option<f64> {
        let share = self.spread / self.median.abs();
        (self.median != 0.0 && share.is_finite()).then_some(share)
    }

    /// What is usual, combined with the scatter of the same metric elsewhere (from [`Scatter::relative`]). `None` if the reference is too
    /// small.
    pub fn settle(&self, elsewhere: Option<f64>) -> Option<Usual> {
        let own = count(self.samples);
        let (spread, weight) = match elsewhere.filter(|_| self.median != 0.0) {
            Some(share) => {
                let other = share * self.median.abs();
                let weight = own + BORROWED;
                (((own * self.spread * self.spread + BORROWED * other * other) / weight).sqrt(), weight)
            }
            None if self.samples >= MIN_REFERENCE => (self.spread, own),
            None => return None,
        };
        let spread = spread.max(self.floor) * (1.0 + SMALL_SAMPLE / weight.sqrt());
        (spread > 0.0 && spread.is_finite()).then_some(Usual { median: self.median, spread, samples: self.samples, weight })
    }
}

/// Whether a median is the ceiling of a share.
pub(super) fn is_whole(median: f64) -> bool {
    whole_of(median).is_some()
}

pub(super) fn whole_of(median: f64) -> Option<f64> {
    WHOLES.into_iter().find(|whole| (NEARLY_WHOLE * whole..=*whole).contains(&median))
}

/// Of finite values. `None` if the reference is too small, or nothing can be compared with it.
pub(super) fn usual(reference: &[f64], tested: &[f64]) -> Option<Usual> {
    Scatter::of(reference, tested)?.settle(None)
}

/// What is usual among peers, on a logarithmic scale, since sizes of components differ by factors. `None` for fewer than
/// [`MIN_PEERS`].
pub(super) fn usual_of_peers(logarithms: &[f64]) -> Option<Usual> {
    if logarithms.len() < MIN_PEERS {
        return None;
    }
    let sorted = ascending(logarithms.iter().copied());
    let median = quantile(&sorted, 0.5)?;
    let weight = count(sorted.len());
    let spread = spread(&sorted, median)?.max(RELATIVE_FLOOR) * (1.0 + SMALL_SAMPLE / weight.sqrt());
    spread.is_finite().then_some(Usual { median, spread, samples: sorted.len(), weight })
}

/// The wider of the spreads from the absolute deviations and from the deciles.
fn spread(sorted: &[f64], median: f64) -> Option<f64> {
    let away = ascending(sorted.iter().map(|value| (value - median).abs()));
    let mad = quantile(&away, 0.5)? * MAD_TO_SIGMA;
    let typical = if mad > 0.0 { mad } else { away.iter().sum::<f64>() / count(away.len()) * MEAN_DEVIATION_TO_SIGMA };
    let deciles = (quantile(sorted, 0.9)? - quantile(sorted, 0.1)?) / DECILES_TO_SIGMA;
    Some(typical.max(deciles))
}

/// The middle one of finite values, or the mean of the middle two.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    quantile(&ascending(values), 0.5)
}

fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Linear between neighbors (type 7 of Hyndman and Fan, The American Statistician 50, 1996).
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * count(sorted.len().checked_sub(1)?);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between zero and the length")]
    let below = position.floor() as usize;
    let low = *sorted.get(below)?;
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    let rest = position - position.floor();
    Some(low * (1.0 - rest) + high * rest)
}

#[allow(clippy::cast_precision_loss, reason = "numbers of samples are far below 2^53")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}
