//! Explains why no credentials were found for a repository: the searched locations, the hosts that they
//! have entries for, and the likely mistake in an entry.

use crate::escape::escape;
use crate::reference::Repository;

/// The maximum number of hosts listed per location.
const MOST_HOSTS: usize = 5;

/// A location that was searched for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialLocation {
    /// The file or variable, escaped.
    pub place: String,
    /// The registries and namespaces with an entry; `None`: the file does not exist.
    pub keys: Option<Vec<String>>,
    /// Whether it has `auths`, `credHelpers` or `credsStore`.
    pub has_sections: bool,
    /// The helper configured for the repository, which returned no password.
    pub helper: Option<String>,
}

/// The explanation for a repository. `incomplete`: names environment variables of a pair of which only
/// one is set.
pub fn explain(
    repository: &Repository,
    searched: &[CredentialLocation],
    incomplete: Option<String>,
) -> String {
    let mut parts: Vec<String> = incomplete.into_iter().collect();
    parts.extend(searched.iter().find_map(|place| mistake(repository, place)));
    let existing: Vec<String> = searched.iter().filter_map(describe).collect();
    let absent: Vec<&str> = searched
        .iter()
        .filter(|place| place.keys.is_none())
        .map(|place| place.place.as_str())
        .collect();
    if !existing.is_empty() {
        parts.push(existing.join(", "));
    }
    if !absent.is_empty() {
        parts.push(format!("not found: {}", absent.join(", ")));
    }
    if searched.is_empty() {
        parts.push("cannot search for credential files, because $HOME is not set".to_owned());
    }
    parts.join("; ")
}

fn describe(place: &CredentialLocation) -> Option<String> {
    let keys = place.keys.as_ref()?;
    let name = &place.place;
    let helper = place.helper.as_ref().map(|helper| {
        let helper = escape(helper);
        format!("docker-credential-{helper} from {name} returned no password")
    });
    if let (Some(helper), []) = (&helper, keys.as_slice()) {
        return Some(helper.clone());
    }
    let entries = match (place.has_sections, keys.as_slice()) {
        (false, _) => format!("{name} has no \"auths\""),
        (true, []) => format!("{name} has no entries"),
        (true, keys) => {
            let shown: Vec<_> = keys
                .iter()
                .take(MOST_HOSTS)
                .map(|key| escape(key))
                .collect();
            let more = match keys.len().saturating_sub(MOST_HOSTS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{name} has entries for {}{more}", shown.join(", "))
        }
    };
    Some(helper.map_or(entries.clone(), |helper| format!("{entries}, {helper}")))
}

/// The likely mistake in an entry that was meant for this registry.
fn mistake(repository: &Repository, place: &CredentialLocation) -> Option<String> {
    let wanted = repository.registry.as_str();
    let keys = place.keys.as_ref()?;
    let name = &place.place;
    let host = |key: &str| key.split('/').next().unwrap_or_default().to_owned();
    let without_port = |host: &str| {
        host.rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or_else(|| host.to_owned(), |(host, _)| host.to_owned())
    };
    let found = |is_it: &dyn Fn(&str) -> bool| keys.iter().find(|key| is_it(&host(key)));
    let say = |key: &String, why: &str| {
        let key = escape(key);
        Some(format!("{name} has an entry for {key}: {why}"))
    };
    if let Some(key) = found(&|host| host == wanted) {
        // A complete entry for the host itself would have been used.
        return match key.contains('/') {
            true => say(key, "it is for another namespace of the registry"),
            false => say(key, "it contains neither a password nor a token"),
        };
    }
    if let Some(key) = found(&|host| host.eq_ignore_ascii_case(wanted)) {
        return match wanted.bytes().any(|b| b.is_ascii_uppercase()) {
            true => say(
                key,
                &format!("the image list has {wanted}; write both in lower case"),
            ),
            false => say(key, &format!("change it to {wanted} (lower case)")),
        };
    }
    if let Some(key) = found(&|host| without_port(host).eq_ignore_ascii_case(&without_port(wanted)))
    {
        return say(key, &format!("the port differs; change it to {wanted}"));
    }
    let distance = |key: &String| strsim::damerau_levenshtein(&host(key).to_lowercase(), wanted);
    let near = keys.iter().min_by_key(|key| distance(key))?;
    if distance(near) <= (wanted.len() / 5).clamp(1, 3) {
        return say(near, &format!("did you mean {wanted}?"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(registry: &str, places: &[(&str, Option<&[&str]>)]) -> String {
        let repository = Repository {
            registry: registry.to_owned(),
            path: "team/x".to_owned(),
        };
        let searched: Vec<CredentialLocation> = places
            .iter()
            .map(|(place, keys)| CredentialLocation {
                place: (*place).to_owned(),
                keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
                has_sections: *place != "/bare",
                helper: (*place == "/store").then(|| "vault".to_owned()),
            })
            .collect();
        explain(&repository, &searched, None)
    }

    #[test]
    fn all_locations_are_named_with_their_hosts() {
        assert_eq!(
            explained(
                "reg.io",
                &[
                    ("/a", None),
                    ("/b", Some(&["docker.io", "quay.example.com/team"])),
                    ("/c", Some(&[])),
                    ("/bare", Some(&[])),
                ]
            ),
            "/b has entries for docker.io, quay.example.com/team, /c has no entries, /bare has no \"auths\"; not found: /a"
        );
        assert_eq!(
            explained("reg.io", &[]),
            "cannot search for credential files, because $HOME is not set"
        );
        assert_eq!(
            explained("reg.io", &[("/store", Some(&[]))]),
            "docker-credential-vault from /store returned no password"
        );
        assert_eq!(
            explained("reg.io", &[("/store", Some(&["quay.io"]))]),
            "/store has entries for quay.io, docker-credential-vault from /store returned no password"
        );
        let many = ["a1.io", "b2.io", "c3.io", "d4.io", "e5.io", "f6.io"];
        let text = explained("registry.example.com", &[("/b", Some(&many))]);
        assert_eq!(
            text,
            "/b has entries for a1.io, b2.io, c3.io, d4.io, e5.io and 1 more"
        );
    }

    #[test]
    fn the_likely_mistake_comes_first() {
        for (registry, key, expected) in [
            (
                "reg.io:5000",
                "reg.io",
                "/b has an entry for reg.io: the port differs; change it to reg.io:5000; ",
            ),
            (
                "reg.io",
                "reg.io:5000",
                "/b has an entry for reg.io:5000: the port differs; change it to reg.io; ",
            ),
            (
                "reg.io",
                "Reg.IO",
                "/b has an entry for Reg.IO: change it to reg.io (lower case); ",
            ),
            (
                "Reg.IO",
                "reg.io",
                "/b has an entry for reg.io: the image list has Reg.IO; write both in lower case; ",
            ),
            (
                "reg.io",
                "reg.io/other",
                "/b has an entry for reg.io/other: it is for another namespace of the registry; ",
            ),
            (
                "reg.io",
                "reg.io",
                "/b has an entry for reg.io: it contains neither a password nor a token; ",
            ),
            (
                "harbor.example.com",
                "habror.example.com",
                "/b has an entry for habror.example.com: did you mean harbor.example.com?; ",
            ),
            ("reg.io", "quay.io", ""),
        ] {
            let text = explained(registry, &[("/b", Some(&[key]))]);
            assert_eq!(text, format!("{expected}/b has entries for {key}"));
        }
    }
}
