//! Token requests: one token serves the repositories of several lines, if the token server grants it.

use std::sync::{Arc, OnceLock};

use crate::support::{Content, Dir, Reply, Request, Server, answer};

const COUNT: usize = 200;

/// Two architectures in each of these repositories; the destination lacks some.
fn content(missing: bool) -> Content {
    let mut content = Content::default();
    for number in (0..COUNT).filter(|number| !missing || number % 50 != 7) {
        let name = format!("team/x{number}");
        content.multi(
            &name,
            "1",
            &["linux/amd64", "linux/arm64"],
            &number.to_string(),
        );
    }
    content
}

/// The repositories of a token request.
fn scopes(request: &Request) -> Vec<String> {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "scope")
        .map(|(_, scope)| scope.trim_start_matches("repository:").replace(":pull", ""))
        .collect()
}

/// How a token server treats several scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Several {
    Granted,
    Refused,
    OnlyTheFirst,
}

/// A registry that is its own token server.
fn registry(content: Content, several: Several) -> Server {
    let name = Arc::new(OnceLock::<String>::new());
    let own = name.clone();
    let server = Server::start(move |request| {
        if request.path.starts_with("/token") {
            let mut scopes = scopes(request);
            match several {
                Several::Refused if scopes.len() > 1 => return Reply::new(400).body("one scope"),
                Several::OnlyTheFirst => scopes.truncate(1),
                _ => {}
            }
            return Reply::new(200).body(format!(r#"{{"token":"{}"}}"#, scopes.join("+")));
        }
        let repository = request.path.split("/manifests/").next().unwrap_or_default();
        let repository = repository.trim_start_matches("/v2/");
        let token = request.header("authorization").unwrap_or_default();
        let mut good = token.trim_start_matches("Bearer ").split('+');
        if good.any(|known| known == repository) {
            return answer(&content, request);
        }
        let realm = own.get().map_or("", String::as_str);
        Reply::error(401, "UNAUTHORIZED", "authentication required").header(
            "www-authenticate",
            format!(r#"Bearer realm="http://{realm}/token",service="reg""#),
        )
    });
    name.set(server.name()).expect("a name");
    server
}

#[test]
fn an_image_costs_hardly_more_than_its_manifests() {
    let list: String = (0..COUNT)
        .map(|number| format!("team/x{number} team/x{number} 1\n"))
        .collect();
    let mut results = Vec::new();
    for several in [Several::Granted, Several::Refused, Several::OnlyTheFirst] {
        let source = registry(content(false), several);
        let destination = registry(content(true), several);
        let dir = Dir::new();
        dir.write("list.txt", &list);
        let flags = format!(
            "-f list.txt -j 4 -s {} -d {}",
            source.name(),
            destination.name()
        );
        let run = dir.validate().args(&flags).run();
        run.code(1)
            .has("200 images: 196 passed, 4 failed, 0 not validated");
        results.push(dir.read("mirror-validate-failed.txt"));
        let sent = source.requests().len() + destination.requests().len();
        // Four manifests, and a token for many; singly, a token on each side.
        let most = if several == Several::Granted {
            430
        } else {
            630
        } * COUNT
            / 100;
        assert!(
            sent <= most,
            "{several:?}: {sent} requests, more than {most}"
        );
    }
    assert!(results.iter().all(|failed| *failed == results[0]));
}
