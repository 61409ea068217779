//! `make install`, and the release scripts of `fixtures/packaging/`, which pack a stand-in for the binary.
//! Tests that need cargo's packagers are ignored here: `make dist-check` runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Content, Dir, Registry, Run, TestCommand, skip};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];
const VERSION: &str = env!("CARGO_PKG_VERSION");
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/image-tools"),
    ("zsh", "zsh/site-functions/_image-tools"),
    ("fish", "fish/vendor_completions.d/image-tools.fish"),
];

/// What the deb installs; the RPM too, but for the place of zsh's completions.
const INSTALLED: [&str; 8] = [
    "usr/bin/image-tools",
    "usr/lib/systemd/system/mirror-validate.service",
    "usr/lib/systemd/system/mirror-validate.timer",
    "usr/share/bash-completion/completions/image-tools",
    "usr/share/doc/image-tools/README.md",
    "usr/share/fish/vendor_completions.d/image-tools.fish",
    "usr/share/man/man1/image-tools.1.gz",
    "usr/share/zsh/vendor-completions/_image-tools",
];

/// A command that knows cargo, and nothing else of the developer's settings.
fn tool(dir: &Dir, program: impl AsRef<std::ffi::OsStr>) -> TestCommand {
    let mut command = dir
        .command(program)
        .env("CARGO", env!("CARGO"))
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .env("SOURCE_REVISION", "0".repeat(40));
    for name in ["CARGO_HOME", "RUSTUP_HOME"] {
        let own = || {
            let home = std::env::var_os("HOME").unwrap_or_default();
            let folder = name.trim_end_matches("_HOME").to_lowercase();
            PathBuf::from(home).join(format!(".{folder}")).into()
        };
        command = command.env(name, std::env::var_os(name).unwrap_or_else(own));
    }
    command
}

fn make(dir: &Dir, args: &str) -> TestCommand {
    tool(dir, "make").arg("-C").arg(ROOT).args(args)
}

