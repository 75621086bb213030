//! Series with a rhythm: what is usual at this time of the day, or of the week.
//!
//! A series is brought onto a regular grid, decomposed into level, rhythms and rest by MSTL (Bandara, Hyndman and Bergmeir,
//! arXiv:2107.13462; the robust variant, so that incidents in the recording do not become part of the rhythm), and a rhythm is
//! kept if it explains enough. The level after the recording is forecast by exponential smoothing (ETS, Hyndman et al. 2008).
//! Times are UTC: a rhythm that follows local time shifts by an hour twice a year, and the spread takes some weeks to adapt.

use serde::{Deserialize, Serialize};

use value::{DAY, Duration, MINUTE, Time};

use super::ets;
use super::reference::{count, median};
use super::sampling::step;

/// The finest resolution of a daily rhythm: people and schedules are not more exact, several samples in a cell outvote a spike, and the
/// profile of a week stays at 2,016 numbers.
const FINEST: Duration = 5 * MINUTE;

/// The minimum number of cells in a period.
const MIN_CELLS: i64 = 4;

/// A rhythm must repeat at least once.
const MIN_PERIODS: i64 = 2;

/// With more cells than this (ten years of five minutes), a timestamp is wrong, not the recording long.
const MAX_CELLS: i64 = 1 << 20;

/// A rhythm that is not stronger than this counts as chance. Strength as in Hyndman and Athanasopoulos, "Forecasting:
/// principles and practice" (3rd ed., section 4.3), F = max(0, 1 - var(R)/var(S+R)); the cut is that of their R package
/// `forecast` (`nsdiffs`, `seas.strength`), where it decides on seasonal differencing.
const MIN_STRENGTH: f64 = 0.64;

/// Days that a forecast of the level takes: twice the parameters of the largest model that is tried, a damped trend with five.
const MIN_DAYS: usize = 10;

/// A rhythm that was found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rhythm {
    /// Milliseconds: a day or a week.
    pub period: Duration,
    /// At most 1.
    pub strength: f64,
}

/// The level at an instant, and how far a forecast of it may be off (one standard deviation; 0 within the record).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    at: Time,
    value: f64,
    off: f64,
}

/// The rhythms of a series, and its level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Season {
    pub rhythms: Vec<Rhythm>,
    /// Milliseconds between two cells; a cell is centred on its multiple since 1970.
    grid: Duration,
    /// What the rhythms add to the level: one value per cell of the longest rhythm.
    profile: Vec<f64>,
    /// Ascending; some for each day of the recording, and for each day of the forecast.
    levels: Vec<Level>,
    /// Number of cells of the recording.
    cells: usize,
}

/// The recording on its grid, without gaps.
struct Cells {
    grid: Duration,
    /// Number of the first since 1970.
    first: i64,
    values: Vec<f64>,
    /// Whether there was a sample.
    real: Vec<bool>,
}

impl Season {
    /// The rhythms of a series of finite values, ascending in time. `None` if it is too short (less than two days), too coarse,
    /// mostly gaps, constant, or without a rhythm.
    pub fn find(points: &[(Time, f64)]) -> Option<Season> {
        let cells = Cells::of(points)?;
        let per_day = DAY / cells.grid;
        let length = i64::try_from(cells.values.len()).ok()?;
        let long_enough = |period: &i64| *period >= MIN_CELLS && length >= MIN_PERIODS * *period;
        let periods: Vec<usize> =
            [per_day, 7 * per_day].into_iter().filter(long_enough).filter_map(|period| usize::try_from(period).ok()).collect();
        let mut parts = decompose(&cells.values, &periods)?;
        let strong: Vec<usize> =
            parts.rhythms.iter().filter(|(_, _, strength)| *strength > MIN_STRENGTH).map(|(period, ..)| *period).collect();
        if strong.len() < periods.len() {
            // Decompose again without the weak rhythm.
            parts = decompose(&cells.values, &strong)?;
        }
        let longest = parts.rhythms.iter().map(|(period, ..)| *period).max()?;
        let profile = parts.profile(cells.first, longest)?;
        let rhythm = |(period, _, strength): &(usize, Vec<f64>, f64)| {
            Some(Rhythm { period: i64::try_from(*period).ok()? * cells.grid, strength: *strength })
        };
        let mut season = Season {
            rhythms: parts.rhythms.iter().filter_map(rhythm).collect(),
            grid: cells.grid,
            profile,
            levels: levels(&cells, &parts.trend, usize::try_from(per_day).ok()?),
            cells: cells.values.len(),
        };
        let ahead = longest.div_ceil(usize::try_from(per_day).ok()?);
        season.forecast(&cells, usize::try_from(per_day).ok()?, ahead);
        Some(season)
    }

