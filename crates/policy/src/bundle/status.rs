//! How a bundle is, in the words of OPA's status reports.

use jiff::Timestamp;
use serde::Serialize;

/// One of `bundles` in a status report.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BundleStatus {
    /// Its name.
    pub name: String,
    /// The revision that decides.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub active_revision: String,
    /// The last request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_request: Option<Timestamp>,
    /// The last request that was answered with news or that there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_successful_request: Option<Timestamp>,
    /// The last answer that was a bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_successful_download: Option<Timestamp>,
    /// When it began to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_successful_activation: Option<Timestamp>,
    /// `bundle_error` after a failure.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// What went wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The status of HTTP, when that went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_code: Option<u16>,
    /// Further lines of what went wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// `snapshot`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Bytes of the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
}

impl BundleStatus {
    /// Nothing is known but the name.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Was asked for, and there is no news.
    pub fn unchanged(&mut self) {
        let now = Some(Timestamp::now());
        (self.last_request, self.last_successful_request) = (now, now);
        self.clear();
    }

    /// Was asked for and came.
    pub fn downloaded(&mut self, size: usize) {
        let now = Some(Timestamp::now());
        (self.last_request, self.last_successful_request, self.last_successful_download) = (now, now, now);
        self.size = Some(size);
        "snapshot".clone_into(&mut self.kind);
    }

    /// Decides from now on.
    pub fn activated(&mut self, revision: &str) {
        self.last_successful_activation = Some(Timestamp::now());
        revision.clone_into(&mut self.active_revision);
        self.clear();
    }

    /// Could not be fetched, read or compiled.
    pub fn failed(&mut self, message: &str, http_code: Option<u16>, errors: Vec<String>) {
        self.last_request = Some(Timestamp::now());
        "bundle_error".clone_into(&mut self.code);
        message.clone_into(&mut self.message);
        (self.http_code, self.errors) = (http_code, errors);
    }

    fn clear(&mut self) {
        self.code.clear();
        self.message.clear();
        self.errors.clear();
        self.http_code = None;
    }
}
