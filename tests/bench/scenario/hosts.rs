//! Registries that are not all alike: a token server, several destinations, slow requests, a host that is
//! down.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::Scenario;
use crate::fast_registry::{Behaviour, FastRegistry, Requests};
use crate::program::{Program, assert_passed};
use crate::row::{Measured, Row};
use crate::support::{Content, Dir};
use crate::workload::{Workload, list};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("token-server-20ms/j20", token_server),
        Scenario::new("three-destinations/j4", three_destinations),
        Scenario::new("slow-requests/j20", slow_requests),
        Scenario::new("host-down/mute", || host_down(false)),
        Scenario::new("host-down/unreachable", || host_down(true)),
    ]
}

fn content() -> Content {
    Workload::pairs(1).content
}

/// Each repository requires a token of its own.
fn token_server() -> Measured {
    const COUNT: usize = 1_000;
    let behaviour = Behaviour {
        latency: Duration::from_millis(20),
        requires_tokens: true,
        ..Behaviour::default()
    };
    let (source, destination) = FastRegistry::pair(&content(), &behaviour);
    let dir = Dir::new();
    let args = format!("-j 20 -s {} -d {}", source.name(), destination.name());
    let cost = Program::release().validate(&dir, &list(COUNT), &args);
    assert_passed(&dir, COUNT);
    Ok(Row::new(COUNT, 20, cost).requests(source.take().and(destination.take())))
}

/// One source for three destinations, as in a list for three regions.
fn three_destinations() -> Measured {
    const SOURCES: usize = 1_000;
    let source = FastRegistry::start(&content(), Behaviour::default());
    let destinations = [(); 3].map(|()| FastRegistry::start(&content(), Behaviour::default()));
    let mut lines = String::new();
    for number in 0..SOURCES {
        let from = format!("{}/team/x{number}", source.name());
        for destination in &destinations {
            lines += &format!("{from} {}/team/x{number} 1\n", destination.name());
        }
    }
    let dir = Dir::new();
    let cost = Program::release().validate(&dir, &lines, "-j 4");
    assert_passed(&dir, 3 * SOURCES);
    let requests = destinations.iter().map(FastRegistry::take);
    let requests = requests.fold(source.take(), Requests::and);
    Ok(Row::new(3 * SOURCES, 4, cost).requests(requests))
}

/// One request of a hundred to the destination takes 5 s; other images must not wait for it.
fn slow_requests() -> Measured {
    const COUNT: usize = 2_000;
    let slow = Behaviour {
        slow_every: 100,
        ..Behaviour::default()
    };
    let source = FastRegistry::start(&content(), Behaviour::default());
    let destination = FastRegistry::start(&content(), slow);
    let dir = Dir::new();
    let args = format!("-j 20 -s {} -d {}", source.name(), destination.name());
    let cost = Program::release().validate(&dir, &list(COUNT), &args);
    assert_passed(&dir, COUNT);
    Ok(Row::new(COUNT, 20, cost).requests(source.take().and(destination.take())))
}

/// One of five destinations is down: it never responds or, with `drops_packets`, accepts no connection.
fn host_down(drops_packets: bool) -> Measured {
    const PER_HOST: usize = 100;
    const HEALTHY: usize = 4;
    let source = FastRegistry::start(&content(), Behaviour::default());
    let healthy = [(); HEALTHY].map(|()| FastRegistry::start(&content(), Behaviour::default()));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    // With a full backlog the system drops SYNs; otherwise it accepts connections for the mute host.
    let wanted = if drops_packets { 8_000 } else { 0 };
    let backlog: Vec<TcpStream> = (0..wanted)
        .map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok())
        .collect();
    let mut names: Vec<String> = healthy.iter().map(FastRegistry::name).collect();
    names.push(address.to_string());
    let mut lines = String::new();
    for number in 0..PER_HOST {
        for name in &names {
            let from = format!("{}/team/x{number}", source.name());
            lines += &format!("{from} {name}/team/x{number} 1\n");
        }
    }
    let dir = Dir::new();
    let cost = Program::release().validate(&dir, &lines, "-j 20");
    drop(backlog);
    let log = dir.read("log");
    assert_eq!(log.matches(" PASS ").count(), HEALTHY * PER_HOST, "{log}");
    Ok(Row::new((HEALTHY + 1) * PER_HOST, 20, cost))
}
