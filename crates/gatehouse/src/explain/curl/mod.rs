//! A request in the words of curl.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::OwnedRequest;

/// Reads curl's arguments, or one argument that is a whole pasted `curl …` line.
///
/// # Errors
/// A sentence about the argument that cannot be understood.
pub(crate) fn parse(arguments: &[String]) -> Result<OwnedRequest, String> {
    let mut words = match arguments {
        [line] if line.trim_start().starts_with("curl ") => split(line)?,
        words => words.to_vec(),
    };
    if words.first().is_some_and(|w| w == "curl") {
        words.remove(0);
    }
    let mut draft = Draft::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        draft.take(&word, &mut words)?;
    }
    draft.finish()
}

#[derive(Default)]
struct Draft {
    url: Option<String>,
    method: Option<String>,
    headers: Vec<(String, String)>,
    body: Vec<String>,
    head: bool,
    query_from_body: bool,
    http2: bool,
}

/// Options of curl that say how to transfer or print, not what is asked; with the number of their values.
const IGNORED: [(&str, usize); 34] = [
    ("-s", 0),
    ("--silent", 0),
    ("-S", 0),
    ("--show-error", 0),
    ("-v", 0),
    ("--verbose", 0),
    ("-i", 0),
    ("--include", 0),
    ("-k", 0),
    ("--insecure", 0),
    ("-L", 0),
    ("--location", 0),
    ("-f", 0),
    ("--fail", 0),
    ("-N", 0),
    ("--no-buffer", 0),
    ("--compressed", 0),
    ("--path-as-is", 0),
    ("-g", 0),
    ("--globoff", 0),
    ("--http1.1", 0),
    ("-o", 1),
    ("--output", 1),
    ("-w", 1),
    ("--write-out", 1),
    ("-m", 1),
    ("--max-time", 1),
    ("--connect-timeout", 1),
    ("--cacert", 1),
    ("--resolve", 1),
    ("--connect-to", 1),
    ("-x", 1),
    ("--proxy", 1),
    ("--unix-socket", 1),
];

/// Short options that take a value, which may follow without a space.
const SHORT_WITH_VALUE: &str = "XHdAebuomwx";

impl Draft {
    fn take(&mut self, word: &str, rest: &mut impl Iterator<Item = String>) -> Result<(), String> {
        if !word.starts_with('-') || word == "-" {
            return self.set_url(word);
        }
        let (option, joined) = take_apart(word);
        let mut value = || joined.clone().or_else(|| rest.next()).ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "-X" | "--request" => self.method = Some(value()?),
            "-H" | "--header" => self.header(&value()?)?,
            "-d" | "--data" | "--data-raw" | "--data-binary" | "--data-ascii" | "--data-urlencode" => {
                let data = value()?;
                self.data(data, option != "--data-raw")?;
            }
            "--json" => {
                self.headers.push(("content-type".into(), "application/json".into()));
                self.headers.push(("accept".into(), "application/json".into()));
                let data = value()?;
                self.data(data, true)?;
            }
            "-A" | "--user-agent" => self.headers.push(("user-agent".into(), value()?)),
            "-e" | "--referer" => self.headers.push(("referer".into(), value()?)),
            "-b" | "--cookie" => self.headers.push(("cookie".into(), value()?)),
            "-u" | "--user" => {
                self.headers.push(("authorization".into(), format!("Basic {}", STANDARD.encode(value()?))));
            }
            "--oauth2-bearer" => self.headers.push(("authorization".into(), format!("Bearer {}", value()?))),
            "--url" => {
                let url = value()?;
                self.set_url(&url)?;
            }
            "-I" | "--head" => self.head = true,
            "-G" | "--get" => self.query_from_body = true,
            "--http2" | "--http2-prior-knowledge" => self.http2 = true,
            other => ignore(other, rest)?,
        }
        Ok(())
    }

    fn set_url(&mut self, url: &str) -> Result<(), String> {
        if self.url.replace(url.to_owned()).is_some() {
            return Err("more than one URL: explain one request at a time".to_owned());
        }
        Ok(())
    }

    fn header(&mut self, text: &str) -> Result<(), String> {
        // `Name;` sends an empty header, `Name:` none; as curl does.
        if let Some(name) = text.strip_suffix(';').filter(|n| !n.contains(':')) {
            self.headers.push((name.trim().to_ascii_lowercase(), String::new()));
            return Ok(());
        }
        let (name, value) = text.split_once(':').ok_or("a header is written as 'name: value'")?;
        if !value.trim().is_empty() {
            self.headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(())
    }

    fn data(&mut self, data: String, may_be_file: bool) -> Result<(), String> {
        if may_be_file && data.starts_with('@') {
            return Err("a body from a file (@…) is not read here: use --request FILE with `body:`".to_owned());
        }
        self.body.push(data);
        Ok(())
    }

    fn finish(mut self) -> Result<OwnedRequest, String> {
        let url = self.url.take().ok_or("no URL: write it last, such as https://api.example.com/orders/7")?;
        let (scheme, host, mut path) = parts(&url)?;
        let mut body = self.body.join("&");
        if self.query_from_body && !body.is_empty() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&std::mem::take(&mut body));
        }
        let default = match (self.head, body.is_empty()) {
            (true, _) => "HEAD",
            (false, true) => "GET",
            (false, false) => "POST",
        };
        let mut host = host;
        self.headers.retain(|(name, value)| {
            let is_host = name == "host";
            if is_host {
                host.clone_from(value);
            }
            !is_host
        });
        self.add_defaults(&body);
        Ok(OwnedRequest {
            method: self.method.unwrap_or_else(|| default.to_owned()),
            scheme,
            host,
            path,
            protocol: if self.http2 { "HTTP/2" } else { "HTTP/1.1" }.to_owned(),
            headers: self.headers,
            body,
            ..OwnedRequest::default()
        })
    }

    /// The headers that curl sends without being told.
    fn add_defaults(&mut self, body: &str) {
        let mut defaults = vec![("user-agent", "curl".to_owned()), ("accept", "*/*".to_owned())];
        if !body.is_empty() {
            defaults.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
            defaults.push(("content-length", body.len().to_string()));
        }
        for (name, value) in defaults {
            if !self.headers.iter().any(|(n, _)| n == name) {
                self.headers.push((name.to_owned(), value));
            }
        }
    }
}

