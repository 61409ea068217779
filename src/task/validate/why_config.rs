//! Compares image configs: whether both mean the same at run time.
//!
//! When containers/image converts Docker's schema 2 to OCI, it reads the config into OCI's struct and
//! serialises it again: fields that OCI lacks and empty fields are dropped, and dates are spelled
//! differently. Docker's own fields that change how an image runs (`Healthcheck`) must not be dropped.
//! Specifications: OCI image-spec, config.md; Docker's image spec v1.2.

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};

use crate::escape::escape;
use crate::manifest::{ManifestError, Object, Value};

/// Limit of the `diff_ids` of a config.
pub const MAX_DIFF_IDS: usize = 10_000;

/// Limit of the characters of a field name in messages.
const SHOWN: usize = 60;

/// The fields of a config that must not be dropped, then those that may be.
const ROOT: Names = Names {
    kept: &[
        "created",
        "author",
        "architecture",
        "os",
        "os.version",
        "os.features",
        "variant",
        "config",
        "rootfs",
        "history",
    ],
    droppable: &[
        "id",
        "parent",
        "comment",
        "container",
        "container_config",
        "docker_version",
    ],
};

const CONFIG: Names = Names {
    kept: &[
        "User",
        "ExposedPorts",
        "Env",
        "Entrypoint",
        "Cmd",
        "Volumes",
        "WorkingDir",
        "Labels",
        "StopSignal",
        "StopTimeout",
        "ArgsEscaped",
        "Healthcheck",
        "OnBuild",
        "Shell",
        "NetworkDisabled",
        "MacAddress",
        "Memory",
        "MemorySwap",
        "CpuShares",
    ],
    droppable: &[
        "Hostname",
        "Domainname",
        "AttachStdin",
        "AttachStdout",
        "AttachStderr",
        "Tty",
        "OpenStdin",
        "StdinOnce",
        "Image",
    ],
};

const ROOTFS: Names = Names {
    kept: &["type", "diff_ids"],
    droppable: &[],
};

const HISTORY: Names = Names {
    kept: &["created", "created_by", "author", "comment", "empty_layer"],
    droppable: &[],
};

/// The known fields of an object.
struct Names {
    kept: &'static [&'static str],
    droppable: &'static [&'static str],
}

impl Names {
    fn of<'v>(&self, value: &'v Value) -> Result<&'v Object, ManifestError> {
        value.fields(&[self.kept, self.droppable].concat())
    }
}

/// The compared parts of a config.
#[derive(Debug)]
pub struct Config {
    root: Value,
    /// The digests of its uncompressed layers.
    pub diff_ids: Vec<String>,
    /// Creation date.
    pub created: Option<DateTime<FixedOffset>>,
}

impl Config {
    /// Reads a config blob.
    ///
    /// # Errors
    /// [`ManifestError`] if parsers could read it in different ways, or a field has a wrong type.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        let root = Value::read(bytes)?;
        let fields = ROOT.of(&root)?;
        CONFIG.of(field(fields, "config"))?;
        if let Some(of_container) = fields.get("container_config") {
            CONFIG.of(of_container)?;
        }
        for step in field(fields, "history").elements()? {
            HISTORY.of(step)?;
        }
        let rootfs = ROOTFS.of(field(fields, "rootfs"))?;
        let list = field(rootfs, "diff_ids").elements()?;
        if list.len() > MAX_DIFF_IDS {
            let many = format!("image config: more than {MAX_DIFF_IDS} diff_ids");
            return Err(ManifestError::TooLarge(many));
        }
        let diff_ids = list.iter().map(|id| id.text().map(str::to_owned));
        Ok(Self {
            diff_ids: diff_ids.collect::<Result<_, _>>()?,
            created: instant(field(fields, "created")),
            root,
        })
    }

    /// The first field with a different meaning in the destination's config.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn difference(&self, destination: &Self) -> Result<Option<String>, ManifestError> {
        let (left, right) = (ROOT.of(&self.root)?, ROOT.of(&destination.root)?);
        let same = |name: &str, left: &Value, right: &Value| match name {
            "config" => Ok(differing(
                &CONFIG,
                CONFIG.of(left)?,
                CONFIG.of(right)?,
                is_same,
            )),
            "rootfs" => Ok(differing(
                &ROOTFS,
                ROOTFS.of(left)?,
                ROOTFS.of(right)?,
                is_same,
            )),
            "history" => steps(left.elements()?, right.elements()?),
            _ if is_same(name, left, right) => Ok(None),
            _ => Ok(Some(String::new())),
        };
        let mut failure = None;
        let found = differing(&ROOT, left, right, |name, left, right| {
            match same(name, left, right) {
                Ok(difference) => difference.is_none(),
                Err(error) => {
                    failure = failure.take().or(Some(error));
                    false
                }
            }
        });
        match (failure, found) {
            (Some(error), _) => Err(error),
            (None, Some(name)) => {
                let inner = same(&name, field(left, &name), field(right, &name))?;
                Ok(Some(match inner {
                    Some(inner) if !inner.is_empty() => format!("{name}.{inner}"),
                    _ => name,
                }))
            }
            (None, None) => Ok(None),
        }
    }
}

