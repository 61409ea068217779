//! Directories that other users can write to, file size limits, and invisible characters: what a run as
//! root must not follow, replace, wait for or print.

use std::fs;
use std::ops::Add as _;
use std::os::unix::fs::{
    FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown, lchown, symlink,
};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::support::{Content, Dir, Gate, LIST, Reply, Run, Server, answer, entry, skip};

const LIST_FILE: &str = "list.txt";
const BAD: &str = "team/x team/y 1\n";

/// Nobody's number on every distribution.
const NOBODY: u32 = 65534;

/// The flags that name a file to write, with what else they need.
const OUTPUTS: [(&str, &str); 4] = [
    ("-o", ""),
    ("--report", "-o failed.txt"),
    ("--metrics", "-o failed.txt"),
    ("--record", "-o failed.txt"),
];

/// `team/x:1`.
fn registry() -> Server {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    Server::of(content)
}

/// A run of the list whose one image fails, or is recorded.
fn flags(registry: &Server, flag: &str, name: &str, more: &str) -> String {
    let destination = match flag {
        "--record" => String::new(),
        _ => format!("-d {}", registry.name()),
    };
    format!(
        "-f {LIST_FILE} -s {} {destination} {more} {flag} {name}",
        registry.name()
    )
}

/// The same, run.
fn run(dir: &Dir, registry: &Server, (flag, more): (&str, &str), name: &str) -> Run {
    dir.validate()
        .args(&flags(registry, flag, name, more))
        .run()
}

/// The exit code of a run that writes its outputs.
fn expected(flag: &str) -> i32 {
    i32::from(flag != "--record")
}

/// A directory with the list.
fn with_list() -> Dir {
    let dir = Dir::new();
    dir.write(LIST_FILE, BAD);
    dir
}

