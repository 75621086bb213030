//! `faultscope anomaly`: learns what is usual for a few series, and scores new values.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use diag::{Code, address, one_line, text};

use super::anomaly_text::{self, Judged};
use super::as_of::now;
use super::context::{json, parse_duration, parse_time};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome};
use super::{FINDINGS, OK, plot};
use anomaly::{DEFAULT_THRESHOLD, Detector, FitOptions, Model, Table};
use estate::Direction;
use project::{get, read_table};
use signal::MAX_FILE_BYTES;
use value::{DAY, Duration, MINUTE, SECOND, Time};

/// Prometheus rejects a query with more points per series (its error: "exceeded maximum resolution of 11,000 points").
const MAX_POINTS: i64 = 11_000;

/// More than a hundred requests (a million points per series) mean that the step is wrong, not that the period is long.
const MAX_REQUESTS: i64 = 100;

/// A query that takes longer delays the queries that people wait for.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Learn what is usual from a healthy period, and write it to a model file
    Fit(FitArgs),
    /// Score values with a model; exit code 1 if any are anomalous
    Score(ScoreArgs),
}

/// Where the values come from.
#[derive(Debug, clap::Args)]
struct InputArgs {
    /// CSV file with a time column, or a JSON response of Prometheus' `query_range`
    #[arg(required_unless_present = "prometheus")]
    input: Option<PathBuf>,
    /// Query this Prometheus server instead of reading a file, like `http://prometheus.example:9090`
    #[arg(long, value_name = "URL", conflicts_with = "input", requires = "query")]
    prometheus: Option<String>,
    /// The query, in PromQL
    #[arg(long, value_name = "QUERY", requires = "prometheus")]
    query: Option<String>,
    /// Start of the period, RFC 3339 [default: seven days before its end]
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "prometheus", conflicts_with = "last")]
    from: Option<Time>,
    /// End of the period, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "prometheus")]
    to: Option<Time>,
    /// Length of the period, like `7d`, instead of its start
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, requires = "prometheus")]
    last: Option<Duration>,
    /// Time between two values, like `15s` [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, requires = "prometheus")]
    step: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// Only high values are anomalous
    High,
    /// Only low values are anomalous
    Low,
    Both,
}

/// The detectors that a model may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Part {
    /// Single values far from the median
    RobustZ,
    /// Small deviations that last
    Ewma,
    /// Single values far from the daily or weekly rhythm
    Seasonal,
    /// All columns together, by an isolation forest
    Forest,
}

impl Part {
    fn detector(self) -> Detector {
        match self {
            Part::RobustZ => Detector::RobustZ,
            Part::Ewma => Detector::Ewma,
            Part::Seasonal => Detector::Seasonal,
            Part::Forest => Detector::Forest,
        }
    }
}

#[derive(Debug, clap::Args)]
struct FitArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Model file to write
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    out: PathBuf,
    /// Value columns to use [default: all]
    #[arg(long, value_name = "A,B")]
    columns: Option<String>,
    /// In which direction values deviate when something is wrong
    #[arg(long, value_enum, default_value = "both")]
    direction: Side,
    /// Detectors to use [default: `robust_z,ewma,seasonal`, and `forest` if there are two columns or more]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "A,B")]
    detectors: Vec<Part>,
    /// Seed of the forest: the same seed and data give the same model
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Rows with a probability at or below this are anomalous
    #[arg(long, value_name = "P", default_value_t = DEFAULT_THRESHOLD)]
    threshold: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScoreFormat {
    /// A summary of what is anomalous
    Text,
    /// The summary, and every row
    Json,
    /// Every row
    Csv,
}

#[derive(Debug, clap::Args)]
struct ScoreArgs {
    /// Model file written by `fit`
    model: PathBuf,
    #[command(flatten)]
    input: InputArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: ScoreFormat,
    /// Also write an SVG chart: values, expected values, anomalies
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    locale: LocaleArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    match &args.action {
        Action::Fit(args) => fit(args, out),
        Action::Score(args) => score(args, out),
    }
}