/// A date, for messages.
pub fn shown(date: DateTime<FixedOffset>) -> String {
    date.with_timezone(&Utc)
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn field<'v>(object: &'v Object, name: &str) -> &'v Value {
    object.get(name).unwrap_or(&Value::Null)
}

fn instant(value: &Value) -> Option<DateTime<FixedOffset>> {
    match value {
        Value::Text(text) => DateTime::parse_from_rfc3339(text).ok(),
        _ => None,
    }
}

/// Whether two values of a field are equal for Go's readers.
fn is_same(name: &str, left: &Value, right: &Value) -> bool {
    match (name, left, right) {
        // The zero time is a value, not the default.
        ("StopTimeout", ..) => left == right,
        _ if left.is_empty() && right.is_empty() => true,
        ("created", ..) => match (instant(left), instant(right)) {
            (Some(left), Some(right)) => left == right,
            _ => left == right,
        },
        // The values of these maps have no meaning.
        ("ExposedPorts" | "Volumes", Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| {
                    right
                        .get(key)
                        .is_some_and(|right| left == right || left.is_empty() && right.is_empty())
                })
        }
        _ => left == right,
    }
}

/// The first field that differs, or that only one side has although both must.
fn differing(
    names: &Names,
    left: &Object,
    right: &Object,
    mut same: impl FnMut(&str, &Value, &Value) -> bool,
) -> Option<String> {
    let mut all: Vec<&str> = left
        .keys()
        .chain(right.keys())
        .map(String::as_str)
        .collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .find(|name| {
            let (left, right) = (field(left, name), field(right, name));
            let may_be_dropped = !names.kept.contains(name);
            !(may_be_dropped && right.is_empty() || same(name, left, right))
        })
        .map(|name| escape(&name.chars().take(SHOWN).collect::<String>()).into_owned())
}

