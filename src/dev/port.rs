//! Ports on 127.0.0.1 for the private servers.
//!
//! Owns the choice; the server that gets one may still find it taken and then asks again.

use std::{net::TcpListener, ops::Range};

use uuid::Uuid;

use super::error::DevError;

/// Below the range that the kernel gives to outgoing connections: a client that keeps trying the port of a server that is
/// down could otherwise be given that very port, connect to itself and keep the server from coming back.
const CHOICE: Range<u16> = 20_000..32_000;

/// How many ports are tried, each, for finding a free one and for starting a server on it.
pub(super) const TRIES: u32 = 20;

/// The given port, which must be free, or a free one.
pub(super) fn choose(server: &'static str, given: Option<u16>) -> Result<u16, DevError> {
    if let Some(port) = given {
        return if is_free(port) {
            Ok(port)
        } else {
            Err(DevError::PortTaken { server, port })
        };
    }
    (0..TRIES)
        .map(|_| random())
        .find(|port| is_free(*port))
        .ok_or(DevError::NoFreePort {
            server,
            tries: TRIES,
        })
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn random() -> u16 {
    let (_, low) = Uuid::new_v4().as_u64_pair();
    let offset = low % u64::from(CHOICE.end - CHOICE.start);
    // The remainder is below the length of a range of u16.
    CHOICE.start + u16::try_from(offset).expect("smaller than the range")
}
