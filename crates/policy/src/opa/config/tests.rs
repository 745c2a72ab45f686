use serde_json::json;

use super::*;

fn load(document: Value) -> Result<OpaConfig, Vec<String>> {
    OpaConfig::from_document(&document)
}

fn set(text: &str) -> Value {
    let mut document = json!({});
    Overlay::Set(text.to_owned()).apply(&mut document).unwrap();
    document
}

#[test]
fn the_file_of_a_deployment_is_read_as_it_is() {
    let config = load(json!({
        "services": [{ "name": "acme", "url": "https://example.com/control/", "credentials": { "bearer": { "token": "s3cret" } } }],
        "labels": { "app": "x" },
        "bundles": { "authz": { "service": "acme", "resource": "b/authz.tar.gz", "persist": true,
            "polling": { "min_delay_seconds": 10, "max_delay_seconds": 20 }, "signing": { "keyid": "k", "scope": "read" } } },
        "keys": { "k": { "algorithm": "RS256", "key": "-----BEGIN PUBLIC KEY-----" } },
        "decision_logs": { "console": true },
        "default_decision": "/http/example/authz",
        "plugins": { "envoy_ext_authz_grpc": { "addr": ":9191", "path": "envoy/authz/allow", "dry-run": false,
            "enable-reflection": false } },
        "unknown_key": 1,
    }))
    .unwrap();
    assert_eq!(config.service(None).unwrap().0, "acme");
    let plugin = config.plugins.envoy_ext_authz_grpc.unwrap();
    assert_eq!(plugin.decision_path().unwrap(), ["envoy", "authz", "allow"]);
    assert!(!format!("{:?}", config.services).contains("s3cret"));
}

#[test]
fn what_is_not_served_is_a_problem() {
    for (document, part) in [
        (json!({ "bundles": { "a": {} } }), "bundles.a: say which of `services`"),
        (json!({ "bundles": { "a": { "service": "x" } } }), "service `x` is none of"),
        (json!({ "services": { "a": { "url": "https://x", "allow_insecure_tls": true } } }), "allow_insecure_tls"),
        (
            json!({ "services": { "a": { "url": "https://x", "credentials": { "s3_signing": {} } } } }),
            "credentials.s3_signing",
        ),
        (json!({ "services": { "a": { "url": "nonsense" } } }), "services.a: url"),
        (json!({ "plugins": { "other": {} } }), "plugins.other"),
        (
            json!({ "plugins": { "envoy_ext_authz_grpc": { "path": "a", "query": "data.a" } } }),
            "for only the \"path\" field",
        ),
        (json!({ "plugins": { "envoy_ext_authz_grpc": { "addr": "http://x" } } }), "invalid url scheme \"http\""),
        (json!({ "plugins": { "envoy_ext_authz_grpc": { "query": "data.a == 1" } } }), "more than a reference"),
        (json!({ "plugins": { "envoy_ext_authz_grpc": { "dry-run": 3 } } }), "plugins.envoy_ext_authz_grpc.dry-run"),
        (json!({ "decision_logs": { "service": "gone" } }), "decision_logs: service `gone`"),
    ] {
        let problems = load(document.clone()).expect_err(&document.to_string()).join("; ");
        assert!(problems.contains(part), "{document}: {problems}");
    }
}

#[test]
fn values_are_set_as_helm_does() {
    assert_eq!(
        set("plugins.envoy_ext_authz_grpc.addr=:9191,plugins.envoy_ext_authz_grpc.dry-run=true"),
        json!({ "plugins": { "envoy_ext_authz_grpc": { "addr": ":9191", "dry-run": true } } })
    );
    assert_eq!(set("a={x,1,{}}"), json!({ "a": ["x", 1, []] }));
    assert_eq!(set("a[1].b=null"), json!({ "a": [null, { "b": null }] }));
    assert_eq!(set(r"a\.b=x\,y"), json!({ "a.b": "x,y" }));
    assert_eq!(set("a=007,b=0,c=-3,d="), json!({ "a": "007", "b": 0, "c": -3, "d": "" }));
    let apply = |text: &str| Overlay::Set(text.to_owned()).apply(&mut json!({}));
    assert!(matches!(apply("a"), Err(OverlayError::NoValue(_))));
    assert!(matches!(apply("a..b=1"), Err(OverlayError::Key(_))));
    assert!(matches!(apply("a[x]=1"), Err(OverlayError::Key(_))));
    assert!(matches!(apply("a[99999999]=1"), Err(OverlayError::Index(_))));
}

#[test]
fn the_environment_is_put_in() {
    let lookup = |name: &str| (name == "TOKEN").then(|| "t".to_owned());
    assert_eq!(overlay::with_environment("a: ${TOKEN} ${NONE} $x ${open", lookup), "a: t  $x ${open");
}

#[test]
fn a_discovered_configuration_does_not_override() {
    let boot = json!({ "labels": { "a": "boot" }, "services": { "s": { "url": "https://s" } }, "discovery": { "service": "s" } });
    let found = json!({ "labels": { "a": "found", "b": "found" }, "services": { "s": { "url": "https://evil" } },
        "bundles": { "x": { "service": "s" } } });
    let config = OpaConfig::discovered(&boot, &found).unwrap();
    assert_eq!(config.labels, BTreeMap::from([("a".into(), "boot".into()), ("b".into(), "found".into())]));
    assert_eq!(config.services["s"].url, "https://s");
    assert_eq!(config.bundles.len(), 1);
}

#[test]
fn addresses_are_those_of_the_plugin() {
    let address = |addr: &str| PluginConfig { addr: addr.to_owned(), ..PluginConfig::default() }.address().unwrap();
    assert_eq!(address(":9191"), PluginAddress::Tcp(":9191".to_owned()));
    assert_eq!(address("grpc://127.0.0.1:1"), PluginAddress::Tcp("127.0.0.1:1".to_owned()));
    assert_eq!(address("unix:///run/a.sock"), PluginAddress::Unix("/run/a.sock".into()));
    assert_eq!(address("unix://@name"), PluginAddress::Abstract("name".to_owned()));
}
