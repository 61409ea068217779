//! Host name lookup in a binary that is statically linked with glibc.
//!
//! Such a binary loads the modules of the host's `nsswitch.conf`, which are built for another glibc, and
//! dies of SIGFPE on hosts that use `myhostname` or `resolve`. Lookup in files and DNS is built in: this
//! module disables everything else.

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
