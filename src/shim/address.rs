//! struct sockaddr, read byte by byte: what the program passes may be short or odd.

use record::label::Endpoint;

/// The endpoint in the bytes of a socket address; `None` for families that have no port or path.
pub fn endpoint(bytes: &[u8]) -> Option<Endpoint<'_>> {
    let family = u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]);
    let port = || Some(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
    match i32::from(family) {
        libc::AF_INET => Some(Endpoint::V4(bytes.get(4..8)?.try_into().ok()?, port()?)),
        libc::AF_INET6 => Some(Endpoint::V6(bytes.get(8..24)?.try_into().ok()?, port()?)),
        libc::AF_UNIX => {
            let path = bytes.get(2..)?;
            let path = if path.first() == Some(&0) { path } else { record::text::until_nul(path) };
            Some(Endpoint::Unix(path)).filter(|_| !path.is_empty())
        }
        _ => None,
    }
}
