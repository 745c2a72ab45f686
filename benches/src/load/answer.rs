//! What an answer says, read without decoding the rest of it.

use crate::plan::{Method, Verdict};

/// Reads a `CheckResponse` or a `RateLimitResponse`.
pub fn verdict(method: Method, message: &[u8]) -> Verdict {
    let read = match method {
        Method::Check => check(message),
        Method::ShouldRateLimit => rate_limit(message),
    };
    read.unwrap_or(Verdict::Fault)
}

/// `status` = 1, then one of `denied_response` = 2, `ok_response` = 3, `error_response` = 5.
fn check(message: &[u8]) -> Option<Verdict> {
    let (mut code, mut denied, mut error) = (0, false, false);
    for_each(message, |tag, field| {
        match (tag, field) {
            (1, Field::Bytes(status)) => for_each(status, |tag, field| {
                if let (1, Field::Number(number)) = (tag, field) {
                    code = number;
                }
            })?,
            (2, _) => denied = true,
            (5, _) => error = true,
            _ => {}
        }
        Some(())
    })?;
    Some(match (code, denied, error) {
        (0, false, false) => Verdict::Allow,
        (1.., true, false) => Verdict::Deny,
        // The form of opa-envoy-plugin when a policy says no more than `false`.
        (PERMISSION_DENIED, false, false) => Verdict::Deny,
        _ => Verdict::Fault,
    })
}

/// `google.rpc.Code.PERMISSION_DENIED`
const PERMISSION_DENIED: u64 = 7;

/// `overall_code` = 1: 1 is OK, 2 is OVER_LIMIT.
fn rate_limit(message: &[u8]) -> Option<Verdict> {
    let mut overall = 0;
    for_each(message, |tag, field| {
        if let (1, Field::Number(number)) = (tag, field) {
            overall = number;
        }
    })?;
    Some(match overall {
        1 => Verdict::Allow,
        2 => Verdict::Deny,
        _ => Verdict::Fault,
    })
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// What a callback of [`for_each`] may return.
trait Step {
    fn go_on(self) -> Option<()>;
}

impl Step for () {
    fn go_on(self) -> Option<()> {
        Some(())
    }
}

impl Step for Option<()> {
    fn go_on(self) -> Self {
        self
    }
}

/// Calls `each` with the fields of a message; `None` when it is malformed.
fn for_each<'a, S: Step>(mut message: &'a [u8], mut each: impl FnMut(u64, Field<'a>) -> S) -> Option<()> {
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let field = match key & 7 {
            0 => Field::Number(varint(&mut message)?),
            1 => Field::Bytes(take(&mut message, 8)?),
            2 => {
                let length = varint(&mut message)?;
                Field::Bytes(take(&mut message, length)?)
            }
            5 => Field::Bytes(take(&mut message, 4)?),
            _ => return None,
        };
        each(key >> 3, field).go_on()?;
    }
    Some(())
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(message: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(usize::try_from(length).ok()?)?;
    *message = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
    use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
    use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitResponse;
    use envoy_types::pb::google::rpc::Status;
    use prost::Message as _;

    use super::*;

    fn of(code: i32, response: Option<HttpResponse>) -> Verdict {
        let status = Some(Status { code, message: "m".into(), details: Vec::new() });
        let answer = CheckResponse { status, dynamic_metadata: None, http_response: response };
        verdict(Method::Check, &answer.encode_to_vec())
    }

    #[test]
    fn check_answers() {
        let ok = || Some(HttpResponse::OkResponse(OkHttpResponse::default()));
        let denied = || Some(HttpResponse::DeniedResponse(DeniedHttpResponse::default()));
        assert_eq!(of(0, ok()), Verdict::Allow);
        assert_eq!(of(7, denied()), Verdict::Deny);
        // Envoy lets this pass, so it must never count as a denial.
        assert_eq!(of(0, denied()), Verdict::Fault);
        assert_eq!((of(7, None), of(13, None)), (Verdict::Deny, Verdict::Fault));
        assert_eq!(of(14, Some(HttpResponse::ErrorResponse(DeniedHttpResponse::default()))), Verdict::Fault);
        assert_eq!(verdict(Method::Check, b"\xff"), Verdict::Fault);
    }

    #[test]
    fn rate_limit_answers() {
        for (overall_code, wanted) in [(0, Verdict::Fault), (1, Verdict::Allow), (2, Verdict::Deny)] {
            let answer = RateLimitResponse { overall_code, ..RateLimitResponse::default() };
            assert_eq!(verdict(Method::ShouldRateLimit, &answer.encode_to_vec()), wanted);
        }
    }
}
