//! For whom a report is written: its language, and the time zone of its times.

use value::{DAY, Time};

use super::Lang;

/// A time zone; UTC unless asked for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(jiff::tz::TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Zone(jiff::tz::TimeZone::UTC)
    }
}

impl Zone {
    /// A name of the IANA database (`Asia/Shanghai`), a fixed offset (`+08:00`), or what POSIX allows in `TZ` (`CST-8`).
    pub fn parse(name: &str) -> Option<Zone> {
        let name = name.trim().trim_start_matches(':');
        if name.is_empty() || name.eq_ignore_ascii_case("z") {
            return Some(Zone::default());
        }
        if name.starts_with(['+', '-']) {
            let offset: jiff::Zoned = format!("1970-01-01T00:00:00{name}[{name}]").parse().ok()?;
            return Some(Zone(offset.time_zone().clone()));
        }
        let zone = jiff::tz::TimeZone::get(name).or_else(|_| jiff::tz::TimeZone::posix(name)).ok()?;
        Some(Zone(zone))
    }

    fn at(&self, time: Time) -> Option<jiff::Zoned> {
        Some(jiff::Timestamp::from_millisecond(time.0).ok()?.to_zoned(self.0.clone()))
    }

    /// The name, as a report says it: `UTC`, `Asia/Shanghai`, `+08:00`.
    pub fn name(&self) -> String {
        match (self.0.iana_name(), self.0.to_fixed_offset()) {
            (Some(name), _) => name.to_owned(),
            (None, Ok(offset)) if offset.seconds() == 0 => "UTC".to_owned(),
            (None, Ok(offset)) => {
                jiff::fmt::strtime::format("%:z", &jiff::Timestamp::UNIX_EPOCH.to_zoned(offset.to_time_zone())).unwrap_or_default()
            }
            (None, Err(_)) => "TZ".to_owned(),
        }
    }

    /// The time of day: `10:15:00`.
    pub fn clock(&self, time: Time) -> String {
        self.at(time).map_or_else(|| "?".to_owned(), |zoned| zoned.strftime("%H:%M:%S").to_string())
    }

    /// The day of the week, from Monday 0, and the minute of that day.
    pub fn week_minute(&self, time: Time) -> Option<(usize, u32)> {
        let zoned = self.at(time)?;
        let day = usize::try_from(zoned.weekday().to_monday_zero_offset()).ok()?;
        let minute = 60 * u32::try_from(zoned.hour()).ok()? + u32::try_from(zoned.minute()).ok()?;
        Some((day, minute))
    }

    /// Date and time of day: `2025-06-01 10:15:00`.
    pub fn moment(&self, time: Time) -> String {
        self.at(time).map_or_else(|| time.to_string(), |zoned| zoned.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    /// In RFC 3339, with the offset of the zone: `2025-06-01T18:15:00+08:00`; in UTC `2025-06-01T10:15:00Z`.
    pub fn stamp(&self, time: Time) -> String {
        match self.at(time) {
            Some(zoned) if zoned.offset().seconds() != 0 => zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            Some(_) | None => time.to_string(),
        }
    }

    pub fn date(&self, time: Time) -> String {
        self.at(time).map_or_else(|| time.to_string(), |zoned| zoned.strftime("%Y-%m-%d").to_string())
    }

    /// The day of what happened on a day. Midnight UTC is how a file gives a day without a time of day: no zone moves it to another day.
    pub fn day(&self, time: Time) -> String {
        if time.0.rem_euclid(DAY) == 0 { Zone::default().date(time) } else { self.date(time) }
    }

    /// The time of day; with the date if that is not the day of the other one.
    pub fn near(&self, time: Time, other: Time) -> String {
        if self.date(time) == self.date(other) { self.clock(time) } else { self.moment(time) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Locale {
    pub lang: Lang,
    pub zone: Zone,
}

impl Locale {
    pub fn new(lang: Lang) -> Self {
        Locale { lang, zone: Zone::default() }
    }

    /// An instant that stands alone: date, time of day and zone.
    pub fn instant(&self, time: Time) -> String {
        format!("{} {}", self.zone.moment(time), self.zone.name())
    }
}

#[cfg(test)]
mod tests {
    use value::Time;

    use super::{Lang, Locale, Zone};

    #[test]
    fn instants_say_their_zone() {
        let time = Time::parse("2025-06-01T20:00:00Z").unwrap();
        for (zone, expected) in [
            ("UTC", "2025-06-01 20:00:00 UTC"),
            ("Asia/Shanghai", "2025-06-02 04:00:00 Asia/Shanghai"),
            ("-03:30", "2025-06-01 16:30:00 -03:30"),
        ] {
            for lang in [Lang::En, Lang::Zh] {
                assert_eq!(Locale { lang, zone: Zone::parse(zone).unwrap() }.instant(time), expected);
            }
        }
    }

    #[test]
    fn days() {
        let zone = Zone::parse("America/New_York").unwrap();
        assert_eq!(zone.day(Time::parse("2025-06-01T00:00:00Z").unwrap()), "2025-06-01");
        assert_eq!(zone.day(Time::parse("2025-06-01T02:00:00Z").unwrap()), "2025-05-31");
    }

    #[test]
    fn zones() {
        let time = Time::parse("2025-06-01T20:00:00Z").unwrap();
        let cases = [
            ("UTC", "UTC", "2025-06-01 20:00:00"),
            ("", "UTC", "2025-06-01 20:00:00"),
            ("Asia/Shanghai", "Asia/Shanghai", "2025-06-02 04:00:00"),
            (":America/New_York", "America/New_York", "2025-06-01 16:00:00"),
            ("+08:00", "+08:00", "2025-06-02 04:00:00"),
            ("-03:30", "-03:30", "2025-06-01 16:30:00"),
            ("CST-8", "TZ", "2025-06-02 04:00:00"),
        ];
        for (name, shown, expected) in cases {
            let zone = Zone::parse(name).unwrap_or_else(|| panic!("{name}"));
            if name != "CST-8" {
                assert_eq!(zone.name(), shown);
            }
            assert_eq!(zone.moment(time), expected, "{name}");
        }
        assert_eq!(Zone::parse("Mars/Olympus"), None);
    }
}
