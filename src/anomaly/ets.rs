//! Forecast of a level by exponential smoothing with additive errors: no trend, a trend, a damped trend; the best by `AICc`.
//!
//! Models, selection and the variance of forecasts: Hyndman, Koehler, Ord and Snyder, "Forecasting with Exponential Smoothing"
//! (2008), chapters 2, 5 and 6 (class 1). Smoothing parameters are searched on a grid that is then refined; the initial states
//! are exact for each of its points, since errors are linear in them.

use super::reference::count;

/// The value `h` steps ahead, and its standard deviation.
pub(super) type Ahead = (f64, f64);

/// Shares of the range of a parameter that are tried first.
const GRID: usize = 20;

/// Each refinement halves the distance between neighbors: the fifth is finer than the estimate can be.
const REFINEMENTS: usize = 5;

/// Damping outside this range is either no damping or no trend (the range of R's `forecast::ets`).
const DAMPING: (f64, f64) = (0.8, 0.98);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trend {
    None,
    Linear,
    Damped,
}

/// Parameters as shares 0 to 1 of their ranges: `alpha`, `beta` as a share of `alpha`, `phi` within [`DAMPING`].
type Shares = [f64; 3];

#[derive(Debug, Clone, Copy)]
struct Fitted {
    trend: Trend,
    alpha: f64,
    beta: f64,
    phi: f64,
    level: f64,
    slope: f64,
    /// Mean squared error of one step.
    variance: f64,
    /// Corrected Akaike information criterion.
    aicc: f64,
}

/// Forecasts `ahead` values after equally spaced ones. Empty if there are too few values to tell the models apart.
pub(super) fn forecast(values: &[f64], ahead: usize) -> Vec<Ahead> {
    let fits = [Trend::None, Trend::Linear, Trend::Damped].into_iter().filter_map(|trend| fit(values, trend));
    let Some(best) = fits.min_by(|a, b| a.aicc.total_cmp(&b.aicc)) else { return Vec::new() };
    (1..=ahead).map(|h| best.ahead(count(h))).collect()
}

impl Fitted {
    fn ahead(&self, h: f64) -> Ahead {
        let Fitted { alpha, beta, phi, .. } = *self;
        let (steps, growth) = match self.trend {
            Trend::None => (0.0, 1.0 + alpha.powi(2) * (h - 1.0)),
            Trend::Linear => (h, 1.0 + (h - 1.0) * (alpha.powi(2) + alpha * beta * h + beta.powi(2) * h * (2.0 * h - 1.0) / 6.0)),
            Trend::Damped => {
                let (rest, power) = (1.0 - phi, phi.powf(h));
                let linear = beta * phi * h / rest.powi(2) * (2.0 * alpha * rest + beta * phi);
                let faded = beta * phi * (1.0 - power) / (rest.powi(2) * (1.0 - phi.powi(2)))
                    * (2.0 * alpha * (1.0 - phi.powi(2)) + beta * phi * (1.0 + 2.0 * phi - power));
                (phi * (1.0 - power) / rest, 1.0 + alpha.powi(2) * (h - 1.0) + linear - faded)
            }
        };
        (self.level + steps * self.slope, (self.variance * growth.max(1.0)).sqrt())
    }
}

fn fit(values: &[f64], trend: Trend) -> Option<Fitted> {
    let free = match trend {
        Trend::None => 1,
        Trend::Linear => 2,
        Trend::Damped => 3,
    };
    let mut best = grid(free).filter_map(|shares| smooth(values, trend, shares).map(|fitted| (shares, fitted))).min_by(better)?;
    let mut width = 1.0 / count(GRID);
    for _ in 0..REFINEMENTS {
        width /= 2.0;
        let (centre, _) = best;
        let near = neighbours(centre, width, free).filter_map(|shares| smooth(values, trend, shares).map(|fitted| (shares, fitted)));
        best = near.chain([best]).min_by(better)?;
    }
    Some(best.1)
}

fn better(a: &(Shares, Fitted), b: &(Shares, Fitted)) -> std::cmp::Ordering {
    a.1.aicc.total_cmp(&b.1.aicc)
}

/// All points of the grid; parameters that are not free stay at the middle.
fn grid(free: usize) -> impl Iterator<Item = Shares> {
    let side = move |parameter: usize| if parameter < free { GRID } else { 1 };
    let share = |at: usize, of: usize| (count(at) + 0.5) / count(of);
    (0..side(0)).flat_map(move |a| {
        (0..side(1)).flat_map(move |b| (0..side(2)).map(move |c| [share(a, side(0)), share(b, side(1)), share(c, side(2))]))
    })
}