fn steps(left: &[Value], right: &[Value]) -> Result<Option<String>, ManifestError> {
    if left.len() != right.len() {
        return Ok(Some(format!("{} steps, not {}", right.len(), left.len())));
    }
    for (index, (left, right)) in left.iter().zip(right).enumerate() {
        let (left, right) = (HISTORY.of(left)?, HISTORY.of(right)?);
        if let Some(name) = differing(&HISTORY, left, right, is_same) {
            return Ok(Some(format!("{index}.{name}")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn original() -> Json {
        json!({
            "architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05.000Z",
            "docker_version": "20.10", "container": "abc", "container_config": {"Hostname": "abc"},
            "config": {"Hostname": "abc", "Env": ["PATH=/bin"], "Cmd": ["sh"], "Entrypoint": null,
                "Labels": {"a": ""}, "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}}, "OnBuild": null},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:aa", "sha256:bb"]},
            "history": [{"created": "2024-01-02T03:04:05Z", "created_by": "x"}, {"created_by": "y", "empty_layer": true}],
        })
    }

    fn difference(source: &Json, destination: &Json) -> Option<String> {
        let read = |json: &Json| Config::read(json.to_string().as_bytes()).expect("a config");
        read(source)
            .difference(&read(destination))
            .expect("two configs")
    }

    #[test]
    fn fields_that_a_conversion_drops_or_respells_are_no_difference() {
        let mut converted = original();
        converted["created"] = json!("2024-01-02T03:04:05Z");
        converted["history"][1]["comment"] = json!("");
        for name in ["docker_version", "container", "container_config"] {
            converted.as_object_mut().expect("an object").remove(name);
        }
        converted["config"] = json!({"Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": {"a": ""},
            "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}}});
        assert_eq!(difference(&original(), &converted), None);
        assert_eq!(
            difference(&converted, &original()),
            Some("config.Hostname".to_owned())
        );
    }

    #[test]
    fn runtime_settings_are_a_difference() {
        for (path, value) in [
            ("/config/Env", json!(["PATH=/bin", "LD_PRELOAD=/evil"])),
            ("/config/Env", json!(null)),
            ("/config/Cmd", json!(["sh", "-c"])),
            ("/config/Entrypoint", json!(["/evil"])),
            ("/config/User", json!("root")),
            ("/config/WorkingDir", json!("/evil")),
            ("/config/Labels", json!({})),
            ("/config/Labels", json!({"a": "x"})),
            ("/config/ExposedPorts", json!({})),
            ("/config/ExposedPorts", json!({"81/tcp": {}})),
            ("/config/Volumes", json!({"/data": {}, "/x": {}})),
            ("/config/StopSignal", json!("SIGKILL")),
            ("/config/StopTimeout", json!(0)),
            ("/config/Healthcheck", json!({"Test": ["NONE"]})),
            ("/config/OnBuild", json!(["RUN evil"])),
            ("/config/Shell", json!(["evil"])),
            ("/config/Unheard", json!("x")),
            ("/created", json!("2024-01-02T03:04:06Z")),
            ("/author", json!("x")),
            ("/architecture", json!("arm64")),
            ("/os", json!("windows")),
            ("/variant", json!("v2")),
            ("/os.version", json!("10")),
            ("/os.features", json!(["win32k"])),
            ("/unheard", json!(1)),
            ("/rootfs/diff_ids", json!(["sha256:bb", "sha256:aa"])),
            ("/history/0/created_by", json!("evil")),
            ("/history", json!([])),
        ] {
            let mut changed = original();
            let (parent, name) = path.rsplit_once('/').expect("a path");
            changed.pointer_mut(parent).expect("its parent")[name] = value.clone();
            assert!(
                difference(&original(), &changed).is_some(),
                "{path} {value}"
            );
        }
    }

    #[test]
    fn runtime_settings_must_not_be_dropped() {
        for (name, value) in [
            ("Healthcheck", json!({"Test": ["CMD", "x"]})),
            ("OnBuild", json!(["RUN x"])),
            ("Shell", json!(["bash"])),
            ("StopTimeout", json!(0)),
        ] {
            let mut source = original();
            source["config"][name] = value;
            assert_eq!(
                difference(&source, &original()),
                Some(format!("config.{name}"))
            );
        }
    }

    #[test]
    fn documents_that_two_parsers_read_differently_are_refused() {
        for text in [
            r#"{"config": {"Env": [], "env": ["x"]}}"#,
            r#"{"config": {"env": ["x"]}}"#,
            r#"{"Config": {}}"#,
            r#"{"config": {}, "config": {}}"#,
            r#"{"o\u017f": "linux"}"#,
            r#"{"rootfs": {"diff_Ids": []}}"#,
            r#"{"history": [{"Created_by": "x"}]}"#,
            r#"{"config": []}"#,
            r#"{"rootfs": {"diff_ids": [1]}}"#,
            "[]",
        ] {
            assert!(Config::read(text.as_bytes()).is_err(), "{text}");
        }
        let ids = vec!["x"; MAX_DIFF_IDS + 1];
        let many = json!({"rootfs": {"diff_ids": ids}}).to_string();
        let error = Config::read(many.as_bytes()).expect_err("too many");
        assert!(matches!(error, ManifestError::TooLarge(_)), "{error}");
    }
}
