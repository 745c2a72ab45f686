//! `envoy.service.ratelimit.v3`: requests and answers of the rate-limit service.

use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::reader::{Malformed, Reader};
use super::writer::Writer;

#[cfg(test)]
mod tests;

/// A `RateLimitRequest` as an index over the received bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RlsCall<'a> {
    /// `domain`.
    pub domain: &'a str,
    /// `descriptors`.
    pub descriptors: SmallVec<[RlsCallDescriptor<'a>; 4]>,
    /// `hits_addend`; 0 means 1.
    pub hits_addend: u32,
}

/// A `RateLimitDescriptor`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RlsCallDescriptor<'a> {
    /// `entries`: key and value.
    pub entries: SmallVec<[(&'a str, &'a str); 4]>,
    /// `limit`: requests per unit, and the number of the unit (`envoy.type.v3.RateLimitUnit`).
    pub limit: Option<(u32, i32)>,
    /// `hits_addend` of this descriptor; an explicit 0 asks without counting.
    pub hits_addend: Option<u64>,
    /// `is_negative_hits`: the hits are given back.
    pub is_negative_hits: bool,
}

/// A `RateLimitResponse`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RlsAnswer {
    /// `overall_code`: `OVER_LIMIT` or `OK`.
    pub over_limit: bool,
    /// `statuses`, one per descriptor.
    pub statuses: SmallVec<[RlsAnswerStatus; 4]>,
    /// `response_headers_to_add`.
    pub response_headers: Vec<(String, String)>,
}

/// A `DescriptorStatus`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RlsAnswerStatus {
    /// `code`: `OVER_LIMIT` or `OK`.
    pub over_limit: bool,
    /// `current_limit`; absent when no limit applies.
    pub limit: Option<RlsAnswerLimit>,
    /// `limit_remaining`.
    pub remaining: u32,
    /// `duration_until_reset`.
    pub reset_after: Option<Duration>,
}

/// `RateLimitResponse.RateLimit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RlsAnswerLimit {
    /// `name`.
    pub name: String,
    /// `requests_per_unit`.
    pub requests_per_unit: u32,
    /// Number of the `unit`.
    pub unit: i32,
    /// `unit_multiplier`; written when more than 1.
    pub unit_multiplier: u32,
}

impl<'a> RlsCall<'a> {
    /// Indexes the bytes of a `RateLimitRequest`.
    ///
    /// # Errors
    /// [`Malformed`] exactly when prost would not decode them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut call = Self::default();
        let mut message = Reader::new(bytes);
        while let Some((tag, wire)) = message.key()? {
            match tag {
                1 => call.domain = message.text(wire)?,
                2 => call.descriptors.push(descriptor(message.message(wire)?)?),
                3 => call.hits_addend = narrow(message.integer(wire)?),
                _ => message.skip(tag, wire)?,
            }
        }
        Ok(call)
    }
}

fn descriptor<'a>(mut message: Reader<'a>) -> Result<RlsCallDescriptor<'a>, Malformed> {
    let mut descriptor = RlsCallDescriptor::default();
    while let Some((tag, wire)) = message.key()? {
        match tag {
            1 => descriptor.entries.push(entry(message.message(wire)?)?),
            2 => limit(descriptor.limit.get_or_insert_default(), message.message(wire)?)?,
            3 => wrapped(descriptor.hits_addend.get_or_insert_default(), message.message(wire)?)?,
            4 => descriptor.is_negative_hits = message.integer(wire)? != 0,
            _ => message.skip(tag, wire)?,
        }
    }
    Ok(descriptor)
}

fn entry<'a>(mut message: Reader<'a>) -> Result<(&'a str, &'a str), Malformed> {
    let (mut key, mut value) = ("", "");
    while let Some((tag, wire)) = message.key()? {
        match tag {
            1 => key = message.text(wire)?,
            2 => value = message.text(wire)?,
            _ => message.skip(tag, wire)?,
        }
    }
    Ok((key, value))
}

fn limit(limit: &mut (u32, i32), mut message: Reader<'_>) -> Result<(), Malformed> {
    while let Some((tag, wire)) = message.key()? {
        match tag {
            1 => limit.0 = narrow(message.integer(wire)?),
            2 => limit.1 = narrow(message.integer(wire)?).cast_signed(),
            _ => message.skip(tag, wire)?,
        }
    }
    Ok(())
}

/// `google.protobuf.UInt64Value`.
fn wrapped(value: &mut u64, mut message: Reader<'_>) -> Result<(), Malformed> {
    while let Some((tag, wire)) = message.key()? {
        match tag {
            1 => *value = message.integer(wire)?,
            _ => message.skip(tag, wire)?,
        }
    }
    Ok(())
}

const fn narrow(value: u64) -> u32 {
    value as u32
}

const OK: u64 = 1;
const OVER_LIMIT: u64 = 2;

/// `RateLimitResponse` bytes. `overall_code` is always written, so that nothing reads as `UNKNOWN`.
pub fn encode(answer: &RlsAnswer) -> Bytes {
    let mut out = Writer::with_capacity(128);
    out.integer(1, code(answer.over_limit));
    for status in &answer.statuses {
        out.message(2, |out| descriptor_status(out, status));
    }
    for (name, value) in &answer.response_headers {
        out.message(3, |header| {
            header.text(1, name);
            header.text(2, value);
        });
    }
    out.into_bytes().into()
}

/// The answer when no limit could be looked at: over limit, so that nothing passes uncounted.
pub fn refuse() -> Bytes {
    encode(&RlsAnswer { over_limit: true, ..RlsAnswer::default() })
}

const fn code(over_limit: bool) -> u64 {
    if over_limit { OVER_LIMIT } else { OK }
}

fn descriptor_status(out: &mut Writer, status: &RlsAnswerStatus) {
    out.integer(1, code(status.over_limit));
    if let Some(limit) = &status.limit {
        out.message(2, |out| {
            out.nonzero(1, limit.requests_per_unit.into());
            out.nonzero(2, i64::from(limit.unit).cast_unsigned());
            out.text(3, &limit.name);
            if limit.unit_multiplier > 1 {
                out.integer(4, limit.unit_multiplier.into());
            }
        });
    }
    out.nonzero(3, status.remaining.into());
    if let Some(reset) = status.reset_after {
        out.message(4, |out| {
            out.nonzero(1, reset.as_secs().min(MAX_DURATION_SECS));
            out.nonzero(2, reset.subsec_nanos().into());
        });
    }
}

/// Largest `google.protobuf.Duration`.
const MAX_DURATION_SECS: u64 = 315_576_000_000;
