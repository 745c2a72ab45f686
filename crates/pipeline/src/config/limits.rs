//! `limit:` takes one limit or a list of them.

use std::borrow::Cow;
use std::fmt;

use ratelimit::LimitConfig;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One limit, or a list of limits that are charged all or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LimitList(pub Vec<LimitConfig>);

impl<'de> Deserialize<'de> for LimitList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = LimitList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a limit or a list of limits")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LimitList, A::Error> {
        LimitConfig::deserialize(MapAccessDeserializer::new(map)).map(|one| LimitList(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<LimitList, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(LimitList)
    }
}

impl Serialize for LimitList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for LimitList {
    fn schema_name() -> Cow<'static, str> {
        "LimitList".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<LimitConfig>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}
