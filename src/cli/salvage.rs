//! Parses the valid flags of an invalid command line, for [`super::failed_start`].

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use super::commands::Flags;
use super::flags::{self, Group};
use super::parse::set;

/// Flags that are known and have a valid value; all others have their defaults.
pub fn flags(mut args: impl Iterator<Item = OsString>, groups: &[Group]) -> Flags {
    let mut found = Flags::default();
    for flag in flags::all(groups).filter(|flag| !flag.default.is_empty()) {
        // Defaults are valid.
        let _ = set(flag, &mut found, flag.default.as_ref());
    }
    while let Some(arg) = args.next() {
        let bytes = arg.as_bytes();
        if bytes == b"--" {
            break;
        }
        let Some(name) = bytes.strip_prefix(b"-") else {
            continue;
        };
        let (name, value) = match name.iter().position(|byte| *byte == b'=') {
            Some(at) => (
                &name[..at],
                Some(OsStr::from_bytes(&name[at + 1..]).to_owned()),
            ),
            None => (name, None),
        };
        let Some(flag) = flags::find(groups, &String::from_utf8_lossy(name)) else {
            continue;
        };
        let value = match value {
            None if flag.is_switch() => Some("true".into()),
            None => args.next(),
            value => value,
        };
        if let Some(value) = value {
            // The error has been reported.
            let _ = set(flag, &mut found, &value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::default_command;
    use std::path::Path;

    fn salvaged(line: &str) -> Flags {
        flags(
            line.split(' ').map(OsString::from),
            default_command().groups,
        )
    }

    #[test]
    fn the_flags_around_a_mistake_are_found() {
        for line in [
            "--bogus --metrics m -f x -j many --shard 1/2",
            "-f=x --shard=1/2 --metrics=m unexpected --tls-verify=maybe",
            "--shard 9/2 --shard 1/2 -debug --metrics m -f x -o",
        ] {
            let flags = salvaged(line);
            let paths: Vec<&Path> = flags
                .output
                .requests()
                .iter()
                .map(|request| request.path.as_path())
                .collect();
            let default = Path::new("mirror-validate-failed.txt");
            assert_eq!(paths, [default, Path::new("m")], "{line}");
            assert_eq!(flags.compare.files, [Path::new("x")], "{line}");
            let shard = flags.compare.shard.map(|shard| shard.to_string());
            assert_eq!(shard.as_deref(), Some("1/2"), "{line}");
        }
        // The value of a flag is no flag.
        assert_eq!(salvaged("-o --metrics m").output.requests().len(), 1);
        assert_eq!(salvaged("-- --metrics m").output.requests().len(), 1);
    }
}
