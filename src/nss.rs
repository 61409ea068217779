//! Name lookup in a statically linked program for glibc.
//!
//! Such a program loads the modules that the host's `nsswitch.conf` names, which are made for
//! another glibc, and is killed by SIGFPE on hosts that name `myhostname` or `resolve`. Lookup by
//! files and DNS is built in: this says that nothing else is to be used.

#![allow(
    unsafe_code,
    reason = "glibc's own interface for this has no safe wrapper"
)]

use std::ffi::{c_char, c_int};

unsafe extern "C" {
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
}

/// Pins host name lookup to files and DNS; before the first lookup.
pub fn pin() {
    // SAFETY: both arguments are NUL-terminated and static, and no other thread runs yet. A
    // failure leaves the host's configuration in force.
    unsafe {
        __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr());
    }
}
