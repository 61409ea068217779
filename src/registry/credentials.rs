//! Which user and password go to which registry.

use super::Side;
use super::secret::Secret;
use crate::reference::DOCKER_HUB;

/// What proves to a registry who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The user's name.
    pub user: String,
    /// The password, or an access token in its place.
    pub password: Secret,
    /// Where it was found, for messages.
    pub origin: String,
}

/// User and password of one side, from the environment.
#[derive(Debug)]
struct OfSide {
    side: Side,
    registry: String,
    credential: Credential,
}

/// All places in which credentials are looked for.
#[derive(Debug, Default)]
pub struct Credentials {
    of_sides: Vec<OfSide>,
}

impl Credentials {
    /// Takes `SOURCE_USERNAME`/`SOURCE_PASSWORD` and `DEST_USERNAME`/`DEST_PASSWORD`; they are for
    /// the registry that the side was given, or Docker Hub where none was, as in the original.
    pub fn new(
        environment: &dyn Fn(&str) -> Option<String>,
        registries: [(Side, Option<&str>); 2],
    ) -> Self {
        let of_side = |(side, registry): (Side, Option<&str>)| {
            let prefix = match side {
                Side::Source => "SOURCE",
                Side::Destination => "DEST",
            };
            let variable = |name: &str| {
                environment(&format!("{prefix}_{name}")).filter(|text| !text.is_empty())
            };
            Some(OfSide {
                side,
                registry: registry.unwrap_or(DOCKER_HUB).to_owned(),
                credential: Credential {
                    user: variable("USERNAME")?,
                    password: Secret::new(variable("PASSWORD")?),
                    origin: format!("${prefix}_USERNAME and ${prefix}_PASSWORD"),
                },
            })
        };
        Self {
            of_sides: registries.into_iter().filter_map(of_side).collect(),
        }
    }

    /// Whether a side has credentials of its own for this registry.
    pub fn are_of_side(&self, side: Side, registry: &str) -> bool {
        self.of_sides
            .iter()
            .any(|own| own.side == side && own.registry == registry)
    }

    /// The credential for a registry.
    pub fn find(&self, side: Side, registry: &str) -> Option<Credential> {
        let own = self
            .of_sides
            .iter()
            .find(|own| own.side == side && own.registry == registry)?;
        Some(own.credential.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_s_are_for_their_side_s_registry() {
        let environment = |name: &str| match name {
            "SOURCE_USERNAME" | "DEST_USERNAME" => Some("user".to_owned()),
            "SOURCE_PASSWORD" => Some("one".to_owned()),
            "DEST_PASSWORD" => Some("two".to_owned()),
            _ => None,
        };
        let credentials = Credentials::new(
            &environment,
            [(Side::Source, None), (Side::Destination, Some("reg.io"))],
        );
        let password = |side, registry| {
            credentials
                .find(side, registry)
                .map(|found| found.password.expose().to_owned())
        };
        assert_eq!(password(Side::Source, "docker.io").as_deref(), Some("one"));
        assert_eq!(
            password(Side::Destination, "reg.io").as_deref(),
            Some("two")
        );
        assert_eq!(password(Side::Source, "reg.io"), None);
        assert_eq!(password(Side::Destination, "reg.io:5000"), None);
    }
}
