//! The home directory of the user.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// `$HOME`; if unset (systemd units), the home directory from `/etc/passwd`, passwd(5). Name services
/// are not used: a static program cannot load their modules.
pub fn home(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    match environment("HOME").filter(|text| !text.is_empty()) {
        Some(home) => Some(home.into()),
        None => of_passwd(&fs::read_to_string("/etc/passwd").ok()?, user_id()?),
    }
}

/// The user of this process: `/proc/self` belongs to it.
pub fn user_id() -> Option<u32> {
    fs::metadata("/proc/self")
        .ok()
        .map(|metadata| metadata.uid())
}

fn of_passwd(passwd: &str, user: u32) -> Option<PathBuf> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':').skip(2);
        let is_user = fields.next()?.parse() == Ok(user);
        let home = fields.nth(2)?;
        (is_user && home.starts_with('/')).then(|| home.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_directory_is_found_by_user_id() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n+\nbad:x:7\nme:x:1000:1000:,,,:/home/me:/bin/sh\nodd:x:1001:1001::none:\n";
        assert_eq!(of_passwd(passwd, 0), Some("/root".into()));
        assert_eq!(of_passwd(passwd, 1000), Some("/home/me".into()));
        for user in [1, 7, 1001] {
            assert_eq!(of_passwd(passwd, user), None, "{user}");
        }
        assert_eq!(home(&|_| Some("/h".to_owned())), Some("/h".into()));
    }
}
