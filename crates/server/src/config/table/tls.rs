//! Keys of TLS.

use super::super::key::{INT_MAX, Key, choice, integer, text, yes_no};

const NOT_BUILT: &str = "TLS towards other servers is not built yet";

pub(super) const KEYS: &[Key] = &[
    choice("tls-auth-clients", "yes", &["no", "yes", "optional"])
        .acted()
        .doc("Whether clients must show a certificate that one of the trusted ones vouches for."),
    text("tls-ca-cert-dir", "")
        .acted()
        .volatile()
        .doc("Directory of trusted certificates: every file in it that holds any is read."),
    text("tls-ca-cert-file", "")
        .acted()
        .volatile()
        .doc("File of trusted certificates (PEM)."),
    text("tls-cert-file", "")
        .acted()
        .volatile()
        .doc("Certificate of the server (PEM), followed by those that vouch for it. Setting it again reads the file again."),
    text("tls-ciphers", "")
        .acted()
        .volatile()
        .doc("Cipher suites of TLS 1.2, by OpenSSL's names with colons between; empty or `DEFAULT` is all that there are. Those of static RSA and CBC are not."),
    text("tls-ciphersuites", "")
        .acted()
        .volatile()
        .doc("Cipher suites of TLS 1.3."),
    text("tls-client-cert-file", "").doc("Certificate for outgoing connections."),
    text("tls-client-key-file", "").doc("Private key for outgoing connections."),
    text("tls-client-key-file-pass", "")
        .secret()
        .doc("Password of that key."),
    yes_no("tls-cluster", "no")
        .fatal("no", NOT_BUILT)
        .doc("Use TLS on the cluster bus. `yes` is refused."),
    text("tls-dh-params-file", "").moot().doc("Diffie-Hellman parameters for old clients: key exchange is by elliptic curves only."),
    text("tls-key-file", "")
        .acted()
        .volatile()
        .doc("Private key of the server (PEM)."),
    text("tls-key-file-pass", "")
        .secret()
        .acted()
        .doc("Password of that key, if it is encrypted (PKCS #8)."),
    integer("tls-port", "0", 0, 65535)
        .acted()
        .doc("Port for TLS. 0 is none."),
    yes_no("tls-prefer-server-ciphers", "no")
        .acted()
        .doc("The server's order of ciphers counts."),
    text("tls-protocols", "")
        .acted()
        .volatile()
        .doc("Versions of TLS to speak: `TLSv1.2`, `TLSv1.3`; empty is both. Older ones are refused."),
    yes_no("tls-replication", "no")
        .fatal("no", NOT_BUILT)
        .doc("Use TLS to the master. `yes` is refused."),
    integer("tls-session-cache-size", "20480", 0, INT_MAX)
        .acted()
        .doc("Sessions that may be resumed. 0 is no limit."),
    integer("tls-session-cache-timeout", "300", 0, INT_MAX)
        .acted()
        .doc("Seconds for which a session may be resumed."),
    yes_no("tls-session-caching", "yes")
        .acted()
        .doc("Whether sessions may be resumed."),
];
