//! The static binary on hosts that have nothing: an empty chroot, and one whose `nsswitch.conf`
//! names modules that crash other static programs. `make test` builds the binaries for it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Content, Dir, Run, Server, skip};

/// The static binaries, from `$IMAGE_TOOLS_STATIC`; empty where there are none, or no root.
fn binaries() -> Vec<PathBuf> {
    let given = std::env::var("IMAGE_TOOLS_STATIC").unwrap_or_default();
    let found: Vec<PathBuf> = given.split_whitespace().map(PathBuf::from).collect();
    if found.is_empty() {
        skip("no static binary in $IMAGE_TOOLS_STATIC; `make test` builds one");
    }
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n");
    if !is_root {
        skip("a chroot needs root");
        return Vec::new();
    }
    found
}

fn install(binary: &Path, root: &Path) {
    fs::create_dir_all(root.join("out")).unwrap();
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::copy(binary, root.join("image-tools"))
        .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    fs::set_permissions(root.join("image-tools"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(root.join("etc/hosts"), "127.0.0.1 registry.test\n").unwrap();
    fs::write(
        root.join("etc/resolv.conf"),
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    )
    .unwrap();
}

/// Runs the binary in the chroot, read-only but for `/out`, without any environment.
fn in_chroot(root: &Path, args: &str) -> Run {
    let dir = Dir::new();
    let root = root.display();
    let script = format!(
        "mount --bind {root} {root} && mount -t tmpfs none {root}/out && cp list.txt {root}/out/ && \
         mount -o remount,bind,ro {root} && env -i $(command -v chroot) {root} /image-tools {args}; \
         code=$?; cat {root}/out/failed.txt 2>/dev/null; exit $code"
    );
    dir.write("list.txt", "team/x team/x 1\nteam/x team/y 1\n");
    dir.command("unshare").args("-m sh -c").arg(script).run()
}

fn registry() -> Server {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    Server::of(content)
}

#[track_caller]
fn works(root: &Path) {
    let server = registry();
    // By its name from /etc/hosts, which is no loopback name: plain HTTP has to be allowed.
    let name = format!("registry.test:{}", server.port());
    let args = format!(
        "mirror-validate -f /out/list.txt -o /out/failed.txt --tls-verify=false -s {name} -d {name}"
    );
    let run = in_chroot(root, &args);
    run.code(1)
        .error("")
        .has(&format!("PASS [{name}/team/x:1]"))
        .has("destination manifest does not exists")
        .has("\nteam/x team/y 1\n");
    let run = in_chroot(
        root,
        "mirror-validate -f /out/list.txt -o /out/failed.txt --retries 0 --timeout 3s -s nowhere.test -d nowhere.test",
    );
    run.code(3)
        .has("NOT VALIDATED")
        .has("nowhere.test: GET /v2/: ");
    in_chroot(root, "mirror-validate -h")
        .code(0)
        .has("Usage of mirror-validate:");
}

#[test]
fn it_works_where_there_is_nothing_else() {
    for binary in binaries() {
        let dir = Dir::new();
        install(&binary, dir.path());
        works(dir.path());
        let headers = Command::new("readelf")
            .args(["-l", "-d"])
            .arg(&binary)
            .output();
        if let Ok(headers) = headers {
            let text = String::from_utf8_lossy(&headers.stdout).into_owned();
            assert!(
                !text.contains("INTERP") && !text.contains("NEEDED"),
                "{text}"
            );
        }
    }
}

#[test]
fn it_works_where_name_lookup_has_modules() {
    let unpacked = std::env::var_os("IMAGE_TOOLS_NSS").unwrap_or_default();
    let modules = Path::new(&unpacked).join("usr/lib/x86_64-linux-gnu");
    for binary in binaries() {
        if !modules.is_dir() {
            skip(&format!(
                "no modules in {}; `make test` gets them",
                modules.display()
            ));
            return;
        }
        let dir = Dir::new();
        install(&binary, dir.path());
        fs::write(
            dir.path().join("etc/nsswitch.conf"),
            "hosts: myhostname resolve [!UNAVAIL=return] files dns\n",
        )
        .unwrap();
        let lib = dir.path().join("lib/x86_64-linux-gnu");
        fs::create_dir_all(&lib).unwrap();
        let mut needed = vec![PathBuf::from("/lib64/ld-linux-x86-64.so.2")];
        for module in fs::read_dir(&modules).unwrap() {
            let module = module.unwrap().path();
            let listed = Command::new("ldd")
                .arg(&module)
                .output()
                .expect("ldd")
                .stdout;
            needed.extend(
                String::from_utf8_lossy(&listed)
                    .split_whitespace()
                    .filter(|word| word.starts_with('/'))
                    .map(PathBuf::from),
            );
            needed.push(module);
        }
        for file in needed {
            fs::copy(&file, lib.join(file.file_name().unwrap())).unwrap();
        }
        fs::create_dir_all(dir.path().join("lib64")).unwrap();
        fs::copy(
            "/lib64/ld-linux-x86-64.so.2",
            dir.path().join("lib64/ld-linux-x86-64.so.2"),
        )
        .unwrap();
        works(dir.path());
    }
}