fn fit(args: &FitArgs, out: &mut impl Write) -> Outcome {
    // Before any input is read: a file that is not a model must not be overwritten.
    let overwritten = args.out.exists();
    if overwritten && !Model::is_model(&read(&args.out)?) {
        return Err(Failure::new(
            Code::EXISTS,
            text!("`{}` exists and is not an anomaly model; it was not overwritten", args.out.display()),
        )
        .help("choose another file with `-o FILE`"));
    }
    let columns = args.columns.as_deref().map(names).unwrap_or_default();
    let (_, table) = table(&args.input, &columns)?;
    let options = FitOptions {
        direction: match args.direction {
            Side::High => Direction::High,
            Side::Low => Direction::Low,
            Side::Both => Direction::Both,
        },
        detectors: args.detectors.iter().copied().map(Part::detector).collect(),
        seed: args.seed,
        threshold: args.threshold,
    };
    let model = Model::fit(&table, &options)?;
    let text = model.to_json().map_err(|error| Failure::new(Code::USAGE, error.to_string()))?;
    files::write(&args.out, text)?;
    for line in model.describe() {
        writeln!(out, "{}", one_line(&line))?;
    }
    writeln!(out, "{} `{}`", if overwritten { "replaced" } else { "wrote" }, args.out.display())?;
    Ok(OK)
}

fn score(args: &ScoreArgs, out: &mut impl Write) -> Outcome {
    let model = Model::from_json(&args.model.display().to_string(), &read(&args.model)?)?;
    let (name, table) = table(&args.input, &[])?;
    let scored = model.score(&table)?;
    let judged = Judged::of(&name, &model, &scored, model.shifts(&table)?);
    if let Some(path) = &args.svg {
        files::write(path, plot::draw(&name, &scored, args.locale.get().lang))?;
    }
    match args.format {
        ScoreFormat::Text => write!(out, "{}", anomaly_text::text(&judged, args.locale.get().lang))?,
        ScoreFormat::Json => writeln!(out, "{}", json(&judged)?)?,
        ScoreFormat::Csv => anomaly_text::csv_rows(&scored, out)?,
    }
    Ok(if judged.anomalous > 0 { FINDINGS } else { OK })
}

/// The input table and its name.
fn table(args: &InputArgs, columns: &[String]) -> Result<(String, Table), Failure> {
    let (name, bytes) = match (&args.input, &args.prometheus) {
        (Some(path), _) => (path.display().to_string(), read(path)?),
        (None, Some(url)) => {
            let query = args.query.as_deref().unwrap_or_default();
            (query.to_owned(), ask(url, query, args)?)
        }
        (None, None) => {
            return Err(Failure::new(Code::USAGE, "no input").help("name a file, or a Prometheus server with `--prometheus URL`"));
        }
    };
    let table = read_table(&name, &bytes, columns)?;
    Ok((name, table))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(files::read(path, &path.display().to_string(), MAX_FILE_BYTES)?)
}

/// The responses to a query over a period, one after the other. A long period takes several requests.
fn ask(url: &str, query: &str, args: &InputArgs) -> Result<Vec<u8>, Failure> {
    let to = args.to.unwrap_or_else(|| Time(now()));
    let from = args.from.unwrap_or_else(|| to.minus(args.last.unwrap_or(7 * DAY)));
    let mut answers = Vec::new();
    for (start, end) in periods(from, to, args.step.unwrap_or(MINUTE))? {
        let asked = request(url, query, start, end, args.step.unwrap_or(MINUTE));
        let answer = get(&asked, PATIENCE).map_err(|error| {
            let shown = address(url);
            Failure::new(Code::REMOTE, text!("Prometheus at `{}` {}", shown, error)).help(text!(
                "open `{}/graph` and try the query `{}` there",
                shown,
                query
            ))
        })?;
        answers.extend(answer);
        answers.push(b'\n');
    }
    Ok(answers)
}

