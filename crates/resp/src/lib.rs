//! The RESP2 and RESP3 protocols: bytes to requests, values to bytes. No I/O.
