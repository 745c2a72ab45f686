use super::*;

#[test]
fn the_reference_page_is_up_to_date() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
    if std::env::var_os("GATEHOUSE_WRITE_GENERATED").is_some() {
        std::fs::write(page, catalogue()).unwrap();
    }
    let written = std::fs::read_to_string(page).unwrap_or_default();
    assert_eq!(written, catalogue(), "run cargo xtask gen");
}

#[test]
fn what_is_counted_is_shown() {
    let metrics = Metrics::new();
    metrics.shed();
    metrics.security_event(SecurityEvent::ForgedHeader);
    metrics.rate_limit_call(true, false);
    metrics.token_validated(Duration::from_micros(3), true);
    metrics.config_loaded(4, Timestamp::from_secs(9));
    metrics.config_refused();
    let text = metrics.encode();
    for line in [
        "gatehouse_shed_total 1",
        "gatehouse_security_events_total{kind=\"forged_header\"} 1",
        "gatehouse_rate_limit_calls_total{result=\"over_limit\"} 1",
        "gatehouse_token_validation_duration_seconds_bucket{le=\"0.000005\",cached=\"true\"} 1",
        "gatehouse_token_validation_duration_seconds_bucket{le=\"0.000002\",cached=\"true\"} 0",
        "gatehouse_config_generation 4",
        "gatehouse_config_last_success_timestamp_seconds 9",
        "gatehouse_config_last_reload_success 0",
        "gatehouse_config_reloads_total{result=\"refused\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn every_reason_has_its_counter() {
    let text = Metrics::new().encode();
    for reason in Reason::ALL {
        assert!(text.contains(&format!("reason=\"{}\"", reason.as_str())), "{}", reason.as_str());
    }
}