/// A small program that does what the real one does on this host.
fn stand_in(dir: &Dir) -> PathBuf {
    let real = env!("CARGO_BIN_EXE_image-tools");
    let path = dir.write("stand-in", format!("#!/bin/sh\nexec '{real}' \"$@\"\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// `package.sh` of a checkout, for both processors, into `DIR/out`.
fn package(dir: &Dir, checkout: &Path, forms: &str) -> TestCommand {
    let binary = stand_in(dir);
    let mut command = tool(dir, checkout.join("fixtures/packaging/package.sh"))
        .env("FORMS", forms)
        .arg("out");
    for target in TARGETS {
        command = command.arg(format!("{target}={}", binary.display()));
    }
    command
}

/// A shell command, which has to succeed.
#[track_caller]
fn shell(dir: &Dir, script: &str) -> Run {
    let run = dir.command("sh").arg("-ec").arg(script).run();
    run.code(0);
    run
}

fn mode(path: &Path) -> u32 {
    let data = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    data.permissions().mode() & 0o7777
}

#[test]
fn make_install_puts_each_file_in_its_place_and_uninstall_takes_it_away() {
    let dir = Dir::new();
    let where_to = format!(
        "PREFIX=/usr DESTDIR={0}/root IMAGE_TOOLS_BIN={0}/stand-in",
        dir.path().display()
    );
    stand_in(&dir);
    make(&dir, &format!("install {where_to}")).run().code(0);
    let usr = dir.path().join("root/usr");
    assert_eq!(mode(&usr.join("bin/image-tools")), 0o755);
    let page = "share/man/man1/image-tools.1";
    assert_eq!(mode(&usr.join(page)), 0o644);
    assert_eq!(
        fs::read_to_string(usr.join(page)).unwrap(),
        dir.program().arg("man").run().stdout
    );
    for (shell, file) in COMPLETIONS {
        assert_eq!(
            fs::read_to_string(usr.join("share").join(file)).unwrap(),
            dir.program()
                .args(&format!("completion {shell}"))
                .run()
                .stdout
        );
    }
    make(&dir, &format!("uninstall {where_to}")).run().code(0);
    assert_eq!(shell(&dir, "find root -type f").stdout, "");
}

#[test]
fn every_target_of_make_uses_the_target_directory_of_cargo() {
    // A checkout of its own: its cargo configuration is part of the question.
    let dir = Dir::new();
    for name in ["Makefile", "Cargo.toml", "Cargo.lock"] {
        fs::copy(Path::new(ROOT).join(name), dir.path().join(name)).unwrap();
    }
    for source in [
        "src/main.rs",
        "tests/tests.rs",
        "tests/demo/main.rs",
        "tests/bench/main.rs",
    ] {
        dir.write(source, "");
    }
    let targets =
        "all demo test bench bench-memory lint fuzz static install uninstall dist dist-check clean";
    let elsewhere = dir.path().join("elsewhere").display().to_string();
    let dry = || tool(&dir, "make").arg("-n").args(targets);
    let by_variable = dry().env("CARGO_TARGET_DIR", &elsewhere).run();
    dir.write(
        ".cargo/config.toml",
        "[build]\ntarget-dir = \"elsewhere\"\n",
    );
    let by_file = dry().run();
    for run in [by_variable, by_file] {
        run.code(0)
            .has(&format!("{elsewhere}/release/image-tools"))
            .has(&format!("{elsewhere}/prometheus/"))
            .has(&format!("{elsewhere}/nss"))
            .has(&format!("{elsewhere}/tools"));
        let own = dir.path().join("target").display().to_string();
        run.has_not(&own).has_not(" target/").has_not("'target/");
    }
}

#[test]
fn a_release_has_the_same_bytes_from_two_directories() {
    let first = Dir::new();
    package(&first, Path::new(ROOT), "tar image").run().code(0);
    let second = Dir::new();
    let checkout = second.path().join("another/checkout");
    fs::create_dir_all(checkout.join("fixtures")).unwrap();
    shell(
        &second,
        &format!(
            "umask 077; cd another/checkout; cp {ROOT}/*.md {ROOT}/LICENSE {ROOT}/Cargo.toml .; cp -r {ROOT}/fixtures/packaging fixtures/"
        ),
    );
    package(&second, &checkout, "tar image")
        .env("TZ", "Asia/Shanghai")
        .env("LC_ALL", "C.UTF-8")
        .run()
        .code(0);
    assert_eq!(first.read("out/SHA256SUMS"), second.read("out/SHA256SUMS"));
    let names = [
        "SHA256SUMS".to_owned(),
        format!("image-tools-{VERSION}-aarch64-unknown-linux-musl.tar.gz"),
        format!("image-tools-{VERSION}-oci.tar"),
        format!("image-tools-{VERSION}-x86_64-unknown-linux-musl.tar.gz"),
    ];
    for dir in [&first, &second] {
        assert_eq!(shell(dir, "ls out").stdout, names.join("\n") + "\n");
        shell(dir, "cd out && sha256sum --check --strict SHA256SUMS");
    }
}

#[test]
fn the_tarball_has_the_program_and_all_that_goes_with_it() {
    let dir = Dir::new();
    package(&dir, Path::new(ROOT), "tar").run().code(0);
    let name = format!("image-tools-{VERSION}-{}", TARGETS[0]);
    let listed = shell(
        &dir,
        &format!(
            "TZ=UTC tar -tvzf out/{name}.tar.gz | grep -v -e ' root/root ' -e ' 0/0 .* 2023-11-14 22:13 ' || true"
        ),
    );
    assert_eq!(listed.stdout, "", "another owner or time");
    shell(&dir, &format!("tar -xzf out/{name}.tar.gz"));
    let mut expected = vec![
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "SHA256SUMS",
        "completions/_image-tools",
        "completions/image-tools.bash",
        "completions/image-tools.fish",
        "image-tools",
        "image-tools.1",
        "mirror-validate.cron",
        "systemd/mirror-validate.service",
        "systemd/mirror-validate.timer",
    ];
    if Path::new(ROOT).join("README.zh-CN.md").exists() {
        expected.insert(2, "README.zh-CN.md");
    }
    let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
    expected.sort();
    let found = shell(
        &dir,
        &format!("cd {name} && find . -type f | sed 's|^./||' | LC_ALL=C sort"),
    );
    assert_eq!(found.stdout.lines().collect::<Vec<_>>(), expected);
    shell(
        &dir,
        &format!("cd {name} && sha256sum --check --strict SHA256SUMS && ./image-tools version"),
    )
    .has(VERSION);
}

#[test]
fn the_image_arrives_at_a_registry_as_this_program_sees_it() {
    let dir = Dir::new();
    package(&dir, Path::new(ROOT), "image").run().code(0);
    let registry = Registry::of(&Content::default());
    let image = format!("oci-archive:out/image-tools-{VERSION}-oci.tar");
    for repository in ["tools/image-tools", "mirror/image-tools"] {
        let to = format!("docker://{}/{repository}:{VERSION}", registry.name());
        dir.command("skopeo")
            .args("copy --quiet --all --insecure-policy --dest-tls-verify=false")
            .args(&format!("--tmpdir . {image} {to}"))
            .run()
            .code(0);
    }
    dir.write(
        "list.txt",
        format!("tools/image-tools mirror/image-tools {VERSION}\n"),
    );
    let run = dir
        .validate()
        .args("-f list.txt --deep --require-arch")
        .args(&format!("-s {} -d {}", registry.name(), registry.alias()))
        .run();
    run.code(0).has("PASS [").error("");
    for processor in ["amd64", "arm64"] {
        let inspected = dir
            .command("skopeo")
            .args(&format!("--override-arch {processor} inspect --config --tls-verify=false docker://{}/mirror/image-tools:{VERSION}", registry.name()))
            .run();
        inspected.code(0);
        let config: Value = serde_json::from_str(&inspected.stdout).unwrap();
        assert_eq!(config["architecture"], processor);
        assert_eq!(config["created"], "2023-11-14T22:13:20Z");
        let run = &config["config"];
        assert_eq!(run["User"], "65532:65532");
        assert_eq!(run["Entrypoint"], json!(["/usr/local/bin/image-tools"]));
        assert_eq!(
            run["Labels"]["org.opencontainers.image.version"], VERSION,
            "{config}"
        );
    }
}

/// Unpacks the image's layers for one processor into `DIR/rootfs`.
fn unpack_image(dir: &Dir, processor: &str) {
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
        format!("layout/blobs/{digest}")
    };
    let read = |name: &str| serde_json::from_str::<Value>(&dir.read(name)).unwrap();
    shell(
        dir,
        &format!("mkdir layout rootfs && tar -C layout -xf out/image-tools-{VERSION}-oci.tar"),
    );
    assert_eq!(read("layout/oci-layout")["imageLayoutVersion"], "1.0.0");
    let index = read(&blob(&read("layout/index.json")["manifests"][0]));
    let entries = index["manifests"].as_array().unwrap();
    let entry = entries
        .iter()
        .find(|entry| entry["platform"]["architecture"] == processor)
        .unwrap();
    for layer in read(&blob(entry))["layers"].as_array().unwrap() {
        shell(dir, &format!("tar -C rootfs -xpzf {}", blob(layer)));
    }
}

#[test]
fn the_image_works_for_its_user_who_is_not_root() {
    let statics = std::env::var("IMAGE_TOOLS_STATIC").unwrap_or_default();
    let Some(binary) = statics.split_whitespace().next() else {
        skip("no static binary in $IMAGE_TOOLS_STATIC; `make test` builds one");
        return;
    };
    let dir = Dir::new();
    if shell(&dir, "id -u").stdout != "0\n" {
        skip("a chroot needs root");
        return;
    }
    let processor = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let script = Path::new(ROOT).join("fixtures/packaging/image.sh");
    fs::create_dir(dir.path().join("out")).unwrap();
    tool(&dir, script)
        .arg(format!("out/image-tools-{VERSION}-oci.tar"))
        .arg(format!("{processor}={binary}"))
        .run()
        .code(0);
    unpack_image(&dir, processor);
    let certificates = dir.read("rootfs/etc/ssl/certs/ca-certificates.crt");
    assert!(certificates.matches("BEGIN CERTIFICATE").count() > 100);
    assert_eq!(mode(&dir.path().join("rootfs/work")), 0o1777);
    let run = shell(
        &dir,
        "cd rootfs/work && echo 'a b' | env -i $(command -v chroot) --userspec=65532:65532 .. /usr/local/bin/image-tools mirror-validate -f - -o /work/failed.txt || test $? = 3 && cat failed.txt",
    );
    run.has("a b\n");
}

#[test]
#[ignore = "needs cargo-deb: make dist-check"]
fn the_deb_installs_and_goes_away() {
    let dir = Dir::new();
    package(&dir, Path::new(ROOT), "deb").run().code(0);
    let names = shell(&dir, "ls out/*.deb").stdout;
    assert_eq!(
        names,
        format!("out/image-tools_{VERSION}-1_amd64.deb\nout/image-tools_{VERSION}-1_arm64.deb\n")
    );
    shell(
        &dir,
        "mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates && touch root/var/lib/dpkg/status",
    );
    let dpkg = format!(
        "dpkg --root={}/root --force-not-root --force-script-chrootless",
        dir.path().display()
    );
    shell(
        &dir,
        &format!("{dpkg} -i out/image-tools_{VERSION}-1_$(dpkg --print-architecture).deb"),
    );
    let files = shell(&dir, "cd root && find usr ! -type d | LC_ALL=C sort").stdout;
    for file in INSTALLED {
        assert!(files.contains(&format!("{file}\n")), "{file}: {files}");
    }
    shell(&dir, "root/usr/bin/image-tools version").has(VERSION);
    shell(&dir, "zcat root/usr/share/man/man1/image-tools.1.gz").has(".TH IMAGE");
    shell(
        &dir,
        "grep -q Apache root/usr/share/doc/image-tools/copyright",
    );
    shell(&dir, &format!("{dpkg} -P image-tools"));
    assert_eq!(
        shell(&dir, "find root -path '*/usr/*' ! -type d").stdout,
        ""
    );
}

#[test]
#[ignore = "needs cargo-generate-rpm: make dist-check"]
fn the_rpm_has_its_digests_its_files_and_no_requirement() {
    let dir = Dir::new();
    package(&dir, Path::new(ROOT), "rpm").run().code(0);
    for processor in ["x86_64", "aarch64"] {
        let file = format!("out/image-tools-{VERSION}-1.{processor}.rpm");
        shell(&dir, &format!("rpm -K {file}")).has("digests OK");
        shell(&dir, &format!("rpm -qp --queryformat '%{{ARCH}}' {file}")).has(processor);
        let files = shell(&dir, &format!("rpm2cpio {file} | cpio -t --quiet")).stdout;
        for name in INSTALLED {
            let name = name.replace("zsh/vendor-completions", "zsh/site-functions");
            assert!(files.contains(&format!("./{name}\n")), "{name}: {files}");
        }
        let requirements = shell(&dir, &format!("rpm -qp --requires {file}")).stdout;
        let others: Vec<&str> = requirements
            .lines()
            .filter(|line| !line.starts_with("rpmlib("))
            .collect();
        assert!(others.is_empty(), "{requirements}");
    }
}

#[test]
#[ignore = "needs cargo's packagers: make dist-check"]
fn packages_and_sboms_have_the_same_bytes_twice() {
    let first = Dir::new();
    let second = Dir::new();
    for dir in [&first, &second] {
        package(dir, Path::new(ROOT), "deb rpm sbom").run().code(0);
        for target in TARGETS {
            let sbom = dir.read(&format!("out/image-tools-{VERSION}-{target}.cdx.json"));
            let sbom: Value = serde_json::from_str(&sbom).unwrap();
            assert_eq!(sbom["bomFormat"], "CycloneDX");
            assert!(sbom.to_string().contains("pkg:cargo/ureq@"));
            assert!(!sbom.to_string().contains(ROOT), "a path in the SBOM");
        }
    }
    assert_eq!(first.read("out/SHA256SUMS"), second.read("out/SHA256SUMS"));
}

#[test]
#[ignore = "needs minisign and gpg: make dist-check"]
fn a_release_is_signed_with_either_kind_of_key() {
    let dir = Dir::new();
    dir.write("out/SHA256SUMS", "0000  file\n");
    shell(&dir, "minisign -G -W -f -p public -s secret");
    let out = dir.path().join("out").display().to_string();
    let key = dir.path().join("secret").display().to_string();
    make(&dir, &format!("sign DIST={out} KEY={key}"))
        .run()
        .code(0);
    shell(&dir, "minisign -V -p public -m out/SHA256SUMS");
    shell(
        &dir,
        "mkdir -m 700 .gnupg && gpg --batch --passphrase '' --quick-gen-key tester@example.com",
    );
    make(&dir, &format!("sign DIST={out} KEY=tester@example.com"))
        .run()
        .code(0);
    shell(
        &dir,
        "gpg --verify out/SHA256SUMS.asc out/SHA256SUMS; gpgconf --kill all",
    );
    assert_eq!(make(&dir, "sign").run().status.code(), Some(2));
}
