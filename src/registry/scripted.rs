//! A scripted exchange and a fake clock, for the unit tests of everything above one exchange.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::exchange::{Clock, Exchange, Request, Response};
use super::failure::Failure;
use crate::log::Log;

/// A clock that advances only by sleeping, which takes no time.
pub struct FakeClock {
    begin: Instant,
    state: Mutex<FakeTime>,
}

#[derive(Default)]
struct FakeTime {
    passed: Duration,
    slept: Vec<Duration>,
    interrupted: bool,
}

impl Default for FakeClock {
    fn default() -> Self {
        Self {
            begin: Instant::now(),
            state: Mutex::default(),
        }
    }
}

impl FakeClock {
    pub fn advance(&self, time: Duration) {
        self.state.lock().expect("time").passed += time;
    }

    /// The time since the start.
    pub fn passed(&self) -> Duration {
        self.state.lock().expect("time").passed
    }

    pub fn slept(&self) -> Vec<Duration> {
        self.state.lock().expect("time").slept.clone()
    }

    /// Interrupts the run.
    pub fn interrupt(&self) {
        self.state.lock().expect("time").interrupted = true;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        self.begin + self.passed()
    }

    fn sleep(&self, time: Duration) -> bool {
        let mut state = self.state.lock().expect("time");
        state.passed += time;
        state.slept.push(time);
        state.interrupted
    }

    fn is_interrupted(&self) -> bool {
        self.state.lock().expect("time").interrupted
    }
}

type Reply = Result<Response, Failure>;
type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// An exchange that expects these requests in this order, or whose responses a function returns.
#[derive(Clone)]
pub struct Scripted(Arc<Script>);

struct Script {
    steps: Mutex<VecDeque<(String, Reply)>>,
    handler: Option<Box<Handler>>,
    requests: Mutex<Vec<Request>>,
}

impl Scripted {
    /// Expects exactly these requests, each as `GET https://reg.io/v2/`.
    pub fn expecting(steps: Vec<(&str, Reply)>) -> Self {
        let steps = steps.into_iter();
        Self(Arc::new(Script {
            steps: Mutex::new(
                steps
                    .map(|(line, reply)| (line.to_owned(), reply))
                    .collect(),
            ),
            handler: None,
            requests: Mutex::default(),
        }))
    }

    /// Responds to every request with the result of this function.
    pub fn answering(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self(Arc::new(Script {
            steps: Mutex::default(),
            handler: Some(Box::new(handler)),
            requests: Mutex::default(),
        }))
    }

    /// All requests, each as `GET https://reg.io/v2/`.
    pub fn lines(&self) -> Vec<String> {
        self.requests().iter().map(line).collect()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.0.requests.lock().expect("requests").clone()
    }

    pub fn count(&self, url: &str) -> usize {
        let requests = self.requests();
        requests
            .iter()
            .filter(|request| request.url.as_str() == url)
            .count()
    }

    /// Fails if an expected request is missing.
    pub fn finish(&self) {
        let steps = self.0.steps.lock().expect("steps");
        assert!(steps.is_empty(), "these requests did not come: {steps:?}");
    }
}

fn line(request: &Request) -> String {
    format!("{} {}", request.method, request.url)
}

impl Exchange for Scripted {
    fn send(&self, request: &Request, log: &Log) -> Reply {
        log.count_request();
        self.0
            .requests
            .lock()
            .expect("requests")
            .push(request.clone());
        let mut reply = match &self.0.handler {
            Some(handler) => handler(request),
            None => {
                // Some tests let an exchange panic.
                let mut steps = self.0.steps.lock().unwrap_or_else(PoisonError::into_inner);
                let (expected, reply) = steps.pop_front().unwrap_or_else(|| {
                    panic!("no further request was expected: {}", line(request))
                });
                assert_eq!(line(request), expected, "another request was expected");
                reply
            }
        };
        if let Ok(response) = &mut reply {
            response.url = request.url.clone();
        }
        reply
    }

    fn shutdown(&self) {}
}

pub fn reply(status: u16, body: &str) -> Reply {
    Ok(Response::for_test(status, &[], body))
}

pub fn with_header(status: u16, name: &'static str, value: &str) -> Reply {
    Ok(Response::for_test(status, &[(name, value)], ""))
}

pub fn refused() -> Reply {
    Err(Failure::Refused("connection refused".to_owned()))
}

pub fn lost() -> Reply {
    Err(Failure::Lost {
        text: "the connection was reset".to_owned(),
        stale: false,
    })
}

/// A log that is discarded.
pub fn no_log() -> Log {
    Log::discard()
}
