//! The table of reasons in the guide says what the code says.

use model::{Class, Reason};

#[test]
fn the_guide_lists_every_reason_as_it_is() {
    let guide = include_str!("../../../../docs/guides/denials-and-errors.md");
    let rows: Vec<Vec<&str>> = guide
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), Reason::ALL.len(), "one row for each reason");
    for (row, reason) in rows.iter().zip(Reason::ALL) {
        let class = match reason.class() {
            Class::Denial => "denial",
            Class::Error => "error",
        };
        let grpc = row[4].split(' ').next().unwrap();
        let wanted = [
            format!("`{}`", reason.as_str()),
            reason.stage().as_str().into(),
            class.into(),
            reason.status().to_string(),
        ];
        assert_eq!(row[..4], wanted);
        assert_eq!(grpc, reason.grpc_code().to_string(), "{}", reason.as_str());
        assert!(!row[5].is_empty() && !row[6].is_empty(), "{} needs a meaning and an advice", reason.as_str());
    }
}
