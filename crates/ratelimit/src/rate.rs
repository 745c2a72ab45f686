//! How many requests in how much time, as people write it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many requests in a period: `30/minute`, `500/hour`, `10/10s`. At least one request; 1 ms to 400 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Requests per period.
    pub requests: u64,
    /// The period.
    pub period: Duration,
}

const UNITS: [(&str, u64); 6] =
    [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400), ("week", 604_800), ("month", 2_592_000)];

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("invalid rate `{text}`: write requests per period, such as 30/minute, 500/hour or 10/10s");
        let (requests, period) = text.split_once('/').ok_or_else(bad)?;
        let requests: u64 = requests.trim().parse().map_err(|_not_a_number| bad())?;
        let period = period.trim();
        let named = UNITS.iter().find(|(name, _)| *name == period).map(|(_, secs)| Duration::from_secs(*secs));
        let period = match named {
            Some(period) => period,
            None => period.parse::<::config::Period>().map_err(|_unreadable| bad())?.0,
        };
        let in_range = (Duration::from_millis(1)..=Duration::from_secs(400 * 86_400)).contains(&period);
        if requests == 0 || requests > u64::from(u32::MAX) || !in_range {
            return Err(format!("invalid rate `{text}`: 1 to 4294967295 requests, in 1ms to 400 days"));
        }
        Ok(Self { requests, period })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, secs)| Duration::from_secs(*secs) == self.period) {
            Some((name, _)) => write!(f, "{}/{name}", self.requests),
            None => write!(f, "{}/{}", self.requests, ::config::Period(self.period).to_string().replace(' ', "")),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Requests per period: `30/minute`, `500/hour`, `10/10s`.",
            "pattern": "^[0-9]+/.+$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_and_print() {
        for (text, requests, secs, printed) in [
            ("30/minute", 30, 60, "30/minute"),
            ("500/hour", 500, 3600, "500/hour"),
            ("10/10s", 10, 10, "10/10s"),
            ("7/1m", 7, 60, "7/minute"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.requests, rate.period.as_secs()), (requests, secs));
            assert_eq!(rate.to_string(), printed);
        }
        for bad in [
            "",
            "30",
            "30/",
            "x/minute",
            "-1/minute",
            "0/minute",
            "1/0s",
            "5/fortnight",
            "99999999999/minute",
            "1/500d",
        ] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