/// The points at this distance around one, within the range.
fn neighbours(centre: Shares, width: f64, free: usize) -> impl Iterator<Item = Shares> {
    const OFFSETS: [f64; 3] = [-1.0, 0.0, 1.0];
    let moved = move |parameter: usize, at: f64, by: f64| {
        if parameter < free { (at + by * width).clamp(0.0001, 0.9999) } else { at }
    };
    OFFSETS.into_iter().flat_map(move |a| {
        OFFSETS.into_iter().flat_map(move |b| {
            OFFSETS.into_iter().map(move |c| {
                let [x, y, z] = centre;
                [moved(0, x, a), moved(1, y, b), moved(2, z, c)]
            })
        })
    })
}

/// One model: its errors as a function of the initial states, these by least squares, then where the states end.
fn smooth(values: &[f64], trend: Trend, shares: Shares) -> Option<Fitted> {
    let [alpha, of_alpha, of_range] = shares;
    let (beta, phi, parameters) = match trend {
        Trend::None => (0.0, 0.0, 3.0),
        Trend::Linear => (alpha * of_alpha, 1.0, 5.0),
        Trend::Damped => (alpha * of_alpha, DAMPING.0 + of_range * (DAMPING.1 - DAMPING.0), 6.0),
    };
    let length = count(values.len());
    if length <= parameters + 1.0 {
        return None;
    }
    // Errors are linear in level and slope at the start: `error = own - level * by_level - slope * by_slope`.
    let (mut own, mut by_level, mut by_slope) = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0));
    let step = |(level, slope): &mut (f64, f64), value: f64| {
        let predicted = *level + phi * *slope;
        let error = value - predicted;
        (*level, *slope) = (predicted + alpha * error, phi * *slope + beta * error);
        error
    };
    let [mut ll, mut ls, mut ss, mut lo, mut so, mut oo] = [0.0_f64; 6];
    for value in values {
        let (o, l, s) = (step(&mut own, *value), -step(&mut by_level, 0.0), -step(&mut by_slope, 0.0));
        ll += l * l;
        ls += l * s;
        ss += s * s;
        lo += l * o;
        so += s * o;
        oo += o * o;
    }
    let (level, slope) = if trend == Trend::None {
        (lo / ll, 0.0)
    } else {
        let determinant = ll * ss - ls * ls;
        ((lo * ss - so * ls) / determinant, (so * ll - lo * ls) / determinant)
    };
    let squares = (oo - 2.0 * (level * lo + slope * so) + level * level * ll + 2.0 * level * slope * ls + slope * slope * ss).max(0.0);
    // A series without any error has no likelihood; the least positive number keeps the order.
    let variance = (squares / length).max(f64::MIN_POSITIVE);
    let aicc = length * variance.ln() + 2.0 * parameters + 2.0 * parameters * (parameters + 1.0) / (length - parameters - 1.0);
    let ended = (own.0 + level * by_level.0 + slope * by_slope.0, own.1 + level * by_level.1 + slope * by_slope.1);
    let fitted = Fitted { trend, alpha, beta, phi, level: ended.0, slope: ended.1, variance: squares / length, aicc };
    [fitted.level, fitted.slope, fitted.aicc].iter().all(|number| number.is_finite()).then_some(fitted)
}

#[cfg(test)]
mod tests {
    use super::forecast;

    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found} instead of {expected}");
    }

    #[test]
    fn a_straight_line_goes_on() {
        let line: Vec<f64> = (0..20).map(|day| 3.0 + 2.0 * f64::from(day)).collect();
        let ahead = forecast(&line, 3);
        near(ahead[0].0, 43.0, 0.2);
        near(ahead[2].0, 47.0, 0.6);
        assert!(ahead[2].1 < 0.5, "{ahead:?}");
    }

    #[test]
    fn noise_about_a_level_stays_there() {
        let noise: Vec<f64> = (0..40).map(|day| 100.0 + f64::from((day * 37) % 11) - 5.0).collect();
        let ahead = forecast(&noise, 7);
        near(ahead[6].0, 100.0, 2.0);
        // The spread of the noise itself is 3.2, and a forecast is never surer than that.
        assert!(ahead[0].1 > 2.5 && ahead[6].1 >= ahead[0].1, "{ahead:?}");
    }

    /// A series without a stable level is expected to stay at its last value, and its spread grows with time.
    #[test]
    fn a_random_walk_repeats_its_last_value() {
        // Steps of a linear congruential generator, between -1 and 1.
        let mut state = 1_u32;
        let mut at = 50.0;
        let walk: Vec<f64> = (0..60)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                at += f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0;
                at
            })
            .collect();
        let ahead = forecast(&walk, 9);
        near(ahead[0].0, *walk.last().unwrap(), 0.5);
        assert!(ahead[8].1 > 1.8 * ahead[0].1, "{ahead:?}");
    }

    #[test]
    fn too_few_values_give_nothing() {
        assert!(forecast(&[1.0, 2.0, 3.0], 2).is_empty());
        assert!(forecast(&[], 2).is_empty());
    }
}
