use std::time::Duration;

use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use prost::Message;

use super::*;
use crate::wire::generate::{case, cases};
use crate::wire::schema::{Kind, Schema, TEXT_ENTRY};

static REQUEST: Schema = Schema(&[(1, Kind::Text), (2, Kind::Message(&DESCRIPTOR)), (3, Kind::Integer)]);
static DESCRIPTOR: Schema = Schema(&[
    (1, Kind::Message(&TEXT_ENTRY)),
    (2, Kind::Message(&NUMBERS)),
    (3, Kind::Message(&NUMBER)),
    (4, Kind::Integer),
]);
static NUMBERS: Schema = Schema(&[(1, Kind::Integer), (2, Kind::Integer)]);
static NUMBER: Schema = Schema(&[(1, Kind::Integer)]);

#[test]
fn index_and_prost_agree_on_random_messages() {
    for seed in 0..cases(50_000) {
        let bytes = case(&REQUEST, seed);
        let message = RateLimitRequest::decode(&*bytes);
        match (&message, RlsCall::parse(&bytes)) {
            (Ok(message), Ok(call)) => assert_eq!(call, of_prost(message), "case {seed}"),
            (Err(_), Err(_)) => {}
            (prost, call) => panic!("case {seed}: prost {:?}, index {:?}", prost, call.err()),
        }
    }
}

fn of_prost(message: &RateLimitRequest) -> RlsCall<'_> {
    RlsCall {
        domain: &message.domain,
        hits_addend: message.hits_addend,
        descriptors: message
            .descriptors
            .iter()
            .map(|d| RlsCallDescriptor {
                entries: d.entries.iter().map(|e| (&*e.key, &*e.value)).collect(),
                limit: d.limit.map(|l| (l.requests_per_unit, l.unit)),
                hits_addend: d.hits_addend.map(|h| h.value),
                is_negative_hits: d.is_negative_hits,
            })
            .collect(),
    }
}

#[test]
fn an_answer_reads_as_it_was_written() {
    let limit = RlsAnswerLimit { name: "per-user".to_owned(), requests_per_unit: 10, unit: 2, unit_multiplier: 5 };
    let over = RlsAnswerStatus {
        over_limit: true,
        limit: Some(limit),
        remaining: 0,
        reset_after: Some(Duration::new(12, 500)),
    };
    let answer = RlsAnswer {
        over_limit: false,
        statuses: [over, RlsAnswerStatus { remaining: 3, ..RlsAnswerStatus::default() }].into_iter().collect(),
        response_headers: vec![("retry-after".to_owned(), "12".to_owned())],
    };
    let read = RateLimitResponse::decode(encode(&answer)).expect("well formed");
    // A quota that is over is a status, and may be no refusal: the overall code is the decision.
    assert_eq!(read.overall_code, 1);
    assert_eq!(
        RateLimitResponse::decode(encode(&RlsAnswer { over_limit: true, ..answer })).expect("well formed").overall_code,
        2
    );
    assert_eq!(read.statuses.iter().map(|s| s.code).collect::<Vec<_>>(), [2, 1]);
    let limit = read.statuses[0].current_limit.clone().expect("limit");
    assert_eq!((&*limit.name, limit.requests_per_unit, limit.unit), ("per-user", 10, 2));
    let reset = read.statuses[0].duration_until_reset.expect("reset");
    assert_eq!((reset.seconds, reset.nanos), (12, 500));
    assert_eq!((read.statuses[1].limit_remaining, &read.statuses[1].current_limit), (3, &None));
    assert_eq!(read.response_headers_to_add[0].key, "retry-after");
}

#[test]
fn what_could_not_be_counted_is_over_the_limit() {
    assert_eq!(RateLimitResponse::decode(refuse()).expect("well formed").overall_code, 2);
}
