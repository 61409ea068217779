//! `--report` for CI servers, spreadsheets and people: `.xml`, `.csv`, `.md`, `.html`. Each is checked with an
//! independent parser.

use serde_json::{Value, json};

use crate::report::{CODES, registries};
use crate::support::{Content, Dir, INDEX, Reply, Run, Server, entry};

/// What a script of Python prints as JSON.
fn python(dir: &Dir, script: &str, name: &str) -> Value {
    let run = dir
        .command("/usr/bin/python3")
        .arg("-c")
        .arg(script)
        .arg(name)
        .run();
    run.code(0);
    serde_json::from_str(&run.stdout).unwrap()
}

/// What `xmllint` says of a file under `fixtures/junit.xsd`.
fn lint(dir: &Dir, name: &str) -> Run {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/junit.xsd");
    let args = ["--noout", "--nonet", "--huge", "--schema", schema, name];
    let mut command = dir.command("xmllint");
    for arg in args {
        command = command.arg(arg);
    }
    command.run()
}

/// The suite's attributes and the test cases of a file that `xmllint` has found valid.
pub fn junit(dir: &Dir, name: &str) -> Value {
    lint(dir, name).code(0);
    junit_cases(dir, name)
}

/// The same without the schema: with ten thousand cases `xmllint` takes a quarter of a minute.
fn junit_cases(dir: &Dir, name: &str) -> Value {
    const READ: &str = "import json, sys, xml.etree.ElementTree as E
root = E.parse(sys.argv[1]).getroot()
assert len(root) == 1
suite = root[0]
assert {n: v for n, v in suite.attrib.items() if n not in ('name', 'timestamp')} == root.attrib
print(json.dumps([suite.attrib, [[case.get('classname'), case.get('name'), *[(c.tag, c.get('type'), c.get('message'), c.text) for c in case]] for case in suite.findall('testcase')]]))";
    python(dir, READ, name)
}

/// The rows of a file, by Python's reader, as a list of cells each.
pub fn csv(dir: &Dir, name: &str) -> Value {
    const CHECK: &str = "import csv, json, sys
data = open(sys.argv[1], newline='', encoding='utf-8').read()
assert data.endswith('\\r\\n')
rows = list(csv.reader(data.splitlines(keepends=True), strict=True))
assert len({len(row) for row in rows}) == 1
print(json.dumps(rows))";
    python(dir, CHECK, name)
}

