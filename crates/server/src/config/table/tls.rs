//! Keys of TLS.

use super::super::key::{INT_MAX, Key, choice, integer, text, yes_no};

const NOT_BUILT: &str = "TLS is not built in this server yet";

pub(super) const KEYS: &[Key] = &[
    choice("tls-auth-clients", "yes", &["no", "yes", "optional"])
        .doc("Whether clients must show a certificate."),
    text("tls-ca-cert-dir", "").doc("Directory of trusted certificates."),
    text("tls-ca-cert-file", "").doc("File of trusted certificates."),
    text("tls-cert-file", "").doc("Certificate of the server."),
    text("tls-ciphers", "").doc("Ciphers of TLS 1.2."),
    text("tls-ciphersuites", "").doc("Cipher suites of TLS 1.3."),
    text("tls-client-cert-file", "").doc("Certificate for outgoing connections."),
    text("tls-client-key-file", "").doc("Private key for outgoing connections."),
    text("tls-client-key-file-pass", "")
        .secret()
        .doc("Password of that key."),
    yes_no("tls-cluster", "no")
        .fatal("no", NOT_BUILT)
        .doc("Use TLS on the cluster bus. `yes` is refused."),
    text("tls-dh-params-file", "").doc("Diffie-Hellman parameters for old clients."),
    text("tls-key-file", "").doc("Private key of the server."),
    text("tls-key-file-pass", "")
        .secret()
        .doc("Password of that key."),
    integer("tls-port", "0", 0, 65535)
        .fatal("0", NOT_BUILT)
        .doc("Port for TLS. 0 is none; another is refused."),
    yes_no("tls-prefer-server-ciphers", "no").doc("The server's order of ciphers counts."),
    text("tls-protocols", "").doc("Versions of TLS to speak, such as `TLSv1.2 TLSv1.3`."),
    yes_no("tls-replication", "no")
        .fatal("no", NOT_BUILT)
        .doc("Use TLS to the master. `yes` is refused."),
    integer("tls-session-cache-size", "20480", 0, INT_MAX)
        .doc("Sessions that may be resumed. 0 is no limit."),
    integer("tls-session-cache-timeout", "300", 0, INT_MAX)
        .doc("Seconds for which a session may be resumed."),
    yes_no("tls-session-caching", "yes").doc("Whether sessions may be resumed."),
];