/// Splits the period into parts that Prometheus accepts, each from its first to its last instant.
fn periods(from: Time, to: Time, step: Duration) -> Result<Vec<(Time, Time)>, Failure> {
    if from >= to {
        return Err(Failure::new(Code::USAGE, text!("the period from {} to {} is empty", from, to)).help("`--from` must be before `--to`"));
    }
    let part = step.saturating_mul(MAX_POINTS - 1);
    if to.since(from) / step >= MAX_POINTS * MAX_REQUESTS {
        let what = text!("the query would return {} values per series, more than {}", to.since(from) / step + 1, MAX_POINTS * MAX_REQUESTS);
        return Err(Failure::new(Code::USAGE, what).help("use a longer `--step` or a shorter period"));
    }
    let mut parts = Vec::new();
    let mut start = from;
    while start <= to {
        let end = start.plus(part).min(to);
        parts.push((start, end));
        start = start.plus(part).plus(step);
    }
    Ok(parts)
}

fn request(url: &str, query: &str, start: Time, end: Time, step: Duration) -> String {
    let seconds = |ms: i64| format!("{}.{:03}", ms.div_euclid(SECOND), ms.rem_euclid(SECOND));
    format!(
        "{}/api/v1/query_range?query={}&start={}&end={}&step={}",
        url.trim_end_matches('/'),
        percent_encode(query),
        seconds(start.0),
        seconds(end.0),
        seconds(step)
    )
}

/// Encodes all bytes except the unreserved ones of RFC 3986.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Comma-separated names. A comma within braces is part of the name of a series, as in `up{job="a",zone="b"}`.
fn names(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut depth = 0_usize;
    for one in text.chars() {
        match one {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if one == ',' && depth == 0 {
            names.push(String::new());
        } else if let Some(name) = names.last_mut() {
            name.push(one);
        }
    }
    names.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::output::Failure;
    use super::{names, percent_encode, periods, request};
    use value::{MINUTE, SECOND, Time};

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(percent_encode("rate(a{b=\"温\"}[5m]) + 1"), "rate%28a%7Bb%3D%22%E6%B8%A9%22%7D%5B5m%5D%29%20%2B%201");
        let asked = request("http://p:9090/", "up", Time(1_500), Time(61_500), 15 * SECOND);
        assert_eq!(asked, "http://p:9090/api/v1/query_range?query=up&start=1.500&end=61.500&step=15.000");
    }

    #[test]
    fn a_long_period_is_asked_for_in_parts() {
        assert_eq!(periods(Time(0), Time(MINUTE), MINUTE).unwrap(), [(Time(0), Time(MINUTE))]);
        // A week of 15 s is 40,321 points: parts of 11,000 follow each other by one step, and every point is requested once.
        let step = 15 * SECOND;
        let parts = periods(Time(0), Time(7 * 86_400 * SECOND), step).unwrap();
        assert_eq!(parts.len(), 4);
        let points: i64 = parts.iter().map(|(from, to)| to.since(*from) / step + 1).sum();
        assert_eq!(points, 40_321);
        assert!(parts.iter().zip(parts.iter().skip(1)).all(|(a, b)| b.0.since(a.1) == step));
        let refused = |from, to| match periods(from, to, step).unwrap_err() {
            Failure::Wrong(diagnostic) => diagnostic.message.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(refused(Time(5), Time(5)).contains("is empty"));
        assert!(refused(Time(0), Time(86_400_000 * SECOND)).contains("more than 1100000"));
    }

    #[test]
    fn names_may_hold_commas_in_braces() {
        assert_eq!(names("a, b,,up{x=\"1\",y=\"2\"},c"), ["a", "b", "up{x=\"1\",y=\"2\"}", "c"]);
        assert!(names(" , ").is_empty());
    }
}
