//! When the trouble of now began: what is usual is learned from the time before. An alert that fires for days tells of another trouble; a
//! reference that ended with it would leave out what is usual now, or be empty.

use value::{Duration, HOUR, Time};

use super::clusters::SHORT_PAUSE;

/// The first of the onsets that lead up to the last one, each soon enough before the next. Soon: within the window, and at least an hour,
/// as a cause may be that slow. An onset with hardly a sample before it (before `visible`) cannot be seen in the series, so it counts only
/// together with one that can: within the time in which signals of one cause start. If none can be seen, it is the first of all.
pub fn begin(onsets: impl Iterator<Item = Time>, visible: Option<Time>, window: Duration) -> Option<Time> {
    let mut onsets: Vec<Time> = onsets.collect();
    onsets.sort_unstable();
    let seen = |onset: Time| visible.is_none_or(|visible| onset > visible);
    let last = onsets.last().copied()?;
    if !seen(last) {
        return onsets.first().copied();
    }
    let leads_up = |onset: Time, begun: Time| begun.since(onset) <= if seen(onset) { window.max(HOUR) } else { SHORT_PAUSE };
    let mut begun = last;
    for onset in onsets.into_iter().rev() {
        if !leads_up(onset, begun) {
            break;
        }
        begun = onset;
    }
    Some(begun)
}

#[cfg(test)]
mod tests {
    use super::begin;
    use value::{HOUR, MINUTE, Time};

    #[test]
    fn the_trouble_of_now_has_its_own_beginning() {
        type Case = (&'static str, &'static [i64], Option<i64>, Option<i64>);
        let cases: [Case; 10] = [
            ("nothing", &[], Some(2), None),
            ("one", &[60], Some(2), Some(60)),
            ("alerts of one trouble", &[63, 60, 95], Some(2), Some(60)),
            ("a slow cause", &[-50, 5, 60], Some(-90), Some(-50)),
            ("one of three days ago", &[-4320, 60, 63], Some(2), Some(60)),
            ("also where the series reach back as far", &[-4320, 60, 63], Some(-9000), Some(60)),
            ("and where nothing is measured", &[-4320, 60, 63], None, Some(60)),
            ("just before the record", &[1, 40], Some(2), Some(40)),
            ("and shortly before what can be seen", &[1, 8], Some(2), Some(1)),
            ("nothing but what is older than the record", &[-4320, 1], Some(2), Some(-4320)),
        ];
        for (name, onsets, visible, expected) in cases {
            let minute = |n: i64| Time(n * MINUTE);
            let found = begin(onsets.iter().map(|n| minute(*n)), visible.map(minute), HOUR);
            assert_eq!(found, expected.map(minute), "{name}");
        }
    }
}