    /// What is expected, and the standard deviation that the forecast of the level adds (0 within the recording). After
    /// the forecast, which ends one period after the recording, both stay the same: a model is for the next day or week.
    pub fn expected(&self, time: Time) -> (f64, f64) {
        let next = self.levels.partition_point(|level| level.at <= time);
        let (value, off) = match (next.checked_sub(1).and_then(|at| self.levels.get(at)), self.levels.get(next)) {
            (Some(before), Some(after)) => {
                let share = ratio(time.since(before.at), after.at.since(before.at));
                (mix(before.value, after.value, share), mix(before.off, after.off, share))
            }
            (Some(only), None) | (None, Some(only)) => (only.value, only.off),
            (None, None) => (0.0, 0.0),
        };
        (value + self.rhythm_at(time), off)
    }

    /// The degrees of freedom that are left when every phase has been estimated; at least 1.
    pub fn freedom(&self) -> f64 {
        count(self.cells.saturating_sub(self.profile.len()).max(1))
    }

    /// The factor by which the rest is too small, because part of the scatter went into the phases.
    pub fn shrinkage(&self) -> f64 {
        (count(self.cells) / self.freedom()).sqrt()
    }

    /// Whether the values read from a file are valid.
    pub fn is_sound(&self) -> bool {
        let sorted = self.levels.iter().zip(self.levels.iter().skip(1)).all(|(a, b)| a.at < b.at);
        self.grid > 0 && !self.profile.is_empty() && !self.levels.is_empty() && sorted && self.levels.iter().all(|level| level.off >= 0.0)
    }

    /// The profile, linear between its cells.
    fn rhythm_at(&self, time: Time) -> f64 {
        let cell = time.0.div_euclid(self.grid);
        let share = ratio(time.0.rem_euclid(self.grid), self.grid);
        let phase = |cell: i64| phase(cell, self.profile.len()).and_then(|at| self.profile.get(at)).copied().unwrap_or(0.0);
        mix(phase(cell), phase(cell + 1), share)
    }

    /// Adds the levels of the days after the recording; with too few days, the last level stays.
    fn forecast(&mut self, cells: &Cells, per_day: usize, ahead: usize) {
        let rest = (cells.first..).zip(&cells.values).zip(&cells.real).map(|((cell, value), real)| {
            let usual = phase(cell, self.profile.len()).and_then(|at| self.profile.get(at)).copied().unwrap_or(0.0);
            real.then_some(value - usual)
        });
        let rest: Vec<Option<f64>> = rest.collect();
        let mut days: Vec<f64> = Vec::new();
        for day in rest.chunks(per_day) {
            let known: Vec<f64> = day.iter().copied().flatten().collect();
            // If most of a day is missing, its level is that of the day before.
            let level = if known.len() * 2 >= per_day { median(known.into_iter()) } else { days.last().copied() };
            days.extend(level);
        }
        if days.len() < MIN_DAYS {
            return;
        }
        let Some(start) = cells.values.len().checked_sub(1).and_then(|last| cells.time(last)) else { return };
        for (day, (value, off)) in (1..).zip(ets::forecast(&days, ahead)) {
            if !(value.is_finite() && off.is_finite() && off >= 0.0) {
                return;
            }
            // The level of a day is that of its middle.
            self.levels.push(Level { at: start.plus(day * DAY - DAY / 2), value, off });
        }
    }
}

impl Cells {
    /// The median of the samples in each cell; linear between cells with samples.
    fn of(points: &[(Time, f64)]) -> Option<Cells> {
        let grid = grid(step(points))?;
        let number = |time: Time| time.plus(grid / 2).0.div_euclid(grid);
        let first = number(points.first()?.0);
        let length = number(points.last()?.0) - first + 1;
        if !(1..=MAX_CELLS).contains(&length) {
            return None;
        }
        let mut found: Vec<Option<f64>> = vec![None; usize::try_from(length).ok()?];
        for cell in points.chunk_by(|a, b| number(a.0) == number(b.0)) {
            let at = usize::try_from(number(cell.first()?.0) - first).ok()?;
            *found.get_mut(at)? = median(cell.iter().map(|(_, value)| *value));
        }
        let real: Vec<bool> = found.iter().map(Option::is_some).collect();
        // A mostly interpolated series would show the rhythm of the interpolation.
        if real.iter().filter(|real| **real).count() * 2 < real.len() {
            return None;
        }
        Some(Cells { grid, first, values: interpolate(&found), real })
    }

    fn time(&self, at: usize) -> Option<Time> {
        Some(Time((self.first + i64::try_from(at).ok()?) * self.grid))
    }
}

/// The cell length for samples of this step: a whole part of the day, no shorter than the step or five minutes. `None` if there
/// is less than one sample a day.
fn grid(step: Duration) -> Option<Duration> {
    if !(1..=DAY).contains(&step) {
        return None;
    }
    let most = DAY / step.max(FINEST);
    (1..=most).rev().find(|parts| DAY % parts == 0).map(|parts| DAY / parts)
}

