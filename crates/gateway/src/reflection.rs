//! `grpc.reflection.v1`: which services there are, for people with a command-line client.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};
use tower::Service as _;

type Answer = Pin<Box<dyn Future<Output = Response<tonic::body::Body>> + Send>>;

/// The reflection service.
#[derive(Clone)]
pub(crate) struct Reflection(Arc<dyn Fn(Request<Incoming>) -> Answer + Send + Sync>);

impl Reflection {
    /// Describes health and Envoy's services.
    ///
    /// # Errors
    /// When the descriptors contradict each other, which a test rules out.
    pub(crate) fn new() -> Result<Self, tonic_reflection::server::Error> {
        let service = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_file_descriptor_set(FileDescriptorSet { file: vec![authorization(), rate_limit()] })
            .build_v1()?;
        Ok(Self(Arc::new(move |request| {
            let mut service = service.clone();
            Box::pin(async move {
                let Ok(response) = service.call(request).await;
                response
            })
        })))
    }

    /// Answers one call.
    pub(crate) fn call(&self, request: Request<Incoming>) -> Answer {
        (self.0)(request)
    }
}

/// The services and the outermost messages; the fields of nested messages are shown as bytes.
fn authorization() -> FileDescriptorProto {
    file(
        "envoy/service/auth/v3/external_auth.proto",
        "envoy.service.auth.v3",
        &[
            ("CheckRequest", &[("attributes", 1, false)]),
            (
                "CheckResponse",
                &[
                    ("status", 1, false),
                    ("denied_response", 2, false),
                    ("ok_response", 3, false),
                    ("dynamic_metadata", 4, false),
                    ("error_response", 5, false),
                ],
            ),
        ],
        ("Authorization", "Check", "CheckRequest", "CheckResponse"),
    )
}

fn rate_limit() -> FileDescriptorProto {
    file(
        "envoy/service/ratelimit/v3/rls.proto",
        "envoy.service.ratelimit.v3",
        &[
            ("RateLimitRequest", &[("domain", 1, false), ("descriptors", 2, true)]),
            ("RateLimitResponse", &[("statuses", 2, true)]),
        ],
        ("RateLimitService", "ShouldRateLimit", "RateLimitRequest", "RateLimitResponse"),
    )
}

type Fields = &'static [(&'static str, i32, bool)];

fn file(
    name: &str,
    package: &str,
    messages: &[(&str, Fields)],
    (service, method, input, output): (&str, &str, &str, &str),
) -> FileDescriptorProto {
    let method = MethodDescriptorProto {
        name: Some(method.to_owned()),
        input_type: Some(format!(".{package}.{input}")),
        output_type: Some(format!(".{package}.{output}")),
        ..MethodDescriptorProto::default()
    };
    FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some(package.to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: messages.iter().map(|(name, fields)| message(name, fields)).collect(),
        service: vec![ServiceDescriptorProto {
            name: Some(service.to_owned()),
            method: vec![method],
            ..ServiceDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    }
}

fn message(name: &str, fields: Fields) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.to_owned()),
        field: fields.iter().map(|(name, number, repeated)| field(name, *number, *repeated)).collect(),
        ..DescriptorProto::default()
    }
}

fn field(name: &str, number: i32, repeated: bool) -> FieldDescriptorProto {
    let label = if repeated { Label::Repeated } else { Label::Optional };
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(Type::Bytes.into()),
        ..FieldDescriptorProto::default()
    }
}
