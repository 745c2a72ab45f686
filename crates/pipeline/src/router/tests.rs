use super::*;

struct Plan {
    router: Router,
    routes: Vec<&'static str>,
}

fn candidate(route: RouteId, methods: &[&str], predicates: &[(&str, HeaderPredicateConfig)]) -> Candidate {
    Candidate {
        route,
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        predicates: predicates.iter().map(|(n, p)| ((*n).to_owned(), p.clone())).collect(),
    }
}

fn plan(routes: &[(&'static str, &str, &[&str])]) -> Plan {
    let mut router = Router::default();
    for (i, (path, host, methods)) in routes.iter().enumerate() {
        router.insert(host, &Pattern::parse(path).unwrap(), candidate(i, methods, &[])).unwrap();
    }
    Plan { router, routes: routes.iter().map(|r| r.0).collect() }
}

impl Plan {
    fn find(&self, host: &str, path: &str, method: &str) -> Option<&'static str> {
        self.router.find(host, path, method, &[]).map(|(id, _)| self.routes[id])
    }
}

#[test]
fn literal_before_capture_before_rest_segment_by_segment() {
    let plan = plan(&[
        ("/**", "a.test", &[]),
        ("/a/**", "a.test", &[]),
        ("/a/{x}", "a.test", &[]),
        ("/a/b", "a.test", &[]),
        ("/{x}/b/c", "a.test", &[]),
        ("/a/{x}/c", "a.test", &[]),
    ]);
    assert_eq!(plan.find("a.test", "/a/b", "GET"), Some("/a/b"));
    assert_eq!(plan.find("a.test", "/a/z", "GET"), Some("/a/{x}"));
    assert_eq!(plan.find("a.test", "/a/b/c", "GET"), Some("/a/{x}/c"));
    assert_eq!(plan.find("a.test", "/a/b/d", "GET"), Some("/a/**"));
    assert_eq!(plan.find("a.test", "/a", "GET"), Some("/a/**"));
    assert_eq!(plan.find("a.test", "/a/", "GET"), Some("/a/**"));
    assert_eq!(plan.find("a.test", "/z/b/c", "GET"), Some("/{x}/b/c"));
    assert_eq!(plan.find("a.test", "/z", "GET"), Some("/**"));
    assert_eq!(plan.find("b.test", "/a", "GET"), None);
}

#[test]
fn an_empty_segment_is_no_capture() {
    let plan = plan(&[("/a/{x}", "*", &[])]);
    assert_eq!(plan.find("a.test", "/a/", "GET"), None);
    assert_eq!(plan.find("a.test", "/a", "GET"), None);
}

#[test]
fn hosts_exact_then_longest_suffix_then_any() {
    let plan = plan(&[
        ("/1", "*", &[]),
        ("/{any}", "*.test", &[]),
        ("/{longer}", "*.b.test", &[]),
        ("/{exact}", "a.b.test", &[]),
    ]);
    assert_eq!(plan.find("a.b.test", "/x", "GET"), Some("/{exact}"));
    assert_eq!(plan.find("c.b.test", "/x", "GET"), Some("/{longer}"));
    assert_eq!(plan.find("c.test", "/x", "GET"), Some("/{any}"));
    assert_eq!(plan.find("b.test", "/x", "GET"), Some("/{any}"));
    assert_eq!(plan.find("test", "/1", "GET"), Some("/1"));
    assert_eq!(plan.find("test", "/x", "GET"), None);
}

#[test]
fn a_host_without_a_fitting_route_leaves_the_request_to_the_next() {
    let plan = plan(&[("/a", "x.test", &["POST"]), ("/a", "*.test", &[])]);
    assert_eq!(plan.find("x.test", "/a", "GET"), Some("/a"));
}

#[test]
fn smaller_method_sets_come_first() {
    let mut router = Router::default();
    let pattern = Pattern::parse("/a").unwrap();
    router.insert("*", &pattern, candidate(0, &[], &[])).unwrap();
    router.insert("*", &pattern, candidate(1, &["GET", "POST"], &[])).unwrap();
    router.insert("*", &pattern, candidate(2, &["GET"], &[])).unwrap();
    let find = |method: &str| router.find("h", "/a", method, &[]).map(|(id, _)| id);
    assert_eq!((find("GET"), find("POST"), find("PUT")), (Some(2), Some(1), Some(0)));
}

#[test]
fn more_predicates_come_first() {
    let mut router = Router::default();
    let pattern = Pattern::parse("/a").unwrap();
    let two = HeaderPredicateConfig::Exact("2".to_owned());
    router.insert("*", &pattern, candidate(0, &[], &[])).unwrap();
    router.insert("*", &pattern, candidate(1, &[], &[("x-v", two)])).unwrap();
    let find = |values: &[&'static str]| {
        let headers: Vec<Header<'_>> = values.iter().map(|v| Header { name: "x-v", value: v.as_bytes() }).collect();
        router.find("h", "/a", "GET", &headers).map(|(id, _)| id)
    };
    assert_eq!((find(&["2"]), find(&["3"]), find(&[])), (Some(1), Some(0), Some(0)));
    assert_eq!(find(&["2", "2"]), Some(0), "a repeated header has no single value");
}

#[test]
fn equal_rank_with_overlap_is_refused() {
    let mut router = Router::default();
    let pattern = Pattern::parse("/a/{x}").unwrap();
    let same = Pattern::parse("/a/{y}").unwrap();
    let exact = |v: &str| HeaderPredicateConfig::Exact(v.to_owned());
    router.insert("*", &pattern, candidate(0, &["GET"], &[])).unwrap();
    assert_eq!(router.insert("*", &same, candidate(1, &["GET"], &[])), Err(0));
    router.insert("*", &same, candidate(2, &["POST"], &[])).unwrap();
    router.insert("*", &same, candidate(3, &["GET"], &[("x", exact("1"))])).unwrap();
    router.insert("*", &same, candidate(4, &["GET"], &[("x", exact("2"))])).unwrap();
    assert_eq!(router.insert("*", &same, candidate(5, &["GET"], &[("y", exact("1"))])), Err(3));
}

#[test]
fn patterns_that_can_never_match_are_refused() {
    for bad in ["a", "/a/**/b", "/{}", "/{a b}", "/a{b}", "/{x}/{x}", "/a//b", "/a/../b", "/a;b", "/%61", "/a b", "/a*"]
    {
        assert!(Pattern::parse(bad).is_err(), "{bad}");
    }
    for good in ["/", "/a/", "/**", "/a/{id}/b", "/a/**", "/caf%C3%A9", "/v1:go"] {
        assert!(Pattern::parse(good).is_ok(), "{good}: {:?}", Pattern::parse(good));
    }
}

#[test]
fn captures_come_in_order() {
    let mut router = Router::default();
    router.insert("*", &Pattern::parse("/{a}/x/{b}").unwrap(), candidate(0, &[], &[])).unwrap();
    let (_, captures) = router.find("h", "/1/x/2", "GET", &[]).unwrap();
    assert_eq!(captures.as_slice(), ["1", "2"]);
}

/// The order of the issue, written down once more as a comparison of whole patterns: the oracle.
fn naive<'a>(patterns: &'a [Pattern], path: &str) -> Option<&'a Pattern> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let mut best: Option<(Vec<u8>, &Pattern)> = None;
    for pattern in patterns {
        let mut key = Vec::new();
        let mut fits =
            segments.len() == pattern.segments.len() || (pattern.rest && segments.len() > pattern.segments.len());
        for (i, wanted) in pattern.segments.iter().enumerate() {
            match wanted {
                Segment::Literal(text) => {
                    key.push(0);
                    fits &= segments.get(i) == Some(&text.as_str());
                }
                Segment::Capture(_) => {
                    key.push(1);
                    fits &= segments.get(i).is_some_and(|s| !s.is_empty());
                }
            }
        }
        if pattern.rest {
            key.push(2);
        }
        if fits && best.as_ref().is_none_or(|(k, _)| key < *k) {
            best = Some((key, pattern));
        }
    }
    best.map(|b| b.1)
}

proptest::proptest! {
    #[test]
    fn the_index_agrees_with_the_order_written_down(
        texts in proptest::collection::vec("(/(a|b|\\{x\\})){1,3}(/\\*\\*)?", 1..12),
        path in "(/(a|b|c)){1,4}/?",
    ) {
        let mut router = Router::default();
        let mut patterns: Vec<Pattern> = Vec::new();
        for text in &texts {
            // Names of captures have to differ within a pattern.
            let mut n = 0;
            let text: String = text.split("{x}").fold(String::new(), |all, part| {
                n += 1;
                if n == 1 { part.to_owned() } else { format!("{all}{{x{n}}}{part}") }
            });
            let pattern = Pattern::parse(&text).unwrap();
            if router.insert("*", &pattern, candidate(patterns.len(), &[], &[])).is_ok() {
                patterns.push(pattern);
            }
        }
        let found = router.find("h", &path, "GET", &[]).map(|(id, _)| &patterns[id]);
        proptest::prop_assert_eq!(found, naive(&patterns, &path));
    }
}
