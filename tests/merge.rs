//! `merge`: the results of shards become those of the whole list.

use serde_json::Value;

use crate::report::{CODES, registries};
use crate::support::{Dir, Run, digest, skip};

/// Images that pass, fail and cannot be validated, and a line that is no image.
fn list() -> String {
    let mut list = String::new();
    for number in 0..6 {
        list += &format!(
            "team/x team/x passes\nteam/x team/x index-differs\nteam/x team/gone {number}\n"
        );
    }
    for code in &CODES[..13] {
        list += &format!("team/x team/x {code}\n");
    }
    list + "no \u{202e}image\nteam/x team/x digest-differs\n"
}

/// Validates each part of a list and the whole, as `all`.
fn validate(dir: &Dir, count: u64) {
    validate_with(dir, count, "");
}

/// The same; `more`: flags of the run of the whole.
fn validate_with(dir: &Dir, count: u64, more: &str) {
    let (source, destination) = registries();
    dir.write("list.txt", list());
    let flags = format!(
        "-f list.txt -j 4 --retries 0 -s {} -d {}",
        source.name(),
        destination.name()
    );
    let outputs = |name: &str| {
        format!("-o {name}.txt --report {name}.json --report {name}.jsonl --metrics {name}.prom")
    };
    dir.validate()
        .args(&flags)
        .args(&outputs("all"))
        .args(more)
        .run()
        .code(1);
    for index in 0..count {
        dir.validate()
            .args(&flags)
            .args(&outputs(&index.to_string()))
            .args(&format!("--shard {index}/{count}"))
            .run()
            .error("");
    }
}