fn is_root() -> bool {
    let is_root = fs::metadata(Dir::new().path()).unwrap().uid() == 0;
    if !is_root {
        skip("files of another user need root");
    }
    is_root
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Puts something in the place of a partial file.
type Obstacle = fn(&Path);

fn tool(dir: &Path, program: &str, args: &[&str]) {
    let status = std::process::Command::new(program)
        .args(args)
        .current_dir(dir)
        .status();
    assert!(status.unwrap().success(), "{program} {args:?}");
}

/// With what each is called in the message; the last three need root.
const OBSTACLES: [(&str, Obstacle); 9] = [
    ("it is a symbolic link", |place| {
        symlink("victim", place).unwrap();
    }),
    ("it is a symbolic link", |place| {
        symlink("nowhere", place).unwrap();
    }),
    ("it is a named pipe", |place| {
        tool(
            place.parent().unwrap(),
            "mkfifo",
            &[place.to_str().unwrap()],
        );
    }),
    ("it is a directory", |place| {
        fs::create_dir(place).unwrap();
    }),
    ("it is a socket", |place| {
        // The name of a socket may not be as long as that of a test's directory.
        let short = std::env::temp_dir().join(format!("{}.socket", std::process::id()));
        drop(UnixListener::bind(&short).unwrap());
        fs::rename(short, place).unwrap();
    }),
    ("it has more than one hard link", |place| {
        fs::hard_link(place.with_file_name("victim"), place).unwrap();
    }),
    ("it is a device", |place| {
        tool(
            place.parent().unwrap(),
            "mknod",
            &[place.to_str().unwrap(), "c", "1", "3"],
        );
    }),
    ("another user (uid 65534) owns it", |place| {
        fs::write(place, "mine\n").unwrap();
        chown(place, Some(NOBODY), None).unwrap();
        set_mode(place.parent().unwrap(), 0o1777);
    }),
    ("another user (uid 65534) owns it", |place| {
        fs::write(place, "mine\n").unwrap();
        chown(place, Some(NOBODY), None).unwrap();
        set_mode(place.parent().unwrap(), 0o777);
    }),
];

#[test]
fn obstacles_to_a_partial_file_are_an_error_at_once() {
    let registry = registry();
    let count = if is_root() { 9 } else { 6 };
    for (what, make) in &OBSTACLES[..count] {
        for output in OUTPUTS {
            let dir = with_list();
            dir.write("victim", "precious\n");
            let place = dir.path().join("out.json.partial");
            make(&place);
            let before = (dir.names(), fs::symlink_metadata(&place).unwrap());
            let run = run(&dir, &registry, output, "out.json");
            run.code(2)
                .one_error("cannot write the ")
                .one_error("out.json.partial exists, but ")
                .one_error(what);
            assert_eq!(run.stdout, "");
            assert_eq!(dir.read("victim"), "precious\n");
            let after = (dir.names(), fs::symlink_metadata(&place).unwrap());
            assert_eq!(before.0, after.0);
            let same =
                |found: &fs::Metadata| (found.ino(), found.mode(), found.uid(), found.nlink());
            assert_eq!(same(&before.1), same(&after.1), "{what} {output:?}");
            if before.1.is_file() {
                assert_ne!(fs::read_to_string(&place).unwrap(), "");
            }
        }
    }
    assert!(registry.requests().is_empty());
}

#[test]
fn a_partial_file_of_a_killed_run_is_used_again_in_a_directory_of_all() {
    let registry = registry();
    for output in OUTPUTS {
        let dir = with_list();
        set_mode(dir.path(), 0o1777);
        dir.write("out.json.partial", "left by a killed run\n".repeat(100));
        run(&dir, &registry, output, "out.json").code(expected(output.0));
        assert!(dir.has("out.json") && !dir.has("out.json.partial"));
        assert!(!dir.read("out.json").contains("killed"));
    }
}

/// Makes a link to `sub/target` and returns its name; the directory of the test is not writable by others.
type MakeLink = fn(&Dir);

#[test]
fn a_link_that_others_could_have_made_is_not_followed() {
    let registry = registry();
    let links: [(&str, bool, MakeLink); 7] = [
        (
            "link in a directory that other users can write to",
            false,
            |dir| {
                symlink("sub/target", dir.path().join("link.json")).unwrap();
                set_mode(dir.path(), 0o1777);
            },
        ),
        (
            "link in a directory that other users can write to",
            false,
            |dir| {
                symlink("sub/target", dir.path().join("link.json")).unwrap();
                set_mode(dir.path(), 0o777);
            },
        ),
        // The first link is good, and leads to one that is not.
        (
            "link in a directory that other users can write to",
            false,
            |dir| {
                fs::create_dir(dir.path().join("all")).unwrap();
                symlink("../sub/target", dir.path().join("all/second")).unwrap();
                symlink("all/second", dir.path().join("link.json")).unwrap();
                set_mode(&dir.path().join("all"), 0o1777);
            },
        ),
        (
            "link in a directory that other users can write to",
            true,
            |dir| {
                symlink("sub/target", dir.path().join("link.json")).unwrap();
                chown(dir.path(), None, Some(NOBODY)).unwrap();
                set_mode(dir.path(), 0o775);
            },
        ),
        (
            "link in a directory that other users can write to",
            true,
            |dir| {
                symlink("sub/target", dir.path().join("link.json")).unwrap();
                chown(dir.path(), Some(NOBODY), None).unwrap();
            },
        ),
        (
            ": another user (uid 65534) owns a symbolic link on its path;",
            true,
            |dir| {
                symlink("sub/target", dir.path().join("link.json")).unwrap();
                lchown(dir.path().join("link.json"), Some(NOBODY), None).unwrap();
            },
        ),
        // The target is not there yet.
        (
            ": another user (uid 65534) owns a symbolic link on its path;",
            true,
            |dir| {
                symlink("sub/new", dir.path().join("link.json")).unwrap();
                lchown(dir.path().join("link.json"), Some(NOBODY), None).unwrap();
            },
        ),
    ];
    let has_root = is_root();
    for (what, needs_root, make) in links {
        for output in OUTPUTS {
            if needs_root && !has_root {
                continue;
            }
            let dir = with_list();
            dir.write("sub/target", "precious\n");
            make(&dir);
            let before = dir.names();
            let run = run(&dir, &registry, output, "link.json");
            run.code(2).one_error(" link.json: ").one_error(what);
            assert_eq!(run.stdout, "");
            assert_eq!(dir.read("sub/target"), "precious\n");
            assert_eq!(dir.names(), before);
            assert!(!dir.has("sub/new"));
        }
    }
    // To nothing at all neither: a stranger could keep a failed list from being written.
    let dir = with_list();
    symlink("/dev/null", dir.path().join("link.json")).unwrap();
    set_mode(dir.path(), 0o1777);
    run(&dir, &registry, OUTPUTS[0], "link.json")
        .code(2)
        .one_error("link.json");
    assert!(registry.requests().is_empty());
}

#[test]
fn a_link_of_the_same_user_is_followed_and_kept() {
    let registry = registry();
    for (output, target) in OUTPUTS
        .into_iter()
        .flat_map(|output| ["sub/target", "sub/new"].map(|target| (output, target)))
    {
        let dir = with_list();
        dir.write("sub/old", "");
        symlink(target, dir.path().join("second")).unwrap();
        symlink("second", dir.path().join("link.json")).unwrap();
        if target == "sub/target" && output.0 != "--record" {
            dir.write(target, "old\n");
        }
        run(&dir, &registry, output, "link.json").code(expected(output.0));
        assert!(!dir.read(target).is_empty() && dir.read(target) != "old\n");
        for name in ["link.json", "second"] {
            assert!(dir.path().join(name).is_symlink(), "{name} {output:?}");
        }
        let names = fs::read_dir(dir.path().join("sub")).unwrap().count();
        assert_eq!(names, 2, "{output:?}");
    }
}

#[test]
fn a_file_with_another_name_is_not_replaced() {
    let registry = registry();
    for output in OUTPUTS {
        let dir = with_list();
        dir.write("victim", "precious\n");
        fs::hard_link(dir.path().join("victim"), dir.path().join("out.json")).unwrap();
        run(&dir, &registry, output, "out.json")
            .code(2)
            .one_error("out.json: it has more than one hard link");
        assert_eq!(
            dir.read("out.json") + &dir.read("victim"),
            "precious\n".repeat(2)
        );
        assert_eq!(dir.names(), [LIST_FILE, "out.json", "victim"]);
    }
    assert!(registry.requests().is_empty());
}

#[test]
fn an_overwritten_list_and_its_previous_content_are_separate_files() {
    let (source, destination) = (registry(), registry());
    let run = |dir: &Dir| {
        let flags = format!(
            "-f {LIST_FILE} -s {} -d {} -o {LIST_FILE}",
            source.name(),
            destination.name()
        );
        dir.validate().args(&flags).run()
    };
    let links = |dir: &Dir, name: &str| fs::metadata(dir.path().join(name)).unwrap().nlink();
    for was_killed in [false, true] {
        let dir = Dir::new();
        let list = format!("# mine\n{BAD}");
        dir.write(LIST_FILE, &list);
        let previous = format!("{LIST_FILE}.previous");
        let place = dir.path().join(&previous);
        if was_killed {
            // What a run leaves that is killed just before it puts the failed list there.
            fs::hard_link(dir.path().join(LIST_FILE), &place).unwrap();
        }
        run(&dir).code(1);
        assert_eq!(dir.read(LIST_FILE), BAD);
        assert_eq!(dir.read(&previous), list);
        assert_eq!(dir.names(), [LIST_FILE, previous.as_str()]);
        assert_eq!((links(&dir, LIST_FILE), links(&dir, &previous)), (1, 1));
        // The same where nothing is left of the list.
        let passing = "team/x team/x 1\n";
        dir.write(LIST_FILE, passing);
        if was_killed {
            fs::remove_file(&place).unwrap();
            fs::hard_link(dir.path().join(LIST_FILE), &place).unwrap();
        }
        run(&dir).code(0);
        assert_eq!(dir.names(), [previous.as_str()]);
        assert_eq!(dir.read(&previous), passing);
        assert_eq!(links(&dir, &previous), 1);
    }
}

#[test]
fn the_mode_and_the_owner_of_an_output_stay() {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    let has_root = is_root();
    for output in OUTPUTS {
        for mode_before in [0o600, 0o640, 0o444, 0o664, 0o666] {
            let (gate, served) = (Gate::default(), content.clone());
            let closed = gate.clone();
            let registry = Server::start(move |request| {
                closed.pass();
                answer(&served, request)
            });
            let dir = with_list();
            let place = dir.write("out.json", "");
            set_mode(&place, mode_before);
            if has_root {
                chown(&place, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            let running = dir
                .validate()
                .args(&flags(&registry, output.0, "out.json", output.1))
                .start();
            let partial = dir.path().join("out.json.partial");
            crate::support::wait_until("a request", || !registry.requests().is_empty());
            // What is collected is no more open than the file that it will be.
            assert_eq!(mode(&partial) & !mode_before, 0o600 & !mode_before);
            gate.open();
            running.end().code(expected(output.0));
            let found = fs::metadata(&place).unwrap();
            assert!(found.len() > 0, "{output:?}");
            assert_eq!(mode(&place), mode_before, "{output:?}");
            if has_root {
                assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY), "{output:?}");
            }
        }
    }
}

#[test]
fn a_file_of_another_user_in_a_directory_of_all_is_not_replaced() {
    if !is_root() {
        return;
    }
    let registry = registry();
    for output in OUTPUTS {
        for mode in [0o777, 0o1777, 0o1755] {
            let dir = with_list();
            let place = dir.write("out.json", "");
            chown(&place, Some(NOBODY), None).unwrap();
            set_mode(dir.path(), mode);
            run(&dir, &registry, output, "out.json")
                .code(2)
                .one_error("out.json: another user (uid 65534) owns it");
            assert_eq!(fs::metadata(&place).unwrap().uid(), NOBODY);
            assert_eq!(dir.names(), [LIST_FILE, "out.json"]);
        }
    }
    // Seen by somebody who could not replace it at the end of the run either.
    let dir = with_list();
    dir.write("out.json", "of root\n");
    let program = dir.path().join("image-tools");
    fs::copy(env!("CARGO_BIN_EXE_image-tools"), &program).unwrap();
    set_mode(&program, 0o755);
    set_mode(dir.path(), 0o1777);
    dir.command("setpriv")
        .args("--reuid 65534 --regid 65534 --clear-groups ./image-tools mirror-validate")
        .args(&flags(&registry, "-o", "out.json", ""))
        .run()
        .code(2)
        .one_error("out.json: another user (uid 0) owns it");
    assert_eq!(dir.read("out.json"), "of root\n");
    assert!(registry.requests().is_empty());
}

#[test]
fn a_device_is_no_failed_list_but_for_the_null_device() {
    let registry = registry();
    let dir = with_list();
    for name in ["/dev/zero", "/dev/full", "/dev/random", "/dev/tty"] {
        if !fs::metadata(name).is_ok_and(|found| found.file_type().is_char_device()) {
            continue;
        }
        run(&dir, &registry, OUTPUTS[0], name)
            .code(2)
            .one_error(&format!(
                "cannot write the failed list {name}: it is not a regular file"
            ));
    }
    assert!(registry.requests().is_empty());
    run(&dir, &registry, OUTPUTS[0], "/dev/null")
        .code(1)
        .has("1 image: 0 passed, 1 failed");
    assert_eq!(dir.names(), [LIST_FILE]);
}

/// A run whose files may have so many blocks of 512 bytes.
fn limited(dir: &Dir, blocks: u32, args: &str, redirection: &str) -> Run {
    let script = format!(
        "ulimit -f {blocks} && exec {} mirror-validate {args} {redirection}",
        env!("CARGO_BIN_EXE_image-tools")
    );
    dir.command("dash").arg("-c").arg(script).run()
}

#[test]
fn a_file_size_limit_is_an_error_and_not_the_end() {
    let registry = registry();
    let list = BAD.repeat(200);
    let run_with = |blocks, more: &str, redirection: &str| -> (Dir, Run) {
        let dir = Dir::new();
        dir.write(LIST_FILE, &list);
        let args = flags(&registry, "-o", "failed.txt", more);
        let run = limited(&dir, blocks, &args, redirection);
        (dir, run)
    };
    let (dir, run) = run_with(2, "", "");
    run.code(2)
        .has("[ERRO] cannot write the failed list failed.txt: File too large")
        .has("; the results until then are in failed.txt.partial");
    assert_eq!(dir.read("failed.txt.partial"), list[..1024]);
    assert_eq!(dir.names(), ["failed.txt.partial", LIST_FILE]);
    // The failed list fits, the report does not.
    let (dir, run) = run_with(8, "--report r.json", "");
    run.code(2)
        .has("[ERRO] cannot write the report r.json: File too large");
    assert_eq!(dir.read("failed.txt"), list);
    // The failed list fits, the log does not.
    let (dir, run) = run_with(8, "", ">log");
    run.code(2)
        .one_error("cannot write to standard output: File too large");
    assert_eq!(dir.read("failed.txt"), list);
    // Not even a help text ends by the signal.
    let dir = Dir::new();
    dir.write("log", "x".repeat(512));
    limited(&dir, 1, "-h", ">>log")
        .code(2)
        .one_error("File too large");
}

/// Characters that no reader sees, or that change how others are seen.
const HIDDEN: [std::ops::RangeInclusive<char>; 11] = [
    '\u{1}'..='\t',
    '\u{b}'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{61c}'..='\u{61c}',
    '\u{180e}'..='\u{180e}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{e0000}'..='\u{e007f}',
];

/// No character that hides is in a text, but for line feeds.
#[track_caller]
fn shows_all(what: &str, text: &str) {
    let is_hidden = |c: &char| HIDDEN.iter().any(|range| range.contains(c));
    let found: Vec<char> = text.chars().filter(is_hidden).collect();
    assert!(found.is_empty(), "{what}: {found:?} in {text}");
}

#[test]
fn no_text_from_outside_hides_in_any_output() {
    let hidden: String = HIDDEN.into_iter().flatten().collect();
    // As much as a platform may have.
    let ends: String = HIDDEN
        .iter()
        .flat_map(|range| [*range.start(), *range.end()])
        .collect();
    let strange = |text: &str| format!("{text}{ends}");
    let mut content = Content::default();
    for (name, on) in [("team/a", "linux/amd64/v2"), ("team/b", "linux/amd64/v3")] {
        let image = content.image(name, crate::support::V2, on, "a");
        let mut entry = entry(&image, on);
        for field in ["variant", "os", "os.version"] {
            let value = entry["platform"][field].as_str().unwrap_or("x").to_owned();
            entry["platform"][field] = strange(&value).into();
        }
        content.index(name, Some("1"), LIST, &[entry]);
    }
    let b = content.find("team/b", "1").unwrap().bytes.clone();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    let (refused, served) = (format!("never{hidden}"), content.clone());
    let source = Server::of(content);
    let destination = Server::start(move |request| match &request.path {
        path if path.contains("/team/a/manifests/1") => {
            Reply::new(200).header("content-type", LIST).body(b.clone())
        }
        path if path.contains("/team/no/") => Reply::error(403, "DENIED", &refused),
        path if path.contains("/team/type/") => Reply::new(200)
            .body(serde_json::json!({"schemaVersion": 2, "mediaType": refused}).to_string()),
        _ => answer(&served, request),
    });
    let dir = Dir::new();
    let names = ['\u{61c}', '\u{180e}', '\u{fff9}', '\u{e0041}', '\u{202e}'];
    let file = |name: &str| -> PathBuf {
        names
            .iter()
            .fold(name.to_owned(), |name, c| format!("{name}{c}"))
            .add(".json")
            .into()
    };
    let list = format!(
        "team/a team/a 1\nteam/x team/no 1\nteam/x team/type 1\nteam/x{hidden} team/x 1\nteam/x team/x {hidden}\n{hidden}\n"
    );
    dir.write(file("list").to_str().unwrap(), &list);
    let run = dir
        .validate()
        .args("-j 4 -debug --retries 0 -f")
        .arg(file("list"))
        .arg("-o")
        .arg(file("failed"))
        .arg("--report")
        .arg(file("report"))
        .arg("--metrics")
        .arg(file("metrics"))
        .args(&format!("-s {} -d {}", source.name(), destination.name()))
        .run();
    run.code(1)
        .has("dstSpec")
        .has("never\\u{1}")
        .has("\\u{61c}\\u{180e}")
        .has("\\u{fff9}\\u{fffa}\\u{fffb}\\u{e0000}")
        .has("\\u{e007f}");
    shows_all("the log", &run.stdout);
    assert_eq!(run.stderr, "");
    let read = |name: &str| dir.read(file(name).to_str().unwrap());
    let report = read("report");
    shows_all("the report", &report);
    shows_all("the metrics", &read("metrics"));
    // The failed list is the only one that has lines as they were.
    assert_eq!(read("failed"), list);
    // For programs, a platform is what the registry says.
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let spec = &report["lines"][0]["source_spec"][0]["platform"];
    assert_eq!(spec["variant"], strange("v2"));
    // What cannot even begin is told of on standard error.
    let run = dir.validate().arg("-f").arg(file("nowhere")).run();
    run.code(2).one_error("nowhere");
    shows_all("the error", &run.stderr);
    let run = dir.validate().arg(strange("--repor")).run();
    run.code(2).one_error("repor");
    shows_all("the error", &run.stderr);
}
