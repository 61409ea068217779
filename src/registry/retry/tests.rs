use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::registry::scripted::{FakeClock, Scripted, lost, no_log, refused, reply, with_header};
use crate::registry::secret::Secret;

const RETRIES: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(120);

/// A retrier over a script, with its clock.
fn over(script: &Scripted, retries: u32) -> (Retrier, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    (with_clock(script, &clock, retries), clock)
}

fn with_clock(script: &Scripted, clock: &Arc<FakeClock>, retries: u32) -> Retrier {
    let settings = RetrySettings {
        retries,
        patience: PATIENCE,
        timeout: Duration::from_secs(30),
        insecure: Arc::default(),
    };
    Retrier::new(Box::new(script.clone()), clock.clone(), settings)
}

fn get(url: &str) -> Request {
    let url = Url::parse(url).expect("a URL");
    Request::new(Method::GET, url, &["application/json"], BodyMode::Keep(1))
}

fn send(retrier: &Retrier, url: &str) -> Result<u16, String> {
    retrier
        .send("reg.io", get(url), &no_log())
        .map(|response| response.status.as_u16())
        .map_err(|error| error.to_string())
}

const A: &str = "https://reg.io/v2/a";
const B: &str = "https://reg.io/v2/b";

#[test]
fn credentials_in_clear_text_cause_one_warning_per_host() {
    let script = Scripted::answering(|_| reply(200, ""));
    let (retrier, _) = over(&script, 0);
    let warned = |url: &str, has_secret: bool| {
        let texts: Arc<Mutex<Vec<String>>> = Arc::default();
        let port = texts.clone();
        let log = Log::new(false, move |record| {
            port.lock().expect("texts").push(record.text);
        });
        let mut request = get(url);
        if has_secret {
            request.authorization = Some(Secret::new("Basic bWU6c2VjcmV0"));
        }
        retrier.send("reg.io", request, &log).expect("a response");
        let texts = texts.lock().expect("texts");
        texts.clone()
    };
    assert_eq!(warned("http://reg.io/v2/a", false), Vec::<String>::new());
    assert_eq!(
        warned("http://reg.io/v2/a", true),
        ["reg.io: credentials are sent unencrypted over plain HTTP"]
    );
    for url in ["http://reg.io/v2/b", A, "http://127.0.0.1:5000/v2/a"] {
        assert_eq!(warned(url, true), Vec::<String>::new(), "{url}");
    }
}

#[test]
fn a_request_is_repeated_with_growing_pauses() {
    let script = Scripted::expecting(vec![
        ("GET https://reg.io/v2/a", reply(503, "")),
        ("GET https://reg.io/v2/a", lost()),
        ("GET https://reg.io/v2/a", reply(502, "")),
        ("GET https://reg.io/v2/a", refused()),
        ("GET https://reg.io/v2/a", reply(404, "")),
    ]);
    let (retrier, clock) = over(&script, RETRIES);
    assert_eq!(send(&retrier, A), Ok(404));
    script.finish();
    let slept = clock.slept();
    let [first, broken, second, third] = slept[..] else {
        panic!("{slept:?}");
    };
    assert_eq!(broken, BROKEN_PAUSE);
    for (pause, full) in [(first, 500), (second, 1000), (third, 2000)] {
        let full = Duration::from_millis(full);
        assert!(pause >= full / 2 && pause <= full, "{slept:?}");
    }
}

#[test]
fn a_final_response_or_failure_is_not_repeated() {
    let script = Scripted::expecting(vec![
        ("GET https://reg.io/v2/a", reply(403, "")),
        ("GET https://reg.io/v2/a", Err(Failure::NotTls)),
    ]);
    let (retrier, _) = over(&script, RETRIES);
    assert_eq!(send(&retrier, A), Ok(403));
    assert_eq!(
        send(&retrier, A),
        Err("reg.io: GET /v2/a: the server does not speak TLS on this port; for plain HTTP, use --tls-verify=false".to_owned())
    );
    script.finish();
}

#[test]
fn a_timeout_is_retried_once() {
    let slow = || {
        Err(Failure::Timeout(
            "timed out while waiting for the response".to_owned(),
        ))
    };
    let script = Scripted::answering(move |request| match request.url.path() {
        "/v2/a" => slow(),
        _ => reply(200, ""),
    });
    let (retrier, _) = over(&script, RETRIES);
    assert_eq!(
        send(&retrier, A),
        Err("reg.io: GET /v2/a: timed out while waiting for the response (2 attempts); if the registry is slow, increase --timeout".to_owned())
    );
    assert_eq!(script.count(A), 2);
}