/// What a browser would load or run, and what there is of some elements.
pub fn html(dir: &Dir, name: &str) -> Value {
    let tidy = dir.command("tidy").args("-q -e -utf8").arg(name).run();
    let complaints: Vec<&str> = tidy
        .stderr
        .lines()
        // Debian's tidy is older than these.
        .filter(|line| !line.contains("<meta> attribute") && !line.contains("not approved by W3C"))
        .collect();
    assert!(
        tidy.status.code() < Some(2) && complaints.is_empty(),
        "{complaints:?}"
    );
    const CHECK: &str = "import json, sys, base64, hashlib, html.parser
text = open(sys.argv[1], encoding='utf-8').read()
class Page(html.parser.HTMLParser):
  def __init__(self): super().__init__(); self.count = {}; self.stack = []; self.style = ''; self.csp = ''; self.text = []
  def handle_starttag(self, tag, attributes):
    self.count[tag] = self.count.get(tag, 0) + 1
    names = dict(attributes)
    assert tag not in {'script', 'link', 'img', 'iframe', 'object', 'base', 'form', 'a'}, tag
    assert not any(n.startswith('on') or n in {'src', 'href', 'style', 'srcset'} for n in names), names
    if names.get('http-equiv') == 'Content-Security-Policy': self.csp = names['content']
    if tag == 'th': assert names.get('scope') in {'row', 'col'}, names
    if tag not in {'meta', 'rect'}: self.stack.append(tag)
  def handle_endtag(self, tag):
    if tag != 'rect': assert self.stack.pop() == tag, tag
  def handle_startendtag(self, tag, attributes): self.handle_starttag(tag, attributes)
  def handle_data(self, data):
    if self.stack and self.stack[-1] == 'style': self.style += data
    else: self.text.append(data)
page = Page(); page.feed(text); page.close()
assert not page.stack, page.stack
style = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
assert page.csp.startswith(\"default-src 'none'; style-src 'sha256-\" + style + \"'\"), page.csp
assert 'url(' not in page.style and '@import' not in page.style
assert '<html lang=\"en\">' in text and 'name=\"viewport\"' in text and '<title>' in text
print(json.dumps([page.count, ''.join(page.text)]))";
    python(dir, CHECK, name)
}

fn with_all(dir: &Dir, flags: &str) -> Run {
    dir.validate()
        .args("-f list.txt -j 8 --retries 0 --report r.json --report r.jsonl --report r.xml --report r.csv --report r.md --report r.html")
        .args(flags)
        .run()
}

#[test]
fn every_form_has_every_line() {
    let (source, destination) = registries();
    let dir = Dir::new();
    let mut list = "team/x team/x passes\n".to_owned();
    for code in &CODES[..13] {
        list += &format!("team/x team/x {code}\n");
    }
    list += "=cmd|'<script>alert(1)</script>`\"\u{202e}\u{1} x\nteam/x team/x passes\nteam/x team/x passes\n";
    dir.write("list.txt", &list);
    let flags = format!("-s {} -d {}", source.name(), destination.name());
    with_all(&dir, &flags).code(1).error("");
    assert!(
        !dir.names().iter().any(|name| name.ends_with(".partial")),
        "{:?}",
        dir.names()
    );
    let report: Value = serde_json::from_str(&dir.read("r.json")).unwrap();
    let lines = report["lines"].as_array().unwrap();

    let cases = junit(&dir, "r.xml");
    assert_eq!(cases[0]["tests"], "17");
    assert_eq!(cases[0]["failures"], "9");
    assert_eq!(cases[0]["errors"], "5");
    let cases = cases[1].as_array().unwrap();
    assert_eq!(cases.len(), 17);
    let with = |kind: &str, code: &str| {
        cases
            .iter()
            .filter(|case| case[2][0] == kind && case[2][1] == code)
            .count()
    };
    for (index, code) in CODES.iter().enumerate() {
        let kind = if index < 9 { "failure" } else { "error" };
        assert_eq!(with(kind, code), 1, "{code}");
    }
    let differs = cases
        .iter()
        .find(|case| case[2][1] == "index-differs")
        .unwrap();
    assert_eq!(differs[0], destination.name());
    assert!(
        differs[2][3]
            .as_str()
            .unwrap()
            .contains("linux/arm64: other digest")
    );

    let rows = csv(&dir, "r.csv");
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 18);
    for (row, line) in rows[1..].iter().zip(lines) {
        assert_eq!(row[0], line["line"].to_string());
        assert_eq!(row[7], line["outcome"]);
        assert_eq!(row[8], *line["code"].as_str().unwrap_or_default());
        assert_eq!(row[9], *line["message"].as_str().unwrap_or_default());
    }

    let page = html(&dir, "r.html");
    // Those that did not pass, and one for all that did.
    assert_eq!(page[0]["details"], 15);
    assert_eq!(page[0]["svg"], 1);
    let text = page[1].as_str().unwrap();
    for line in lines {
        assert!(
            text.contains(line["message"].as_str().unwrap_or_default()),
            "{line}"
        );
    }
    assert!(
        dir.read("r.html")
            .contains("≠ linux/arm64</th><td><mark>sha256:")
    );

    let page = dir.read("r.md");
    assert!(page.starts_with("# 9 of 17 images failed\n"), "{page}");
    assert!(
        page.contains("| failed | 9 |") && page.contains("| index-differs | 1 |"),
        "{page}"
    );
    for name in ["r.md", "r.html", "r.xml"] {
        let text = dir.read(name);
        assert!(
            !text.contains("<script>") && !text.contains('\u{202e}'),
            "{name}"
        );
        assert!(!text.contains('\u{1}') && !text.contains('\0'), "{name}");
    }
    let cell = |line: &str| line.starts_with("| ") && line.matches(" | ").count() < 1;
    assert!(!page.lines().any(cell), "{page}");
}

/// Characters that no XML file can have, and those that end a text or an attribute.
const HOSTILE: &str = "]]>&amp;<!--'\"\u{1}\u{8}\u{b}\u{7f}\u{85}\u{fffe}\u{ffff}\u{1fffe}\u{202e}";

#[test]
fn hostile_texts_are_valid_in_junit() {
    let server = Server::start(|_| Reply::error(403, HOSTILE, HOSTILE));
    let dir = Dir::new();
    let name = format!("{}.txt", HOSTILE.replace('/', ""));
    let long = "\u{fffe}&]]>".repeat(300);
    dir.write(
        &name,
        format!("team/x team/x 1\n{HOSTILE}\n{HOSTILE}\n{long} y z\nteam/x team/x 1\n"),
    );
    let flags = format!(
        "--retries 0 -s {} -d {} --report r.xml",
        server.name(),
        server.alias()
    );
    dir.validate()
        .args(&flags)
        .arg("-f")
        .arg(&name)
        .run()
        .code(3);
    let report = junit(&dir, "r.xml");
    let cases = report[1].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    let name = report[0]["name"].as_str().unwrap();
    assert!(name.starts_with("]]>&amp;<!--'\"\\u{1}\\u{8}"), "{name}");
    assert!(
        name.contains("\\u{fffe}\\u{ffff}\\u{1fffe}\\u{202e}"),
        "{name}"
    );
    for case in [&cases[0], &cases[1]] {
        let message = case[2][2].as_str().unwrap();
        assert!(message.contains("]]>&amp;<!--"), "{message}");
    }
}