fn merge(dir: &Dir, args: &str) -> Run {
    dir.program().arg("merge").args(args).run()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A report without times, and without requests, of which each run needs some of its own.
fn timeless(mut report: Value) -> Value {
    for field in ["begun", "ended"] {
        report[field] = Value::Null;
    }
    for field in ["milliseconds", "requests"] {
        report["totals"][field] = Value::Null;
        if let Some(lines) = report["lines"].as_array_mut() {
            for line in lines {
                line[field] = Value::Null;
            }
        }
    }
    report
}

#[test]
fn reports_of_four_shards_are_that_of_a_single_run() {
    let dir = Dir::new();
    validate(&dir, 4);
    let single = timeless(json(&dir.read("all.json")));
    for inputs in [
        "0.json 1.json 2.json 3.json",
        "3.jsonl 0.json 2.jsonl 1.json",
        "0.jsonl 1.jsonl 2.jsonl 3.jsonl",
    ] {
        let run = merge(&dir, &format!("whole.json {inputs}"));
        run.code(1).error("");
        assert_eq!(
            run.stdout,
            "whole.json: 33 images: 6 passed, 16 failed, 11 not validated\n"
        );
        assert_eq!(timeless(json(&dir.read("whole.json"))), single, "{inputs}");
        merge(&dir, &format!("whole.jsonl {inputs}"))
            .code(1)
            .error("");
        let text = dir.read("whole.jsonl");
        let lines: Vec<Value> = text.lines().map(json).collect();
        assert_eq!(lines[0]["list_digest"], single["list_digest"]);
        assert_eq!(lines[34]["type"], "totals");
        assert_eq!(lines[34]["exit_code"], 1);
        let numbers: Vec<u64> = lines[1..34]
            .iter()
            .map(|line| line["line"].as_u64().unwrap())
            .collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    // A merged report can be merged.
    merge(&dir, "again.json whole.jsonl").code(1).error("");
    assert_eq!(timeless(json(&dir.read("again.json"))), single);
}

/// A report without what takes time and without requests, of which each run needs some of its own.
fn without_costs(dir: &Dir, name: &str) -> String {
    let text = dir.read(name);
    if name.ends_with(".csv") {
        let rows = crate::report_forms::csv(dir, name);
        let rows = rows.as_array().unwrap().iter();
        let rows = rows.map(|row| json(&row.to_string()).as_array().unwrap().clone());
        let rows = rows.map(|mut row| {
            row.drain(11..13);
            Value::from(row).to_string()
        });
        return rows.collect::<Vec<_>>().join("\n");
    }
    let cut = |text: &str, begin: &str, end: char| {
        let mut parts = text.split(begin);
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            out += &format!("{begin}{}", &part[part.find(end).unwrap()..]);
        }
        out
    };
    let mut text = text;
    for (begin, end) in [
        (" time=\"", '"'),
        ("timestamp=\"", '"'),
        ("<dt>Started</dt>", '\n'),
        ("<dt>Duration</dt>", '\n'),
        ("<dt>Requests</dt>", '\n'),
        ("), started ", '\n'),
    ] {
        text = cut(&text, begin, end);
    }
    text
}

#[test]
fn the_pages_of_four_shards_are_those_of_a_single_run() {
    let dir = Dir::new();
    let pages = "--report all.xml --report all.csv --report all.md --report all.html";
    validate_with(&dir, 4, pages);
    for form in ["xml", "csv", "md", "html"] {
        let run = merge(&dir, &format!("whole.{form} 0.json 3.jsonl 2.json 1.jsonl"));
        run.code(1).error("");
        assert!(!dir.has(&format!("whole.{form}.partial")));
        let [whole, single] =
            ["whole", "all"].map(|name| without_costs(&dir, &format!("{name}.{form}")));
        assert!(
            single.contains("index-differs") && single.contains("destination-missing"),
            "{single}"
        );
        assert_eq!(whole, single, "{form}");
        // A page that lacks a shard does not look whole.
        merge(&dir, &format!("part.{form} 0.json 3.jsonl 1.jsonl"))
            .code(1)
            .one_error("shard 2/4 is missing");
        if matches!(form, "md" | "html") {
            assert!(
                dir.read(&format!("part.{form}"))
                    .contains("Incomplete run: ")
            );
        }
    }
    crate::report_forms::junit(&dir, "whole.xml");
    crate::report_forms::html(&dir, "whole.html");
}

#[test]
fn the_reports_of_recording_shards_become_a_page() {
    let (source, _) = registries();
    let dir = Dir::new();
    dir.write(
        "list.txt",
        "team/x team/x passes\nteam/x team/x digest-differs\nteam/x team/x none\n",
    );
    let flags = format!("-f list.txt -s {} --retries 0", source.name());
    for index in 0..2 {
        dir.validate()
            .args(&format!(
                "{flags} --record r.rec --report {index}.json --shard {index}/2"
            ))
            .run()
            .error("");
    }
    dir.validate()
        .args(&format!(
            "{flags} --record all.rec --report all.md --report all.html"
        ))
        .run()
        .error("");
    for form in ["md", "html"] {
        merge(&dir, &format!("whole.{form} 0.json 1.json")).error("");
        let [whole, single] =
            ["whole", "all"].map(|name| without_costs(&dir, &format!("{name}.{form}")));
        assert!(single.contains("recorded"), "{single}");
        assert_eq!(whole, single);
    }
}

#[test]
fn a_report_that_was_reformatted_is_merged() {
    let dir = Dir::new();
    validate(&dir, 3);
    let single = timeless(json(&dir.read("all.json")));
    let jq = std::process::Command::new("jq").arg("--version").output();
    if jq.is_err() {
        skip("no jq");
        return;
    }
    for flags in ["", "-S", "-c", "--tab -S", "-cS"] {
        for form in ["json", "jsonl"] {
            for index in 0..3 {
                let name = format!("{index}.{form}");
                let text = dir.command("jq").args(flags).args(".").arg(&name).run();
                dir.write(&format!("new-{name}"), &text.code(0).stdout);
            }
            let inputs = format!("new-0.{form} new-1.{form} new-2.{form}");
            for out in ["whole.json", "whole.jsonl"] {
                merge(&dir, &format!("{out} {inputs}")).code(1).error("");
            }
            assert_eq!(
                timeless(json(&dir.read("whole.json"))),
                single,
                "{flags} {form}"
            );
            merge(&dir, "again.json whole.jsonl").code(1).error("");
            assert_eq!(
                timeless(json(&dir.read("again.json"))),
                single,
                "{flags} {form}"
            );
            // Each image has a line of its own again, without the field of the other form, and nothing hides.
            let whole = dir.read("whole.json");
            let lines = whole.lines().filter(|line| line.starts_with("{\"")).count();
            assert_eq!(lines, 33, "{whole}");
            assert!(!whole.contains("\"type\":\"image\"") && !whole.contains('\u{202e}'));
            let whole = dir.read("whole.jsonl");
            assert_eq!(whole.matches("{\"type\":\"image\",\"").count(), 33);
        }
    }
    // Cut off in the middle: with its header it counts as far as it goes, and without it cannot.
    let pretty = dir.command("jq").args(". 1.json").run().stdout;
    dir.write("cut.json", &pretty[..pretty.len() - 60]);
    merge(&dir, "whole.json 0.json cut.json 2.json")
        .code(1)
        .one_error("shard 1/3 is incomplete: the run of cut.json");
    let sorted = dir.command("jq").args("-S . 1.json").run().stdout;
    dir.write("cut.json", &sorted[..sorted.len() / 2]);
    merge(&dir, "whole.json 0.json cut.json 2.json")
        .code(2)
        .one_error("cut.json:");
}

#[test]
fn an_absent_shard_is_named() {
    let dir = Dir::new();
    validate(&dir, 4);
    let run = merge(&dir, "whole.json 0.json 3.json 1.json");
    run.code(1).one_error("shard 2/4 is missing");
    let report = json(&dir.read("whole.json"));
    assert_eq!(
        report["totals"]["absent_shards"],
        json("[{\"index\":2,\"count\":4}]")
    );
    merge(&dir, "again.json whole.json")
        .code(1)
        .one_error("the whole list is incomplete");
}

#[test]
fn the_report_of_an_incomplete_whole_follows_the_schema() {
    let dir = Dir::new();
    validate(&dir, 4);
    merge(&dir, "whole.json 0.json 3.jsonl 1.json").code(1);
    crate::report::report(&dir, "whole.json");
    merge(&dir, "whole.jsonl 0.json 3.jsonl 1.json").code(1);
    crate::report_lines::lines(&dir, &dir.read("whole.jsonl"));
}

/// A report of a shard in which all images passed.
fn report(shard: &str, hour: u32, digest: char, accept: &str, lines: &[u64]) -> String {
    let digest = digest.to_string().repeat(64);
    let (index, count) = shard.split_once('/').unwrap();
    let shard = format!("{{\"index\":{index},\"count\":{count}}}");
    let objects: Vec<String> = lines
        .iter()
        .map(|line| format!("{{\"line\":{line},\"outcome\":\"passed\",\"requests\":{hour}}}"))
        .collect();
    let (count, lines) = (lines.len(), objects.join(",\n"));
    format!(
        "{{\n\"format\": \"image-tools report\",\n\"version\": 1,\n\"tool\": \"t\",\n\"begun\": \"2026-01-01T00:00:00Z\",\n\
         \"ended\": \"2026-01-01T{hour:02}:00:00Z\",\n\"list\": \"l\",\n\"list_digest\": \"sha256:{digest}\",\n\"shard\": {shard},\n\
         \"run\": {{\"accept\":[{accept}],\"shard\":\"x\"}},\n\"lines\": [\n{lines}\n],\n\"totals\": {{\"lines\":{count},\"passed\":{count},\
         \"failed\":0,\"not_validated\":0,\"requests\":{hour},\"milliseconds\":1,\"exit_code\":0,\"signal\":null}}\n}}\n"
    )
}

#[test]
fn the_later_of_two_reports_of_a_shard_counts() {
    let dir = Dir::new();
    dir.write("a.json", report("0/2", 9, 'a', "", &[1, 4]));
    dir.write("b.json", report("0/2", 5, 'a', "", &[1, 4]));
    dir.write("c.json", report("1/2", 6, 'a', "", &[2, 3]));
    for inputs in ["a.json b.json c.json", "c.json b.json a.json"] {
        let run = merge(&dir, &format!("out.json {inputs}"));
        run.code(0)
            .one_error("shard 0/2: using a.json, and ignoring the older b.json");
        let report = json(&dir.read("out.json"));
        let requests: Vec<&Value> = report["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| &line["requests"])
            .collect();
        assert_eq!(requests, [9, 6, 6, 9]);
        assert_eq!(report["totals"]["requests"], 15);
        assert_eq!(report["ended"], "2026-01-01T09:00:00Z");
    }
    merge(&dir, "out.json a.json")
        .code(3)
        .one_error("shard 1/2 is missing");
}

#[test]
fn inputs_of_different_runs_are_refused() {
    let dir = Dir::new();
    dir.write("a.json", report("0/2", 9, 'a', "", &[1]));
    dir.write("list.json", report("1/2", 9, 'b', "", &[2]));
    dir.write("flags.json", report("1/2", 9, 'a', "\"subset\"", &[2]));
    dir.write("parts.json", report("1/3", 9, 'a', "", &[2]));
    dir.write("same.json", report("1/2", 9, 'a', "", &[1]));
    dir.write("good.json", report("1/2", 9, 'a', "", &[2]));
    let totals = report("1/2", 9, 'a', "", &[2]).replace("\"passed\":1", "\"passed\":2");
    dir.write("totals.json", totals);
    let odd = report("0/2", 9, 'a', "\"subset\"", &[1]);
    let odd = odd.replace("\"passed\",", "\"failed\",\"code\":\"odd\",");
    let odd = odd.replace("\"passed\":1,\"failed\":0", "\"passed\":0,\"failed\":1");
    dir.write("odd.json", odd);
    dir.write("text.txt", "a b c\n");
    dir.write("page.html", "<!DOCTYPE html>\n");
    dir.write("out.json", "as it was");
    for (args, error) in [
        (
            "out.json a.json list.json",
            "the reports are of different lists",
        ),
        (
            "out.json a.json flags.json",
            "different settings (accept: [], [\"subset\"])",
        ),
        ("out.json a.json parts.json", "different --shard counts"),
        ("out.json a.json same.json", "both have line 1 of the list"),
        (
            "out.json a.json totals.json",
            "the totals do not match the lines",
        ),
        ("out.json a.json text.txt", "a failed list is not a report"),
        ("out.json text.txt", "text.txt is a failed list"),
        ("out.json page.html", "it is XML or HTML"),
        ("out.json nowhere.json", "cannot read nowhere.json"),
        (
            "out.txt a.json good.json",
            ".json, .jsonl, .xml, .csv, .md or .html",
        ),
        ("out.html text.txt", "text.txt is a failed list"),
        (
            "out.html flags.json odd.json",
            "odd.json is damaged: line 1 of the list: unknown variant `odd`",
        ),
        ("a.json a.json good.json", "a.json is also an input file"),
        (
            "out.json --list text.txt a.json",
            "--list applies to failed lists only",
        ),
        ("out.json", "an input file is missing"),
        ("", "OUT is missing"),
    ] {
        merge(&dir, args).code(2).one_error(error);
        assert_eq!(dir.read("out.json"), "as it was", "{args}");
        assert!(!dir.has("out.json.partial"), "{args}");
        assert!(!dir.has("out.html"), "{args}");
    }
}

#[test]
fn the_incomplete_report_of_a_killed_run_is_merged() {
    let dir = Dir::new();
    validate(&dir, 2);
    let whole = dir.read("1.jsonl");
    let cut = &whole[..whole.trim_end().rfind("\"milliseconds\"").unwrap() - 300];
    dir.write("cut.jsonl", cut);
    let run = merge(&dir, "out.json 0.json cut.jsonl");
    run.code(1)
        .one_error("shard 1/2 is incomplete: the run of cut.jsonl");
    let merged = json(&dir.read("out.json"));
    assert_eq!(merged["totals"]["incomplete_shards"][0]["index"], 1);
    let images = |text: &str| text.matches("\n{\"type\":\"image\"").count();
    let first = json(&dir.read("0.json"))["lines"].as_array().unwrap().len();
    let lines = merged["lines"].as_array().unwrap().len();
    let is_whole_line = cut.ends_with('\n');
    assert_eq!(lines, first + images(cut) - usize::from(!is_whole_line));
    // Its shard was run again.
    merge(&dir, "out.json 0.json 1.json cut.jsonl")
        .code(1)
        .one_error("using 1.json, and ignoring the older cut.jsonl");
    // Nothing but the header; and a run without a failure is not a pass then.
    let header = whole.split_inclusive('\n').next().unwrap();
    dir.write("cut.jsonl", header);
    let run = merge(&dir, "out.json cut.jsonl 0.json");
    assert_ne!(run.status.code(), Some(0));
    dir.write("ok.json", report("0/2", 9, 'a', "", &[1]));
    let cut = report("1/2", 9, 'a', "", &[2]);
    dir.write("cut.json", &cut[..cut.find("],\n\"totals").unwrap()]);
    merge(&dir, "out.json ok.json cut.json")
        .code(3)
        .one_error("shard 1/2 is incomplete: the run of cut.json");
}

#[test]
fn failed_lists_get_the_order_of_the_list() {
    let dir = Dir::new();
    validate(&dir, 4);
    let files: Vec<String> = (0..4)
        .map(|index| format!("{index}.txt"))
        .filter(|name| dir.has(name))
        .collect();
    let files = files.join(" ");
    merge(&dir, &format!("out.txt --list list.txt {files}"))
        .code(1)
        .error("");
    assert_eq!(dir.read("out.txt"), dir.read("all.txt"));
    merge(&dir, &format!("out.txt {files} {files}"))
        .code(1)
        .error("");
    let sorted = |name: &str| {
        let text = dir.read(name);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted("out.txt"), sorted("all.txt"));
    dir.write("other.txt", "a b c\n");
    merge(&dir, "out.txt --list list.txt other.txt")
        .code(2)
        .one_error("the line [a b c] is not in the list list.txt");
    // As a run: no failure, no failed list.
    dir.write("none.txt", "");
    merge(&dir, "out.txt none.txt").code(0);
    assert!(!dir.has("out.txt"));
}

#[test]
fn metrics_are_added_up() {
    let dir = Dir::new();
    validate(&dir, 4);
    merge(&dir, "whole.prom 0.prom 1.prom 2.prom 3.prom")
        .code(1)
        .error("");
    let whole = crate::report::check_metrics(&dir, "whole.prom");
    let single = crate::report::check_metrics(&dir, "all.prom");
    let names = |text: &str| {
        let text = dir.read(text);
        let names = text
            .lines()
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned());
        names
            .filter(|name| !name.contains("HELP"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("whole.prom"), names("all.prom"));
    for (name, value) in &single {
        if !name.contains("_seconds") && !name.contains("_requests") {
            assert_eq!(&whole[name], value, "{name}");
        }
    }
    merge(&dir, "whole.prom 0.prom 1.prom 3.prom")
        .code(1)
        .one_error("shard 2/4 is missing");
    let other = dir.read("2.prom").replace("list.txt", "other.txt");
    dir.write("2.prom", other);
    // Until a digest says that the list is the same.
    if !dir.read("2.prom").contains("list_info") {
        merge(&dir, "whole.prom 0.prom 1.prom 2.prom 3.prom")
            .code(2)
            .one_error("the reports are of different lists");
    }
}

#[test]
fn merged_recordings_can_be_used() {
    let (source, destination) = registries();
    let dir = Dir::new();
    dir.write(
        "list.txt",
        "team/x team/x passes\nteam/x team/x digest-differs\nteam/x team/x index-differs\n",
    );
    let flags = format!("-f list.txt -s {}", source.name());
    for index in 0..2 {
        dir.validate()
            .args(&format!("{flags} --record {index}.json --shard {index}/2"))
            .run()
            .code(0);
    }
    merge(&dir, "all.json 0.json 1.json").code(0).error("");
    dir.validate()
        .args(&format!(
            "{flags} -d {} --recorded all.json",
            destination.name()
        ))
        .run()
        .code(1)
        .has("3 images: 1 passed, 2 failed, 0 not validated");
    // Another state of a source.
    let text = dir.read("all.json");
    let (before, rest) = text.split_once("\"sources\": [\n").unwrap();
    let (sources, _) = rest.split_once("],\n\"checksum").unwrap();
    let sources = sources.replacen("\"size\":", "\"size\":1", 1);
    let checksum = digest(sources.replace(",\n", "\n"));
    dir.write(
        "other.json",
        format!("{before}\"sources\": [\n{sources}],\n\"checksum\": \"{checksum}\"\n}}\n"),
    );
    merge(&dir, "both.json all.json other.json")
        .code(2)
        .one_error("they have different records of [");
    dir.write("cut.json", &text[..text.len() - 20]);
    merge(&dir, "both.json all.json cut.json")
        .code(2)
        .one_error("the recording cut.json is damaged");
}

#[test]
fn a_million_lines_take_less_than_150_mb_of_memory() {
    use std::io::Write as _;
    const LINES: u64 = 1_000_000;
    const SHARDS: u64 = 16;
    let dir = Dir::new();
    for index in 0..SHARDS {
        let file = std::fs::File::create(dir.path().join(format!("{index}.jsonl"))).unwrap();
        let mut file = std::io::BufWriter::new(file);
        let digest = "a".repeat(64);
        writeln!(
            file,
            "{{\"type\":\"header\",\"format\":\"image-tools report\",\"version\":1,\"tool\":\"t\",\"begun\":\"2026-01-01T00:00:00Z\",\
             \"list\":\"l\",\"list_digest\":\"sha256:{digest}\",\"shard\":{{\"index\":{index},\"count\":{SHARDS}}},\"run\":{{}}}}"
        )
        .unwrap();
        // As they ended: not in the list's order.
        for line in (1..=LINES).rev().filter(|line| line % SHARDS == index) {
            writeln!(
                file,
                "{{\"type\":\"image\",\"line\":{line},\"outcome\":\"passed\"}}"
            )
            .unwrap();
        }
        let count = LINES / SHARDS;
        writeln!(
            file,
            "{{\"type\":\"totals\",\"ended\":\"2026-01-01T01:00:00Z\",\"lines\":{count},\"passed\":{count},\"failed\":0,\
             \"not_validated\":0,\"requests\":1,\"milliseconds\":1,\"exit_code\":0,\"signal\":null}}"
        )
        .unwrap();
    }
    let files: Vec<String> = (0..SHARDS).map(|index| format!("{index}.jsonl")).collect();
    // A child of this process would inherit its peak, so a small process measures.
    let measure = "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); \
                   print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let output = std::process::Command::new("/usr/bin/python3")
        .args(["-c", measure, env!("CARGO_BIN_EXE_image-tools")])
        .args(["merge", "all.json"])
        .args(files)
        .current_dir(dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let (summary, used) = text.trim().split_once('\n').unwrap();
    assert_eq!(
        summary,
        "all.json: 1000000 images: 1000000 passed, 0 failed, 0 not validated"
    );
    let used = used.parse::<u64>().unwrap() / 1024;
    assert!(used < 150, "{used} MiB");
    let merged = dir.read("all.json");
    let lines = merged.lines().skip(11).take(3).collect::<String>();
    assert!(
        lines.contains("{\"line\":1,\"outcome\":\"passed\"},"),
        "{lines}"
    );
}

#[test]
fn eight_shards_by_gnu_parallel_two_of_them_killed_and_started_again() {
    let dir = Dir::new();
    let found = std::process::Command::new("sh")
        .args(["-c", "parallel --version | grep -q GNU"])
        .output();
    if !found.is_ok_and(|output| output.status.success()) {
        skip("no GNU parallel");
        return;
    }
    let (source, destination) = registries();
    let mut list = String::new();
    for number in 0..100 {
        for code in ["passes", "index-differs", "digest-differs"] {
            list += &format!("team/x team/x {code}\nteam/x team/gone-{number} passes\n");
        }
        list += &format!("team/x team/x absent-{number}\nteam/x team/x passes\n");
    }
    dir.write("list.txt", list);
    let flags = format!(
        "-f list.txt --retries 0 -s {} -d {}",
        source.name(),
        destination.name()
    );
    dir.validate()
        .args(&flags)
        .args("--report single.json -o single.txt")
        .run()
        .code(1);
    // The first attempt at two of the shards is killed when it has begun.
    let script = format!(
        "#!/bin/sh
run() {{ {} mirror-validate {flags} --shard $1/8 -o failed-$1.txt --report $1.jsonl >log-$1 2>&1; }}
case $1 in 2|5)
    if [ ! -e killed-$1.jsonl ]; then
        rm -f $1.jsonl
        {} mirror-validate {flags} --shard $1/8 -o failed-$1.txt --report $1.jsonl >log-$1 2>&1 &
        until [ -s $1.jsonl ]; do sleep 0.01; done
        kill -KILL $!
        wait $!
        head -c -1 $1.jsonl >killed-$1.jsonl
        exit 9
    fi
esac
run $1
[ $? -ne 2 ]
",
        env!("CARGO_BIN_EXE_image-tools"),
        env!("CARGO_BIN_EXE_image-tools"),
    );
    dir.write("run.sh", script);
    dir.command("parallel")
        .args("--will-cite --retries 3 -j 4 sh run.sh {} ::: 0 1 2 3 4 5 6 7")
        .run()
        .code(0);
    assert!(dir.has("killed-2.jsonl") && dir.has("killed-5.jsonl"));
    let parts: Vec<String> = (0..8).map(|index| format!("{index}.jsonl")).collect();
    let run = merge(
        &dir,
        &format!("all.json killed-2.jsonl {} killed-5.jsonl", parts.join(" ")),
    );
    run.code(1);
    for shard in [2, 5] {
        let note = format!(
            "shard {shard}/8: using {shard}.jsonl, and ignoring the older killed-{shard}.jsonl"
        );
        assert!(run.stderr.contains(&note), "{}", run.stderr);
    }
    let [merged, single] = ["all.json", "single.json"].map(|name| timeless(json(&dir.read(name))));
    for (merged, single) in merged["lines"]
        .as_array()
        .unwrap()
        .iter()
        .zip(single["lines"].as_array().unwrap())
    {
        assert_eq!(merged, single);
    }
    assert_eq!(merged, single);
    // Without the second attempt they are not complete.
    let rest = "killed-2.jsonl killed-5.jsonl 0.jsonl 1.jsonl 3.jsonl 4.jsonl 6.jsonl 7.jsonl";
    let run = merge(&dir, &format!("rest.json {rest}"));
    assert!(
        run.stderr.contains("shard 2/8 is incomplete"),
        "{}",
        run.stderr
    );
}