#[test]
fn a_stale_connection_does_not_count_as_an_attempt() {
    let stale = || {
        Err(Failure::Lost {
            text: "the connection was reset".to_owned(),
            stale: true,
        })
    };
    let mut steps: Vec<_> = (0..20)
        .map(|_| ("GET https://reg.io/v2/a", stale()))
        .collect();
    steps.push(("GET https://reg.io/v2/a", reply(200, "")));
    let script = Scripted::expecting(steps);
    let (retrier, clock) = over(&script, 0);
    assert_eq!(send(&retrier, A), Ok(200));
    assert_eq!(clock.passed(), Duration::ZERO);
}

#[test]
fn retry_after_holds_back_all_requests_to_the_host_and_no_other() {
    let script = Scripted::expecting(vec![
        (
            "GET https://reg.io/v2/a",
            with_header(429, "retry-after", "7"),
        ),
        ("GET https://other.io/v2/a", reply(200, "")),
        ("GET https://reg.io/v2/b", reply(200, "")),
    ]);
    let (retrier, clock) = over(&script, 0);
    assert!(send(&retrier, A).is_err());
    assert_eq!(send(&retrier, "https://other.io/v2/a"), Ok(200));
    assert_eq!(clock.passed(), Duration::ZERO);
    assert_eq!(send(&retrier, B), Ok(200));
    assert!(clock.passed() >= Duration::from_secs(7));
}

#[test]
fn an_image_that_always_fails_does_not_close_the_host() {
    let script = Scripted::answering(|request| match request.url.path() {
        "/v2/a" => reply(500, ""),
        _ => reply(200, ""),
    });
    let (retrier, clock) = over(&script, RETRIES);
    assert_eq!(send(&retrier, B), Ok(200));
    for _ in 0..10 {
        assert_eq!(
            send(&retrier, A),
            Err("reg.io: GET /v2/a: 500 Internal Server Error (5 attempts)".to_owned())
        );
        let before = clock.passed();
        assert_eq!(send(&retrier, B), Ok(200));
        assert_eq!(clock.passed(), before, "healthy images do not wait");
    }
    // One check per five attempts without a response.
    assert_eq!(script.count(A), 50);
    assert_eq!(script.lines().len(), 1 + 50 + 10 + 10);
}

#[test]
fn without_a_good_response_the_base_url_decides_whether_the_host_is_down() {
    let script = Scripted::answering(|request| match request.url.path() {
        "/v2/" => reply(401, ""),
        _ => reply(500, ""),
    });
    let (retrier, _) = over(&script, RETRIES);
    assert!(send(&retrier, A).is_err());
    assert_eq!(script.count("https://reg.io/v2/"), 1);
    assert!(send(&retrier, B).is_err_and(|error| !error.contains("skipped")));
}

/// A host that responds, fails with this failure for some seconds, and then responds again.
fn outage(seconds: u64, failure: fn() -> Result<Response, Failure>) -> (Scripted, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let time = clock.clone();
    let script = Scripted::answering(move |_| {
        let passed = time.passed();
        if passed >= Duration::from_secs(1) && passed < Duration::from_secs(1 + seconds) {
            failure()
        } else {
            reply(200, "")
        }
    });
    (script, clock)
}

#[test]
fn an_outage_within_the_patience_fails_no_image() {
    for failure in [refused, lost, || reply(503, "")] {
        for retries in [0, RETRIES] {
            let (script, clock) = outage(60, failure);
            let retrier = with_clock(&script, &clock, retries);
            assert_eq!(send(&retrier, A), Ok(200));
            clock.advance(Duration::from_secs(1));
            for _ in 0..100 {
                assert_eq!(send(&retrier, B), Ok(200), "{retries} retries");
            }
            let passed = clock.passed();
            assert!(passed < Duration::from_secs(90), "{passed:?}");
            let sent = script.lines().len();
            assert!(sent < 130, "a closed host is left alone: {sent}");
        }
    }
}