#[test]
fn the_schema_refuses_what_gitlab_and_jenkins_cannot_read() {
    let dir = Dir::new();
    dir.write("list.txt", "no image\nneither\n");
    with_all(&dir, "").code(3);
    let good = dir.read("r.xml");
    for (from, to) in [
        ("<error type=\"invalid-line\"", "<error"),
        ("<error ", "<broken "),
        (" name=\"list.txt:2\"", " name=\"list.txt:1\""),
        (" errors=\"2\"", " errors=\"two\""),
        ("</testsuite>", "<testcase classname=\"a\"/></testsuite>"),
        (" message=", " mesage="),
        (" time=\"0.000\"", " time=\"0,000\""),
        ("list.txt:1", "\u{1}"),
    ] {
        assert!(good.contains(from), "{from}: {good}");
        let bad = good.replace(from, to).replace(
            "</error>",
            if to == "<broken " {
                "</broken>"
            } else {
                "</error>"
            },
        );
        dir.write("bad.xml", bad);
        assert_ne!(lint(&dir, "bad.xml").status.code(), Some(0), "{from}: {to}");
    }
    lint(&dir, "r.xml").code(0);
}

#[test]
fn nothing_is_a_formula() {
    let dir = Dir::new();
    dir.write("=1+1.txt", "no image\n");
    dir.validate()
        .args("-f =1+1.txt --report r.csv")
        .run()
        .code(3);
    let rows = csv(&dir, "r.csv");
    assert_eq!(rows[1][1], "'=1+1.txt:1");
    assert!(
        rows[1][9].as_str().unwrap().starts_with("'=1+1.txt:1: "),
        "{rows}"
    );
}

#[test]
fn an_empty_list_has_every_form_too() {
    let dir = Dir::new();
    dir.write("list.txt", "# nothing\n");
    with_all(&dir, "--allow-empty").code(0).error("");
    assert_eq!(junit(&dir, "r.xml")[1], json!([]));
    assert_eq!(csv(&dir, "r.csv").as_array().unwrap().len(), 1);
    assert_eq!(html(&dir, "r.html")[0].get("details"), None);
    assert!(dir.read("r.md").starts_with("# 0 images passed\n"));
}

/// Ten thousand failures: the page, the `JUnit` file and the summary keep to the limits of their readers.
#[test]
fn ten_thousand_failures_fit() {
    let mut content = Content::default();
    let one = content.image("team/x", crate::support::OCI, "linux/amd64", "a");
    let other = content.image("team/x", crate::support::OCI, "linux/amd64", "b");
    let mut mirror = content.clone();
    content.index("team/x", Some("any"), INDEX, &[entry(&one, "linux/amd64")]);
    mirror.index(
        "team/x",
        Some("any"),
        INDEX,
        &[entry(&other, "linux/amd64")],
    );
    let (source, destination) = (Server::of(content), Server::of(mirror));
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x any\n");
    let flags = format!("-q -s {} -d {}", source.name(), destination.name());
    with_all(&dir, &flags).code(1);
    // The report of one failure, ten thousand times: every form is made from it.
    let report = dir.read("r.jsonl");
    let lines: Vec<&str> = report.lines().collect();
    let [header, image, totals] = lines[..] else {
        panic!("{report}");
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (mut image, mut totals) = (json(image), json(totals));
    let mut many = format!("{header}\n");
    for number in 1..=10_000 {
        image["line"] = number.into();
        image["m_id"] = number.into();
        image["tag"] = format!("v{number}").into();
        many += &format!("{image}\n");
    }
    totals["lines"] = 10_000.into();
    totals["failed"] = 10_000.into();
    dir.write("many.jsonl", format!("{many}{totals}\n"));
    for form in ["html", "xml", "md"] {
        let merge = format!("merge r.{form} many.jsonl");
        dir.program().args(&merge).run().code(1).error("");
    }
    let size = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len();
    assert!(size("r.html") < 10_000_000, "{}", size("r.html"));
    assert!(size("r.xml") < 30_000_000, "{}", size("r.xml"));
    assert!(size("r.md") < 1 << 20, "{}", size("r.md"));
    assert_eq!(html(&dir, "r.html")[0]["details"], 10_000);
    assert_eq!(
        junit_cases(&dir, "r.xml")[1].as_array().unwrap().len(),
        10_000
    );
    let rows = dir.read("r.md");
    assert_eq!(
        rows.lines()
            .filter(|line| line.contains("| index-differs | source"))
            .count(),
        50
    );
    assert!(rows.contains("\n## Failed (50 of 10000)\n"));
}