/// `-XPOST` and `--request=POST` into option and value.
fn take_apart(word: &str) -> (String, Option<String>) {
    if word.starts_with("--") {
        return match word.split_once('=') {
            Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
            None => (word.to_owned(), None),
        };
    }
    let mut letters = word.chars();
    let option: String = letters.by_ref().take(2).collect();
    let joined: String = letters.collect();
    let takes_value = option.chars().nth(1).is_some_and(|c| SHORT_WITH_VALUE.contains(c));
    if joined.is_empty() || !takes_value {
        return (word.to_owned(), None);
    }
    (option, Some(joined))
}

fn ignore(option: &str, rest: &mut impl Iterator<Item = String>) -> Result<(), String> {
    if let Some((_, values)) = IGNORED.iter().find(|(name, _)| *name == option) {
        rest.take(*values).for_each(drop);
        return Ok(());
    }
    // `-sSL`: several switches in one word.
    let letters = option.strip_prefix('-').filter(|o| !o.starts_with('-')).unwrap_or_default();
    let is_switch = |c: char| IGNORED.iter().any(|(name, values)| *values == 0 && *name == format!("-{c}"));
    if !letters.is_empty() && letters.chars().all(is_switch) {
        return Ok(());
    }
    Err(format!("option {option} of curl is not understood: leave it out if it does not change what is asked"))
}

/// Scheme, authority and path with query. The path stays as it is written, dot segments and all.
fn parts(url: &str) -> Result<(String, String, String), String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") {
        return Err("only http and https URLs can be explained".to_owned());
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if host.is_empty() || host.contains('@') {
        return Err("the URL needs a host, without user name: https://api.example.com/orders/7".to_owned());
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((scheme, host.to_owned(), path))
}

/// Splits a line as a POSIX shell does: quotes, backslashes, line continuations. Expands nothing.
fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut open) = (Vec::new(), None::<String>, None);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (open, letter) {
            (Some(quote), _) if letter == quote => open = None,
            (Some('\''), _) => word.get_or_insert_default().push(letter),
            (Some(_), '\\') => {
                let next = letters.next().ok_or("the line ends in a backslash")?;
                if !matches!(next, '"' | '\\' | '$' | '`') {
                    word.get_or_insert_default().push('\\');
                }
                word.get_or_insert_default().push(next);
            }
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                open = Some(letter);
                word.get_or_insert_default();
            }
            (None, '\\') => match letters.next() {
                Some('\n') | None => {}
                Some(next) => word.get_or_insert_default().push(next),
            },
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    if open.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests;
