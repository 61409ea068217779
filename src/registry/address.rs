//! Addresses that a server must not direct this program to: this machine, its link-local network, and
//! the metadata services of clouds, which hand out credentials to local clients.

use std::net::IpAddr;

use url::{Host, Url};

use super::quirks;

/// The reason for refusing a URL with such an address.
pub const REFUSED_ADDRESS: &str = "refusing a redirect from a public host to this machine";

/// Whether an address belongs to this machine or its link-local network, in any notation.
pub fn is_own_ip(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(ip) => {
            ip.is_loopback()
                || ip.is_link_local()
                || ip.octets()[0] == 0
                || quirks::METADATA_V4.contains(&ip)
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unicast_link_local()
                || quirks::METADATA_V6.contains(&ip)
        }
    }
}

/// Whether an address belongs to this machine or to a private network.
pub fn is_private_ip(ip: IpAddr) -> bool {
    is_own_ip(ip)
        || match canonical(ip) {
            IpAddr::V4(ip) => ip.is_private(),
            IpAddr::V6(ip) => ip.is_unique_local(),
        }
}

/// Whether the host of a URL is written as this machine or its link-local network.
pub fn is_own(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_own_name(name),
        Some(_) => ip(url).is_some_and(is_own_ip),
        None => true,
    }
}

/// Whether the host of a URL is written as an address of this machine or of a private network.
pub fn is_private(url: &Url) -> bool {
    match ip(url) {
        Some(ip) => is_private_ip(ip),
        None => is_own(url),
    }
}

pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_own_name(name),
        _ => ip(url).is_some_and(|ip| canonical(ip).is_loopback()),
    }
}

/// The IP address in a URL; `None` for a host name.
pub fn ip(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
        Host::Domain(_) => None,
    }
}

/// RFC 6761, 6.3: these names are always this machine.
fn is_own_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Unwraps an IPv4 address from an IPv6 one: mapped (RFC 4291, 2.5.5.2), compatible (2.5.5.1), or with
/// the NAT64 prefix (RFC 6052).
fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if v6.is_loopback() || v6.is_unspecified() {
        return ip;
    }
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let is_embedded = matches!([a, b, c, d, e], [0, 0, 0, 0, 0]) && matches!(f, 0 | 0xffff)
        || matches!([a, b, c, d, e, f], [0x64, 0xff9b, 0, 0, 0, 0]);
    if !is_embedded {
        return ip;
    }
    let ([g1, g2], [h1, h2]) = (g.to_be_bytes(), h.to_be_bytes());
    IpAddr::from([g1, g2, h1, h2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_this_machine_is_recognized() {
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "100.100.100.200",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
        ] {
            assert!(is_own_ip(text.parse().expect(text)), "{text}");
        }
        for text in [
            "10.0.0.1",
            "8.8.8.8",
            "2001:db8::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "100.100.100.1",
        ] {
            assert!(!is_own_ip(text.parse().expect(text)), "{text}");
        }
        for text in [
            "10.0.0.1",
            "192.168.1.1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "127.0.0.1",
        ] {
            assert!(is_private_ip(text.parse().expect(text)), "{text}");
        }
    }

    #[test]
    fn loopback_is_this_machine_only() {
        let loopback = |text: &str| is_loopback(&Url::parse(text).expect("a URL"));
        for text in [
            "http://localhost:5000/",
            "http://127.1.2.3/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert!(loopback(text), "{text}");
        }
        for text in [
            "http://169.254.169.254/",
            "http://localhost.io/",
            "http://0.0.0.0/",
            "http://10.0.0.1/",
        ] {
            assert!(!loopback(text), "{text}");
        }
    }
}
