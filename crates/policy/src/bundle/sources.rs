//! From OPA's configuration to downloaders.

use std::path::{Path, PathBuf};

use url::Url;

use super::contents::ReadOptions;
use super::download::{Downloader, Origin};
use super::signature::Verification;
use super::store::Store;
use crate::opa::ServiceClient;
use crate::opa::config::{OpaConfig, Polling, Service, Signing};

/// Where bundles are kept when `persistence_directory` is absent.
const FOLDER: &str = ".opa";
/// The name that a discovery bundle goes by.
pub const DISCOVERY: &str = "discovery";

/// One downloader for each of `bundles`, by name. `is_v0` says that policies are of Rego v0 unless a manifest says otherwise.
///
/// # Errors
/// What cannot be set up, one line each.
pub fn downloaders(config: &OpaConfig, is_v0: bool) -> Result<Vec<(String, Downloader)>, Vec<String>> {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (name, bundle) in &config.bundles {
        let resource = bundle.resource.clone().unwrap_or_else(|| format!("bundles/{name}"));
        let wanted = Wanted {
            name,
            service: bundle.service.as_deref(),
            resource: &resource,
            polling: bundle.polling,
            signing: bundle.signing.as_ref(),
            size_limit: bundle.size_limit_bytes,
            persist: bundle.persist,
            is_v0,
        };
        match wanted.downloader(config) {
            Ok(downloader) => all.push((name.clone(), downloader)),
            Err(problem) => problems.push(format!("bundles.{name}: {problem}")),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// The downloader of the discovery bundle, if there is one.
///
/// # Errors
/// What cannot be set up.
pub fn discovery(config: &OpaConfig) -> Result<Option<Downloader>, String> {
    let Some(discovery) = &config.discovery else { return Ok(None) };
    let resource = discovery.resource.clone().unwrap_or_else(|| format!("bundles/{DISCOVERY}"));
    let wanted = Wanted {
        name: DISCOVERY,
        service: discovery.service.as_deref(),
        resource: &resource,
        polling: discovery.polling,
        signing: discovery.signing.as_ref(),
        size_limit: None,
        persist: discovery.persist,
        is_v0: false,
    };
    wanted.downloader(config).map(Some).map_err(|problem| format!("discovery: {problem}"))
}

struct Wanted<'a> {
    name: &'a str,
    service: Option<&'a str>,
    resource: &'a str,
    polling: Polling,
    signing: Option<&'a Signing>,
    size_limit: Option<u64>,
    persist: bool,
    is_v0: bool,
}

impl Wanted<'_> {
    fn downloader(&self, config: &OpaConfig) -> Result<Downloader, String> {
        let verification = match self.signing {
            Some(signing) => Some(Verification::new(signing, &config.keys).map_err(|error| error.to_string())?),
            None => None,
        };
        let options = ReadOptions { verification, size_limit: self.size_limit, is_v0: self.is_v0 };
        let store = if self.persist {
            let folder = Path::new(config.persistence_directory.as_deref().unwrap_or(FOLDER));
            Some(Store::new(folder, self.name)?)
        } else {
            None
        };
        Ok(Downloader::new(self.name, self.origin(config)?, self.polling, options, store))
    }

    fn origin(&self, config: &OpaConfig) -> Result<Origin, String> {
        if let Some(path) = self.resource.strip_prefix("file://") {
            return Ok(Origin::Path(PathBuf::from(path)));
        }
        let service = config.service(self.service).map(|(_, service)| service.clone());
        if !self.resource.contains("://") {
            let service = service.ok_or("no service")?;
            return Ok(Origin::Service(Box::new(ServiceClient::new(&service)?), self.resource.to_owned()));
        }
        // A whole address: credentials and TLS are the service's, if one is named.
        let url = Url::parse(self.resource).map_err(|error| format!("resource: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("resource: {}:// is not served; http, https and file are", url.scheme()));
        }
        let origin = url.origin().ascii_serialization();
        let path = url.as_str().strip_prefix(&origin).ok_or("resource: an address without user and password")?;
        let service = Service { url: origin.clone(), ..service.filter(|_| self.service.is_some()).unwrap_or_default() };
        Ok(Origin::Service(Box::new(ServiceClient::new(&service)?), path.to_owned()))
    }
}