#[test]
fn an_outage_beyond_the_patience_fails_the_rest_at_once() {
    for failure in [refused, || reply(503, "")] {
        let (script, clock) = outage(3600, failure);
        let retrier = with_clock(&script, &clock, RETRIES);
        assert_eq!(send(&retrier, A), Ok(200));
        clock.advance(Duration::from_secs(1));
        let first = send(&retrier, B).expect_err("down");
        assert!(first.contains(" attempts)"), "{first}");
        for _ in 0..500 {
            let error = send(&retrier, B).expect_err("down");
            assert!(
                error.starts_with("reg.io: GET /v2/b: skipped: the registry is not responding ("),
                "{error}"
            );
        }
        let passed = clock.passed();
        assert!(passed >= PATIENCE, "{passed:?}");
        assert!(passed < PATIENCE + Duration::from_secs(20), "{passed:?}");
        let sent = script.lines().len();
        assert!(sent < 40, "{sent}");
        // The host is tried from time to time, even without waiting images.
        clock.advance(Duration::from_secs(3600));
        assert_eq!(send(&retrier, B), Ok(200));
    }
}

#[test]
fn a_host_that_never_responds_costs_its_retries_and_a_little_patience() {
    let script = Scripted::answering(|_| refused());
    let (retrier, clock) = over(&script, 0);
    let expected = "reg.io: GET /v2/a: connection refused".to_owned();
    assert_eq!(send(&retrier, A), Err(expected));
    assert_eq!(clock.passed(), Duration::ZERO, "without retries at once");
    let unavailable: fn() -> Result<Response, Failure> = || reply(503, "");
    // A host that takes no connection is closed at once, and uses up its patience.
    for (failure, attempts) in [(refused as fn() -> _, 4), (unavailable, 5)] {
        let script = Scripted::answering(move |_| failure());
        let (retrier, clock) = over(&script, RETRIES);
        let error = send(&retrier, A).expect_err("down");
        assert!(
            error.ends_with(&format!("({attempts} attempts)")),
            "{error}"
        );
        let first = clock.passed();
        assert!(first <= Duration::from_secs(12), "{first:?}");
        for _ in 0..500 {
            assert!(send(&retrier, B).is_err());
        }
        let rest = clock.passed() - first;
        assert!(rest <= Duration::from_secs(12), "{rest:?}");
        let sent = script.lines().len();
        assert!(sent < 20, "{sent}");
    }
}

#[test]
fn a_failing_store_does_not_close_the_registry() {
    for failure in [refused, || with_header(503, "retry-after", "60")] {
        let script = Scripted::answering(move |request| {
            match (request.url.host_str(), request.url.path()) {
                (Some("store.io"), _) => failure(),
                (_, "/v2/a") => with_header(307, "location", "https://store.io/x"),
                _ => reply(200, ""),
            }
        });
        let (retrier, clock) = over(&script, RETRIES);
        for _ in 0..10 {
            assert!(send(&retrier, A).is_err());
        }
        let before = clock.passed();
        assert_eq!(send(&retrier, B), Ok(200));
        assert_eq!(clock.passed(), before);
    }
}

#[test]
fn a_closed_host_does_not_delay_other_hosts() {
    let is_waiting = Arc::new(AtomicBool::new(false));
    let (script, clock) = outage(30, refused);
    let other = Scripted::answering({
        let script = script.clone();
        move |request| match request.url.host_str() {
            Some("reg.io") => script.send(request, &no_log()),
            _ => reply(200, ""),
        }
    });
    let retrier = with_clock(&other, &clock, 0);
    assert_eq!(send(&retrier, A), Ok(200));
    clock.advance(Duration::from_secs(1));
    std::thread::scope(|scope| {
        let waiting = is_waiting.clone();
        let retrier = &retrier;
        scope.spawn(move || {
            waiting.store(true, Ordering::SeqCst);
            assert_eq!(send(retrier, A), Ok(200));
        });
        for _ in 0..100 {
            assert_eq!(send(retrier, "https://other.io/v2/a"), Ok(200));
        }
    });
    assert!(is_waiting.load(Ordering::SeqCst));
}

