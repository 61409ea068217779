//! A thousand images: every verdict right, on one thread and on twenty.

use crate::support::{Content, Dir, Server};

#[test]
fn a_thousand_images_give_the_same_verdicts_on_one_thread_and_on_twenty() {
    let (mut source, mut destination) = (Content::default(), Content::default());
    let mut list = String::new();
    let mut expected = String::new();
    for number in 0..1000 {
        let (repository, tag) = (format!("team/x{}", number % 10), format!("v{number}"));
        let line = format!("{repository} {repository} {tag}\n");
        list += &line;
        let salt = format!("{}", number % 40);
        source.multi(&repository, &tag, &["linux/amd64", "linux/arm64"], &salt);
        match number % 25 {
            3 => expected += &line,
            7 => {
                destination.multi(&repository, &tag, &["linux/amd64"], &salt);
                expected += &line;
            }
            _ => {
                destination.multi(&repository, &tag, &["linux/amd64", "linux/arm64"], &salt);
            }
        }
    }
    for content in [&mut source, &mut destination] {
        let mut seen = std::collections::HashSet::new();
        // The same images stand under many tags.
        content.manifests.retain(|(repository, reference, _)| {
            seen.insert((repository.clone(), reference.clone()))
        });
    }
    let (source, destination) = (Server::of(source), Server::of(destination));
    let dir = Dir::new();
    dir.write("list.txt", &list);
    let mut logs = Vec::new();
    for jobs in [20, 1] {
        let flags = format!(
            "-f list.txt -j {jobs} -o failed{jobs}.txt -s {} -d {}",
            source.name(),
            destination.name()
        );
        let run = dir.validate().args(&flags).run();
        run.code(1)
            .has("1000 images: 920 passed, 80 failed, 0 not validated");
        assert_eq!(dir.read(&format!("failed{jobs}.txt")), expected);
        let mut log: Vec<String> = run
            .log()
            .into_iter()
            .filter(|line| line.contains("[M_ID:"))
            .collect();
        log.sort();
        logs.push(log);
    }
    assert_eq!(logs[0], logs[1]);
}

#[test]
fn an_image_that_the_list_names_twice_costs_once() {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64", "linux/arm64"], "a");
    let (source, destination) = (Server::of(content.clone()), Server::of(content));
    let dir = Dir::new();
    let flags = format!("-f - -j 8 -s {} -d {}", source.name(), destination.name());
    let list = "team/x team/x 1\nteam/x team/gone 1\n".repeat(50);
    dir.validate()
        .args(&flags)
        .stdin(list)
        .run()
        .code(1)
        .has("[M_ID:99] PASS")
        .has("100 images: 50 passed, 50 failed");
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        "team/x team/gone 1\n".repeat(50)
    );
    assert_eq!(destination.count("GET", "/team/x/manifests/1"), 1);
    assert_eq!(destination.count("GET", "/team/gone/manifests/1"), 1);
    assert_eq!(source.count("GET", "/manifests/"), 1);
    // What is typed again is validated again.
    let run = dir
        .validate()
        .args(&format!(
            "-s {0} -d {1}",
            destination.name(),
            destination.alias()
        ))
        .stdin("team/x team/x 1\n".repeat(3))
        .run();
    run.code(0).has("3 passed");
    assert_eq!(destination.count("GET", "/team/x/manifests/1"), 7);
}

#[test]
fn a_source_with_several_destinations_is_read_once() {
    let mut content = Content::default();
    for repository in ["team/x", "one/x", "two/x", "three/x", "four/x"] {
        content.multi(repository, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    let (source, destination) = (Server::of(content.clone()), Server::of(content));
    let dir = Dir::new();
    let list: String = ["one", "two", "three", "four"]
        .map(|name| format!("team/x {name}/x 1\n"))
        .concat();
    for (runs, jobs) in [(1, 1), (2, 4)] {
        dir.validate()
            .args(&format!(
                "-f - -j {jobs} -s {} -d {}",
                source.name(),
                destination.name()
            ))
            .stdin(&list)
            .run()
            .code(0)
            .has("4 images: 4 passed");
        assert_eq!(source.count("GET", "/manifests/"), runs);
    }
}
