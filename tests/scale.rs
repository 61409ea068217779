//! A thousand images on real registries: every verdict right, on one thread and on twenty.

use crate::support::{Content, Dir, Registry};

#[test]
fn a_thousand_images_give_the_same_verdicts_on_one_thread_and_on_twenty() {
    let (mut source, mut destination) = (Content::default(), Content::default());
    let mut list = String::new();
    let mut expected = String::new();
    for number in 0..1000 {
        // Many tags in few repositories: a registry takes blobs and manifests one by one.
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
        content.manifests.retain(|(repository, reference, _)| {
            seen.insert((repository.clone(), reference.clone()))
        });
    }
    let (source, destination) = (Registry::of(&source), Registry::of(&destination));
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
