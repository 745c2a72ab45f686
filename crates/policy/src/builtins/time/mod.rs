//! `time.add_date` and `time.format` as Go's time package has them.

mod layout;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Datelike as _, Days, FixedOffset, Local, NaiveDate, Offset as _, TimeZone as _, Utc};
use chrono_tz::{OffsetName as _, Tz};
use regorus::Value;

/// A time zone.
enum Zone {
    Utc,
    /// The one of this machine.
    Local,
    Named(Tz),
}

impl Zone {
    fn read(name: &str) -> Result<Self> {
        match name {
            "" | "UTC" => Ok(Self::Utc),
            "Local" => Ok(Self::Local),
            other => Ok(Self::Named(other.parse::<Tz>()?)),
        }
    }

    /// The time in this zone, and what the zone is called then.
    fn at(&self, ns: i64) -> (DateTime<FixedOffset>, String) {
        match self {
            Self::Utc => (Utc.timestamp_nanos(ns).fixed_offset(), "UTC".to_owned()),
            Self::Local => {
                let time = Local.timestamp_nanos(ns).fixed_offset();
                (time, numeric_name(*time.offset()))
            }
            Self::Named(zone) => {
                let time = zone.timestamp_nanos(ns);
                let name =
                    time.offset().abbreviation().map_or_else(|| numeric_name(time.offset().fix()), str::to_owned);
                (time.fixed_offset(), name)
            }
        }
    }

    /// The instant of a local time in nanoseconds, without the offset for now. Where clocks are set, it is one of the two possible.
    fn instant(&self, local_ns: i64) -> Option<i64> {
        let offset_ns = |ns: i64| i64::from(self.at(ns).0.offset().local_minus_utc()) * 1_000_000_000;
        let guess = local_ns.checked_sub(offset_ns(local_ns))?;
        local_ns.checked_sub(offset_ns(guess))
    }
}

/// Zones without letters are called by their offset.
fn numeric_name(offset: FixedOffset) -> String {
    let seconds = offset.local_minus_utc();
    let (sign, minutes) = if seconds < 0 { ('-', -seconds / 60) } else { ('+', seconds / 60) };
    match (minutes / 60, minutes % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("{sign}{hours:02}"),
        (hours, minutes) => format!("{sign}{hours:02}{minutes:02}"),
    }
}

/// Nanoseconds, alone or with a zone and a layout.
fn read_time(value: &Value) -> Result<(i64, Zone, Option<&str>)> {
    match value {
        Value::Number(_) => Ok((value.as_i64()?, Zone::Utc, None)),
        Value::Array(parts) => match parts.as_slice() {
            [ns @ Value::Number(_), Value::String(zone)] => Ok((ns.as_i64()?, Zone::read(zone)?, None)),
            [ns @ Value::Number(_), Value::String(zone), Value::String(layout)] => {
                Ok((ns.as_i64()?, Zone::read(zone)?, Some(layout)))
            }
            _ => bail!("a number, a zone and a layout"),
        },
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Set(_) | Value::Object(_) | Value::Undefined => {
            bail!("a time")
        }
    }
}

/// `time.add_date(ns, years, months, days)`. A day that a month has not becomes one of the next month.
pub(super) fn add_date(args: &[Value]) -> Result<Value> {
    let [time, years, months, days] = args else { bail!("a time, years, months and days") };
    let (ns, zone, _) = read_time(time)?;
    let (years, months, days) = (years.as_i64()?, months.as_i64()?, days.as_i64()?);
    let (local, _) = zone.at(ns);
    let local = local.naive_local();
    let sum = added(local.date(), years, months, days).context("out of range")?;
    let naive = sum.and_time(local.time());
    let local_ns = naive.and_utc().timestamp_nanos_opt().context("time outside of valid range")?;
    Ok(Value::from(zone.instant(local_ns).context("time outside of valid range")?))
}

fn added(date: NaiveDate, years: i64, months: i64, days: i64) -> Option<NaiveDate> {
    let month = i64::from(date.year()).checked_add(years)?.checked_mul(12)?.checked_add(i64::from(date.month0()))?;
    let month = month.checked_add(months)?;
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    let first = NaiveDate::from_ymd_opt(year, u32::try_from(month.rem_euclid(12)).ok()? + 1, 1)?;
    let days = days.checked_add(i64::from(date.day0()))?;
    let magnitude = Days::new(days.unsigned_abs());
    if days < 0 { first.checked_sub_days(magnitude) } else { first.checked_add_days(magnitude) }
}

/// `time.format(time)`.
pub(super) fn format(args: &[Value]) -> Result<Value> {
    let [time] = args else { bail!("a time") };
    let (ns, zone, layout) = read_time(time)?;
    let (time, zone_name) = zone.at(ns);
    Ok(Value::from(layout::format(
        layout.filter(|layout| !layout.is_empty()).unwrap_or("RFC3339Nano"),
        &time,
        &zone_name,
    )))
}