/// The result of the decomposition.
struct Parts {
    trend: Vec<f64>,
    /// Period in cells, values, strength.
    rhythms: Vec<(usize, Vec<f64>, f64)>,
}

impl Parts {
    /// The sum of the rhythms at every phase of the longest; of each the median over its cycles.
    fn profile(&self, first: i64, longest: usize) -> Option<Vec<f64>> {
        let mut profile = vec![0.0; longest];
        for (period, values, _) in &self.rhythms {
            let mut by_phase: Vec<Vec<f64>> = vec![Vec::new(); *period];
            for (cell, value) in (first..).zip(values) {
                by_phase.get_mut(phase(cell, *period)?)?.push(*value);
            }
            let typical: Vec<f64> = by_phase.into_iter().filter_map(|phase| median(phase.into_iter())).collect();
            for (slot, value) in profile.iter_mut().zip(typical.iter().cycle()) {
                *slot += value;
            }
        }
        Some(profile)
    }
}

/// `None` without periods, or for a constant series.
fn decompose(values: &[f64], periods: &[usize]) -> Option<Parts> {
    if periods.is_empty() {
        return None;
    }
    let scatter = deviation(values);
    if !(scatter > 0.0 && scatter.is_finite()) {
        return None;
    }
    let mut loess = stlrs::params();
    loess.robust(true);
    let mut options = stlrs::MstlParams::new();
    options.stl_params(loess);
    let found = options.fit(values, periods).ok()?;
    let rhythm = |(period, seasonal): (&usize, &Vec<f64>)| (*period, seasonal.clone(), strength(seasonal, found.remainder(), *period));
    let rhythms: Vec<(usize, Vec<f64>, f64)> = periods.iter().zip(found.seasonal()).map(rhythm).collect();
    let trend = found.trend().to_vec();
    trend.iter().all(|value| value.is_finite()).then_some(Parts { trend, rhythms })
}

/// The strength of a rhythm, see [`MIN_STRENGTH`], with two changes: variances are squared mean absolute deviations, so that a
/// few incidents do not decide, and each is divided by its degrees of freedom, without which two periods of mere noise would
/// have a strength of one half.
fn strength(seasonal: &[f64], rest: &[f64], period: usize) -> f64 {
    let both: Vec<f64> = seasonal.iter().zip(rest).map(|(s, r)| s + r).collect();
    let n = count(rest.len());
    let left = n - count(period);
    let whole = deviation(&both).powi(2) / (n - 1.0);
    if !(left > 0.0 && whole > 0.0) {
        return 0.0;
    }
    (1.0 - deviation(rest).powi(2) / left / whole).max(0.0)
}

/// The level in the middle of every day of the recording, and at its ends.
fn levels(cells: &Cells, trend: &[f64], per_day: usize) -> Vec<Level> {
    let last = trend.len().saturating_sub(1);
    let level = |(at, value): (usize, &f64)| {
        let wanted = at == 0 || at == last || at % per_day == per_day / 2;
        wanted.then(|| cells.time(at).map(|time| Level { at: time, value: *value, off: 0.0 })).flatten()
    };
    trend.iter().enumerate().filter_map(level).collect()
}

fn phase(cell: i64, period: usize) -> Option<usize> {
    usize::try_from(cell.checked_rem_euclid(i64::try_from(period).ok()?)?).ok()
}

/// Fills gaps linearly between neighbors; at the ends with the nearest value.
fn interpolate(cells: &[Option<f64>]) -> Vec<f64> {
    let known: Vec<(usize, f64)> = cells.iter().enumerate().filter_map(|(at, cell)| cell.map(|value| (at, value))).collect();
    let value = |at: usize| {
        let next = known.partition_point(|(known, _)| *known <= at);
        match (next.checked_sub(1).and_then(|before| known.get(before)), known.get(next)) {
            (Some((from, a)), Some((to, b))) => mix(*a, *b, count(at - from) / count(to - from)),
            (Some((_, only)), None) | (None, Some((_, only))) => *only,
            (None, None) => 0.0,
        }
    };
    (0..cells.len()).map(value).collect()
}

fn mix(a: f64, b: f64, share: f64) -> f64 {
    a * (1.0 - share) + b * share
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds between two cells or days")]
fn ratio(part: Duration, whole: Duration) -> f64 {
    part as f64 / whole as f64
}

/// Mean absolute deviation from the median; 0 for no values.
fn deviation(values: &[f64]) -> f64 {
    let Some(middle) = median(values.iter().copied()) else { return 0.0 };
    values.iter().map(|value| (value - middle).abs()).sum::<f64>() / count(values.len())
}
