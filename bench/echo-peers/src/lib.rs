//! What the echo servers of this crate share: their command line and the size of their buffers.

use std::net::{Ipv4Addr, SocketAddr};

/// Bytes that a server takes at once from a connection.
pub const BUFFER_BYTES: usize = 16 * 1024;

/// Where to listen: `--port N` of the command line, on loopback. Other arguments are ignored, as the load tool gives those of a store.
///
/// # Errors
/// When no port, or none that is a number, is given.
pub fn address() -> Result<SocketAddr, String> {
    let port = std::env::args()
        .skip_while(|word| word != "--port")
        .nth(1)
        .ok_or("say --port")?;
    let port: u16 = port
        .parse()
        .map_err(|_| format!("--port: {port} is not a port"))?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}
