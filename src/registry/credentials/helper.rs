//! Credential helpers: programs named `docker-credential-…` that return passwords.
//!
//! Protocol: docker-credential-helpers, README.md: the argument `get`, the server name on standard
//! input, JSON on standard output; errors are written to standard output too.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use serde_json::Value;

use super::Credential;
use crate::escape::escape_bytes;
use crate::reference::DOCKER_HUB;
use crate::registry::quirks;
use crate::registry::secret::Secret;

/// Docker Hub's name in credential helpers.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// The maximum size of the output in bytes.
const LIMIT: u64 = 1024 * 1024;

/// The user name that marks the secret as an identity token.
const TOKEN_USER: &str = "<token>";

/// Runs a helper for a registry; `None` if it has no password for it.
///
/// # Errors
/// The reason of the failure.
pub fn get(helper: &str, registry: &str, patience: Duration) -> Result<Option<Credential>, String> {
    // The name comes from a file: it must not contain a path.
    if helper.contains(['/', '\\', '\0']) {
        return Err("a helper name must not contain a path".to_owned());
    }
    let program = format!("docker-credential-{helper}");
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let key = if registry == DOCKER_HUB {
            DOCKER_HUB_KEY
        } else {
            registry
        };
        // A helper that does not read its input reports that by its exit status.
        let _ = stdin.write_all(key.as_bytes());
    }
    let (sender, receiver) = bounded(1);
    let mut stdout = child.stdout.take();
    std::thread::spawn(move || {
        let mut output = Vec::new();
        if let Some(stdout) = &mut stdout {
            let _ = stdout.take(LIMIT).read_to_end(&mut output);
        }
        let _ = sender.send(output);
    });
    let late = || format!("{program} did not finish within {} s", patience.as_secs());
    let deadline = Instant::now() + patience;
    let output = receiver.recv_deadline(deadline);
    // A helper may close its output and keep running; the deadline covers that, too.
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if output.is_err() || Instant::now() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(late());
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let output = output.map_err(|_| late())?;
    if status.success() {
        return parse(&output, &program).map(Some);
    }
    match output.trim_ascii() {
        quirks::NOT_IN_KEYCHAIN => Ok(None),
        words => Err(format!("{program}: {}", escape_bytes(words, 200))),
    }
}

fn parse(output: &[u8], program: &str) -> Result<Credential, String> {
    let malformed =
        || format!("{program}: the output is not a JSON object with Username and Secret");
    let value: Value = serde_json::from_slice(output).map_err(|_| malformed())?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let (user, secret) = (
        text("Username").ok_or_else(malformed)?,
        text("Secret").ok_or_else(malformed)?,
    );
    if user
        .bytes()
        .chain(secret.bytes())
        .any(|b| b.is_ascii_control())
    {
        return Err(malformed());
    }
    let secret = Some(Secret::new(secret));
    let origin = format!("the helper {program}");
    Ok(if user == TOKEN_USER {
        Credential {
            identity_token: secret,
            origin,
            ..Credential::default()
        }
    } else {
        Credential {
            user,
            password: secret,
            origin,
            ..Credential::default()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_helpers_are_parsed() {
        let found =
            parse(br#"{"ServerURL":"x","Username":"u","Secret":"s"}"#, "p").expect("an output");
        assert_eq!(found.user, "u");
        let found = parse(br#"{"Username":"<token>","Secret":"s"}"#, "p").expect("an output");
        assert!(found.identity_token.is_some() && found.password.is_none());
        for output in [&b""[..], b"{}", br#"{"Username":"u","Secret":"a\nb"}"#] {
            assert!(parse(output, "p").is_err());
        }
    }

    #[test]
    fn a_name_that_is_a_path_is_not_run() {
        assert!(get("../../bin/sh", "reg.io", Duration::from_secs(1)).is_err());
    }
}
