//! Scored series as an SVG chart: values, expected values, the usual band, and anomalies. The chart depends only on its input. It stays
//! small, because only the extremes of each column of pixels are drawn.

use super::Lang;
use anomaly::Scored;
use value::{DAY, Duration, HOUR, MINUTE, SECOND, Time, WEEK, format_number};

/// Pixels: the whole width; the margins left of, right of and above the panels; the height of a panel, and of the margin below it.
const WIDTH: f64 = 1000.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 60.0;
const PANEL: f64 = 200.0;
const BELOW: f64 = 70.0;

/// How many panels are drawn. The rest is only counted.
const MAX_PANELS: usize = 12;

/// More ticks would touch each other.
const MAX_TIME_TICKS: i64 = 8;
const VALUE_TICKS: f64 = 5.0;

/// A line is not drawn across a gap longer than this many usual steps.
const MAX_HOLE: i64 = 4;

/// Round steps of time. Beyond the last, each step is twice as long.
const STEPS: [Duration; 16] = [
    SECOND,
    5 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    WEEK,
    2 * WEEK,
];

/// Colors for light and dark viewers. A media query is the only way to learn which one it is.
const STYLE: &str = "<style>
text { font: 12px sans-serif; fill: #333; }
.paper { fill: #fff; } .frame { fill: none; stroke: #999; } .grid { stroke: #ddd; }
.value { fill: none; stroke: #2a7f4f; stroke-width: 1.2; } .expected { fill: none; stroke: #1f5fbf; stroke-dasharray: 4 3; }
.band { fill: #5b9bd5; fill-opacity: 0.25; } .odd { fill: #d62728; }
.title { font-size: 15px; font-weight: bold; }
@media (prefers-color-scheme: dark) {
text { fill: #ddd; } .paper { fill: #1b1b1b; } .frame { stroke: #777; } .grid { stroke: #3a3a3a; }
.value { stroke: #6fcf97; } .expected { stroke: #7fb2ff; } .odd { fill: #ff6b6b; }
}
</style>
";

/// A chart with a panel for each column.
pub fn draw(title: &str, scored: &[Scored], lang: Lang) -> String {
    let columns = scored.first().map_or(0, |row| row.values.len());
    let panels = columns.min(MAX_PANELS);
    let mut height = TOP;
    let mut body = String::new();
    if let Some(axis) = Axis::of(scored) {
        for column in 0..panels {
            panel(&mut body, scored, column, &axis, height);
            height += PANEL + BELOW;
        }
    }
    let words = match lang {
        Lang::En => ["value", "expected", "band", "anomalous"],
        Lang::Zh => ["实际值", "预期值", "正常区间", "异常"],
    };
    let mut legend = String::new();
    for (x, (class, word)) in [0.0, 110.0, 220.0, 330.0].into_iter().zip(["value", "expected", "band", "odd"].into_iter().zip(words)) {
        let x = LEFT + x;
        legend.push_str(&match class {
            "band" => format!("<rect class=\"band\" x=\"{x:.0}\" y=\"35\" width=\"24\" height=\"10\"/>"),
            "odd" => format!("<circle class=\"odd\" cx=\"{:.0}\" cy=\"40\" r=\"3\"/>", x + 12.0),
            line => format!("<path class=\"{line}\" d=\"M{x:.0} 40h24\"/>"),
        });
        legend.push_str(&format!("<text x=\"{:.0}\" y=\"44\">{word}</text>\n", x + 30.0));
    }
    if columns > panels {
        let more = match lang {
            Lang::En => format!("and {} more columns", columns - panels),
            Lang::Zh => format!("另有 {} 列未画出", columns - panels),
        };
        body.push_str(&format!("<text x=\"{LEFT:.0}\" y=\"{:.0}\">{more}</text>\n", height - BELOW / 4.0));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\">\n\
         <title>{title}</title>\n{STYLE}<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"{LEFT:.0}\" y=\"22\">{title}</text>\n{legend}{body}</svg>\n",
        title = escape(title)
    )
}

/// The axis of time, the same for all panels.
struct Axis {
    from: Time,
    to: Time,
    /// A longer distance between two rows is a gap.
    hole: Duration,
}

impl Axis {
    fn of(scored: &[Scored]) -> Option<Axis> {
        let times: Vec<Time> = scored.iter().filter_map(|row| row.time).collect();
        let mut gaps: Vec<Duration> = times.iter().zip(times.iter().skip(1)).map(|(a, b)| b.since(*a)).collect();
        gaps.sort_unstable();
        let step = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
        Some(Axis { from: *times.first()?, to: *times.last()?, hole: MAX_HOLE.saturating_mul(step) })
    }

    fn x(&self, time: Time) -> f64 {
        let whole = self.to.since(self.from);
        let share = if whole > 0 { ratio(time.since(self.from), whole) } else { 0.5 };
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    /// Ticks at round UTC times.
    fn ticks(&self) -> (Duration, Vec<Time>) {
        let whole = self.to.since(self.from);
        let mut step = STEPS.into_iter().find(|step| whole / step <= MAX_TIME_TICKS).unwrap_or(4 * WEEK);
        while whole / step > MAX_TIME_TICKS {
            step *= 2;
        }
        let first = self.from.0.div_euclid(step) + i64::from(self.from.0.rem_euclid(step) > 0);
        let last = self.to.0.div_euclid(step);
        (step, (first..=last).map(|at| Time(at * step)).collect())
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds within a table")]
fn ratio(part: Duration, whole: Duration) -> f64 {
    part as f64 / whole as f64
}

/// The axis of values: what is at the bottom and at the top of a panel.
struct Scale {
    low: f64,
    high: f64,
    top: f64,
}

impl Scale {
    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        // Not a number if the range exceeds the largest number.
        let share = if share.is_nan() { 0.5 } else { share.clamp(0.0, 1.0) };
        self.top + PANEL * (1.0 - share)
    }

    /// From values and expected values. A wider band is cut off: it extends the range by at most its own size on either side.
    fn of(scored: &[Scored], column: usize, top: f64) -> Scale {
        let readings = move || scored.iter().filter_map(move |row| row.values.get(column));
        let (low, high) = span(readings().flat_map(|one| [one.value, Some(one.expected)]));
        if low > high {
            return Scale { low: 0.0, high: 1.0, top };
        }
        let room = if high > low { high - low } else { low.abs().max(1.0) / 10.0 };
        let (under, over) = span(readings().flat_map(|one| [one.low, one.high]));
        let (low, high) = (low.min(under.max(low - room)), high.max(over.min(high + room)));
        let margin = (high - low).max(room) / 20.0;
        Scale { low: low - margin, high: high + margin, top }
    }

    /// Round values: steps of 1, 2 or 5 times a power of ten.
    fn ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / VALUE_TICKS;
        let power = 10.0_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|round| round * power).find(|step| *step >= rough).unwrap_or(rough);
        if !(step > 0.0 && step.is_finite()) {
            return Vec::new();
        }
        let first = (self.low / step).ceil();
        (0..20).map(|n| (first + f64::from(n)) * step).take_while(|tick| *tick <= self.high).collect()
    }
}

/// Least and greatest finite value; the first is above the second if there is none.
fn span(values: impl Iterator<Item = Option<f64>>) -> (f64, f64) {
    let known = values.flatten().filter(|value| value.is_finite());
    known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

fn panel(body: &mut String, scored: &[Scored], column: usize, axis: &Axis, top: f64) {
    let name = scored.first().and_then(|row| row.values.get(column)).map_or("", |one| one.column.as_str());
    let scale = Scale::of(scored, column, top);
    let (right, bottom) = (WIDTH - RIGHT, top + PANEL);
    for tick in scale.ticks() {
        let y = scale.y(tick);
        body.push_str(&format!("<path class=\"grid\" d=\"M{LEFT:.0} {y:.1}H{right:.0}\"/>"));
        let label = format_number(tick);
        body.push_str(&format!("<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n", LEFT - 6.0, y + 4.0));
    }
    time_ticks(body, axis, top);
    let rows = move || scored.iter().filter_map(move |row| Some((row.time?, row, row.values.get(column)?)));
    let band: Vec<(f64, f64, f64)> = rows()
        .map(|(time, _, one)| {
            let (low, high) = (one.low.map_or(bottom, |low| scale.y(low)), one.high.map_or(top, |high| scale.y(high)));
            (axis.x(time), low, high)
        })
        .collect();
    let over = extremes(band.iter().map(|(x, _, high)| (*x, *high)));
    let under = extremes(band.iter().map(|(x, low, _)| (*x, *low)));
    let outline: Vec<String> = over.iter().chain(under.iter().rev()).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    body.push_str(&format!("<path class=\"band\" d=\"M{}Z\"/>\n", outline.join("L")));
    let expected = rows().map(|(time, _, one)| (time, Some(scale.y(one.expected))));
    body.push_str(&format!("<path class=\"expected\" d=\"{}\"/>\n", line(axis, expected)));
    let values = rows().map(|(time, _, one)| (time, one.value.map(|value| scale.y(value))));
    body.push_str(&format!("<path class=\"value\" d=\"{}\"/>\n", line(axis, values)));
    // What the forest finds applies to all columns.
    let odd = rows().filter(|(_, row, _)| row.anomalous && row.column.as_deref().is_none_or(|decided| decided == name));
    let odd = extremes(odd.filter_map(|(time, _, one)| Some((axis.x(time), scale.y(one.value?)))));
    for (x, y) in odd {
        body.push_str(&format!("<circle class=\"odd\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\n"));
    }
    body.push_str(&format!("<rect class=\"frame\" x=\"{LEFT:.0}\" y=\"{top:.0}\" width=\"{:.0}\" height=\"{PANEL:.0}\"/>\n", right - LEFT));
    body.push_str(&format!("<text x=\"{:.0}\" y=\"{:.0}\">{}</text>\n", LEFT + 6.0, top + 16.0, escape(name)));
}

/// Clock times below a panel, and the date wherever it changes.
fn time_ticks(body: &mut String, axis: &Axis, top: f64) {
    let bottom = top + PANEL;
    let (step, ticks) = axis.ticks();
    let mut date_before = String::new();
    for tick in ticks {
        let x = axis.x(tick);
        let written = tick.to_string();
        let date = written.get(..10).unwrap_or("").to_owned();
        body.push_str(&format!("<path class=\"grid\" d=\"M{x:.1} {top:.0}V{bottom:.0}\"/>"));
        if step < DAY {
            let clock = written.get(11..if step < MINUTE { 19 } else { 16 }).unwrap_or("");
            body.push_str(&format!("<text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{clock}</text>", bottom + 16.0));
        }
        if date != date_before {
            let y = bottom + if step < DAY { 32.0 } else { 16.0 };
            body.push_str(&format!("<text x=\"{x:.1}\" y=\"{y:.0}\" text-anchor=\"middle\">{date}</text>"));
            date_before = date;
        }
        body.push('\n');
    }
}

/// A line through points in order of time, broken at missing points and gaps.
fn line(axis: &Axis, points: impl Iterator<Item = (Time, Option<f64>)>) -> String {
    let mut path = String::new();
    let mut open: Vec<(f64, f64)> = Vec::new();
    let mut last: Option<Time> = None;
    let mut close = |open: &mut Vec<(f64, f64)>| {
        let piece: Vec<String> = extremes(open.drain(..)).iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        match piece.as_slice() {
            [] => {}
            // A single point shows as a short stroke.
            [only] => path.push_str(&format!("M{only}h1")),
            _ => path.push_str(&format!("M{}", piece.join("L"))),
        }
    };
    for (time, y) in points {
        if y.is_none() || last.is_some_and(|last| time.since(last) > axis.hole) {
            close(&mut open);
        }
        if let Some(y) = y {
            open.push((axis.x(time), y));
            last = Some(time);
        }
    }
    close(&mut open);
    path
}

/// A column of pixels, its lowest point and its highest.
type Column = (f64, (f64, f64), (f64, f64));

/// The lowest and the highest point of each column of pixels, in their order.
fn extremes(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let mut pixel: Option<Column> = None;
    let mut flush = |pixel: Option<Column>| {
        let Some((_, low, high)) = pixel else { return };
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        kept.push(first);
        if first != second {
            kept.push(second);
        }
    };
    for point in points {
        pixel = match pixel {
            Some((column, low, high)) if column == point.0.floor() => {
                Some((column, if point.1 < low.1 { point } else { low }, if point.1 > high.1 { point } else { high }))
            }
            other => {
                flush(other);
                Some((point.0.floor(), point, point))
            }
        };
    }
    flush(pixel);
    kept
}

/// Escapes text for XML, and replaces characters that XML cannot contain.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            one if one.is_control() => escaped.push(' '),
            one => escaped.push(one),
        }
    }
    escaped
}
