//! Programs of others that Gatehouse is compared with, built from their published Go modules into the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::provision::cache;
use crate::steps::Steps;

/// opa-envoy-plugin: the given program, `$OPA_ENVOY`, the one in the cache, or one that is built now.
pub(crate) fn opa_envoy(steps: &Steps, given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let named = given.map(Path::to_owned).or_else(|| std::env::var_os("OPA_ENVOY").map(PathBuf::from));
    let program = match named {
        Some(path) if path.is_file() => path,
        Some(path) => bail!("{} is no file: name a program `opa` that has the Envoy plugin", path.display()),
        None => {
            let folder = cache()?.join(format!("opa-envoy-plugin-{PLUGIN}"));
            let program = folder.join("opa-envoy");
            if !program.is_file() {
                build(steps, &folder, &program)?;
            }
            program
        }
    };
    let version = steps.output(Command::new(&program).arg("version"))?;
    let version = String::from_utf8_lossy(&version);
    steps.say(&format!("the peer is {}: OPA {}", program.display(), version.lines().next().unwrap_or("of no version")));
    Ok(program)
}

/// Links the published packages with a main function of ours.
fn build(steps: &Steps, folder: &Path, program: &Path) -> anyhow::Result<()> {
    let source = folder.join("source");
    std::fs::create_dir_all(&source).with_context(|| format!("cannot make {}", source.display()))?;
    let module = format!(
        "module peer\n\ngo 1.25.0\n\nrequire (\n\tgithub.com/open-policy-agent/opa v{OPA}\n\tgithub.com/open-policy-agent/opa-envoy-plugin v{PLUGIN}\n)\n"
    );
    std::fs::write(source.join("go.mod"), module)?;
    std::fs::write(source.join("main.go"), MAIN)?;
    let mut tidy = Command::new("go");
    steps
        .run("fetching opa-envoy-plugin with Go", tidy.args(["mod", "tidy"]).current_dir(&source))
        .context("Go is needed for this job; with a plugin of your own, name it with --plugin")?;
    let staged = folder.join(".opa-envoy");
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"]).arg(&staged).arg(".").current_dir(&source);
    steps.run("building opa-envoy-plugin (some minutes, once)", &mut go)?;
    std::fs::rename(&staged, program).with_context(|| format!("cannot write {}", program.display()))
}

/// The newest versions that the module proxy serves.
const OPA: &str = "1.14.1";
const PLUGIN: &str = "1.14.1-envoy";

const MAIN: &str = r#"package main

import (
	"os"

	envoy "github.com/open-policy-agent/opa-envoy-plugin/plugin"
	"github.com/open-policy-agent/opa/cmd"
	"github.com/open-policy-agent/opa/runtime"
)

func main() {
	runtime.RegisterPlugin(envoy.PluginName, envoy.Factory{})
	if cmd.RootCommand.Execute() != nil {
		os.Exit(1)
	}
}
"#;
