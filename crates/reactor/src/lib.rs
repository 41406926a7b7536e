//! Event loops, TCP server, buffers and timers, shaped for completion. Knows no protocol.