#[test]
fn verdicts_do_not_depend_on_threads_or_order() {
    // Of 40 images 7 are damaged: alone, in a row, and at the end.
    let is_damaged = |number: usize| matches!(number, 3 | 10..=13 | 38 | 39);
    let run = |threads: usize, reverse: bool| {
        let script = Scripted::answering(move |request| {
            let number = request.url.path().trim_start_matches("/v2/x");
            match number.parse() {
                Ok(number) if is_damaged(number) => reply(500, ""),
                _ => reply(200, ""),
            }
        });
        let (retrier, _) = over(&script, 1);
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<(usize, bool)>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if number >= 40 {
                            return;
                        }
                        let number = if reverse { 39 - number } else { number };
                        let url = format!("https://reg.io/v2/x{number}");
                        let passed = send(&retrier, &url) == Ok(200);
                        results.lock().expect("results").push((number, passed));
                    }
                });
            }
        });
        let mut results = results.into_inner().expect("results");
        results.sort_unstable();
        results
    };
    let expected: Vec<_> = (0..40)
        .map(|number| (number, !is_damaged(number)))
        .collect();
    for threads in [1, 2, 8] {
        for reverse in [false, true] {
            assert_eq!(run(threads, reverse), expected, "{threads} threads");
        }
    }
}

#[test]
fn a_panic_in_an_exchange_costs_that_request_only() {
    let panics = Arc::new(AtomicBool::new(true));
    let flag = panics.clone();
    let script = Scripted::answering(move |request| {
        assert!(
            request.url.path() != "/v2/a" || !flag.load(Ordering::SeqCst),
            "on purpose"
        );
        reply(200, "")
    });
    let (retrier, _) = over(&script, RETRIES);
    let result = catch_unwind(AssertUnwindSafe(|| send(&retrier, A)));
    assert!(result.is_err());
    assert_eq!(send(&retrier, B), Ok(200));
    panics.store(false, Ordering::SeqCst);
    assert_eq!(send(&retrier, A), Ok(200));
}

#[test]
fn a_panic_in_a_trial_or_a_check_does_not_close_the_host_for_good() {
    // The host is down, then a request panics, then the host is up.
    for down in [refused, || reply(503, "")] {
        let count = AtomicUsize::new(0);
        let script = Scripted::answering(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => reply(200, ""),
            1 => down(),
            2 | 3 => panic!("on purpose"),
            _ => reply(200, ""),
        });
        let (retrier, _) = over(&script, 0);
        assert_eq!(send(&retrier, A), Ok(200));
        for _ in 0..2 {
            let result = catch_unwind(AssertUnwindSafe(|| send(&retrier, B)));
            assert!(result.is_err());
        }
        assert_eq!(send(&retrier, B), Ok(200));
    }
}

#[test]
fn waits_end_with_the_run() {
    let (script, clock) = outage(3600, refused);
    let ends = clock.clone();
    let script = Scripted::answering(move |request| {
        if ends.passed() > Duration::from_secs(30) {
            ends.interrupt();
        }
        script.send(request, &no_log())
    });
    let retrier = with_clock(&script, &clock, RETRIES);
    assert_eq!(send(&retrier, A), Ok(200));
    clock.advance(Duration::from_secs(1));
    assert_eq!(send(&retrier, B), Err("interrupted".to_owned()));
    assert!(clock.passed() < Duration::from_secs(60));
}

#[test]
fn waiting_lasts_from_the_first_failure_to_the_response() {
    let log = no_log();
    let seen = |log: &Log| {
        let waiting = log.waits().first();
        waiting.map(|waiting| format!("{} {}", waiting.host, waiting.attempt))
    };
    let at: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let (noted, of_run) = (at.clone(), log.clone());
    let attempts = AtomicUsize::new(0);
    let script = Scripted::answering(move |_| {
        noted.lock().expect("notes").push(seen(&of_run));
        match attempts.fetch_add(1, Ordering::Relaxed) {
            0 | 2 => reply(503, ""),
            1 => with_header(429, "retry-after", "7"),
            _ => reply(200, ""),
        }
    });
    let (retrier, _) = over(&script, RETRIES);
    let request = get("https://reg.io:5000/v2/a");
    retrier
        .send("reg.io:5000", request, &log)
        .expect("a response");
    let of = |attempt| Some(format!("reg.io:5000 {attempt}"));
    assert_eq!(*at.lock().expect("notes"), [None, of(2), of(3), of(4)]);
    assert_eq!(seen(&log), None);
    // Also if no attempt gets a response.
    let script = Scripted::answering(|_| refused());
    let (retrier, _) = over(&script, RETRIES);
    assert!(retrier.send("reg.io", get(A), &log).is_err());
    assert_eq!(seen(&log), None);
}
