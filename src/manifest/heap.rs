//! For tests: the memory that reading takes. The allocator of the test program counts, for each thread,
//! the bytes that are in use and their peak.

#![allow(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static IN_USE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(by: isize) {
    let now = IN_USE.get() + by;
    IN_USE.set(now);
    PEAK.set(PEAK.get().max(now));
}

fn size(layout: Layout) -> isize {
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

// SAFETY: every call goes to the system's allocator as it is; the counters are not allocated and have
// no destructor, so they can be used at any time of a thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The most bytes that were in use at once while this ran, besides those before.
fn peak_of<T>(run: impl FnOnce() -> T) -> usize {
    let before = IN_USE.get();
    PEAK.set(before);
    let result = run();
    let peak = PEAK.get() - before;
    drop(result);
    usize::try_from(peak).expect("not negative")
}

#[cfg(test)]
mod tests {
    use super::super::{
        Digest, MAX_BYTES, MAX_ENTRIES, blobs, config_platform, is_referrers_list, parse, referrers,
    };
    use super::peak_of;

    /// What a document of [`MAX_BYTES`] may take; a shorter one its part of that.
    const LIMIT: usize = 20_000_000;

    /// A document of a quarter of [`MAX_BYTES`], for speed, with this as often as it fits.
    fn filled(before: &str, part: &str, after: &str) -> String {
        filled_to(MAX_BYTES / 4, before, part, after)
    }

    fn filled_to(limit: u64, before: &str, part: &str, after: &str) -> String {
        let limit = usize::try_from(limit).expect("a usize");
        let times = (limit - before.len() - after.len()) / part.len();
        let mut text = format!("{before}{}", part.repeat(times));
        if part.ends_with(',') {
            text.pop();
        }
        text + after
    }

    #[test]
    fn no_document_takes_more_than_20_megabytes() {
        let digest = Digest::of(b"x");
        let entries = |count: usize| {
            let entry = |number| {
                format!(
                    r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{number:064x}","size":7,"platform":{{"architecture":"amd64","os":"linux","variant":"v1","os.version":"10.0.17763.1234","os.features":["win32k","x"]}},"annotations":{{"a":"b"}}}}"#
                )
            };
            (0..count).map(entry).collect::<Vec<_>>().join(",")
        };
        let index = r#"{"schemaVersion":2,"manifests":["#;
        let one = format!(r#"{{"digest":"{digest}","platform":{{"os.features":["#);
        let config =
            format!(r#"{{"schemaVersion":2,"config":{{"digest":"{digest}","size":1}},"layers":["#);
        let v1 = r#"{"schemaVersion":1,"history":[{"v1Compatibility":""#;
        let mut distinct = String::new();
        for number in 0.. {
            distinct += &format!("\"{number}\":0,");
            if distinct.len() > 1_000_000 {
                break;
            }
        }
        let documents = [
            (
                "objects in an object",
                filled(index, r#"{"":{"":0}},"#, "]}"),
            ),
            ("empty entries", filled(index, "{},", "]}")),
            ("depth", filled(&format!("{index}{{\"x\":"), "[", "")),
            (
                "depth of a platform",
                filled(&format!("{index}{{\"platform\":"), "[", ""),
            ),
            (
                "junk beside the fields",
                filled(
                    r#"{"schemaVersion":2,"manifests":[],"x":["#,
                    r#"{"":{"":0}},"#,
                    "]}",
                ),
            ),
            (
                "features",
                filled(&format!("{index}{one}"), "\"a\",", "]}}]}"),
            ),
            (
                "a long feature",
                filled(&format!("{index}{one}\""), "a", "\"]}}]}"),
            ),
            (
                "an escaped feature",
                filled(&format!("{index}{one}\""), "\\u00e9", "\"]}}]}"),
            ),
            ("a long key", filled("{\"", "\\n", "\":0}")),
            ("keys", format!("{{{distinct}\"x\":0}}")),
            (
                "keys of an entry",
                format!("{index}{{{distinct}\"x\":0}}]}}"),
            ),
            ("layers", filled(&config, "{},", "]}")),
            (
                "sound layers",
                filled(
                    &config,
                    &format!("{{\"digest\":\"{digest}\",\"size\":1}},"),
                    "]}",
                ),
            ),
            ("history", filled(v1, "[", "\"}]}")),
            ("not UTF-8", filled("{\"x\":\"", "\u{e9}", "\"}")),
            (
                "an object",
                filled("{\"errors\":0,\"x\":[", r#"{"":{"":0}},"#, "]}"),
            ),
        ];
        for (what, document) in &documents {
            let mut bytes = document.clone().into_bytes();
            if *what == "not UTF-8" {
                let second = bytes.iter_mut().filter(|byte| **byte == 0xa9);
                second.for_each(|byte| *byte = b'x');
            }
            let mut peaks = vec![peak_of(|| parse(&bytes).err())];
            if document.starts_with(index) {
                peaks.push(peak_of(|| referrers(&bytes).err()));
            } else if document.starts_with(&config) {
                peaks.push(peak_of(|| blobs(&bytes).err()));
            } else {
                peaks.push(peak_of(|| config_platform(&bytes).err()));
                peaks.push(peak_of(|| is_referrers_list(&bytes, true)));
            }
            assert!(
                peaks.iter().all(|peak| *peak < LIMIT / 4),
                "{what}: {peaks:?}"
            );
        }
        let junk = filled_to(MAX_BYTES, index, r#"{"":{"":0}},"#, "]}");
        let most = format!("{index}{}]}}", entries(MAX_ENTRIES));
        for document in [junk, most] {
            assert!(peak_of(|| parse(document.as_bytes())) < LIMIT);
            assert!(peak_of(|| referrers(document.as_bytes())) < LIMIT);
        }
        // The counter counts.
        assert!(peak_of(|| vec![0_u8; LIMIT]) >= LIMIT);
    }
}
