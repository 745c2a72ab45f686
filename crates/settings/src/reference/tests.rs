use serde_json::json;

use super::*;

#[test]
fn a_schema_becomes_linked_tables() {
    let schema = json!({
        "description": "All of it.",
        "properties": {
            "rate_limit": { "$ref": "#/$defs/RateLimitConfig", "description": "How\nmuch." },
            "names": { "type": "array", "items": { "type": "string" }, "default": [] },
        },
        "required": ["names"],
        "$defs": {
            "RateLimitConfig": {
                "properties": { "mode": { "anyOf": [{ "$ref": "#/$defs/Mode" }, { "type": "null" }], "default": null } }
            },
            "Mode": { "oneOf": [
                { "const": "off", "description": "Nothing." },
                { "type": "object", "properties": { "to": { "type": "integer" } }, "required": ["to"] },
            ] },
            "Unused": {}
        }
    });
    let page = render(&schema);
    for part in [
        "## Top level\n\nAll of it.\n",
        "| `rate_limit` | [Rate limit](#rate-limit) | – | How much. |",
        "| `names` | list of text | required |  |",
        "## Rate limit\n",
        "| `mode` | [Mode](#mode) | – |  |",
        "- `off`: Nothing.\n- { to: whole number }\n",
    ] {
        assert!(page.contains(part), "{part}\n---\n{page}");
    }
    assert!(!page.contains("Unused"));
}

#[test]
fn defaults_are_written_as_yaml() {
    let value = json!({ "server": { "drain": "10s", "listeners": [] }, "apis": [] });
    let schema = json!({ "properties": { "server": { "description": "Where." } } });
    let text = default_document(&sorted(value), &schema);
    assert!(text.ends_with("\napis: []\n\n# Where.\nserver:\n  drain: \"10s\"\n  listeners: []\n"), "{text}");
}
