//! Protocols and ciphers by OpenSSL's names, as Redis's configuration has them.
//!
//! Invariant: what is asked for and cannot be had is an error; what is only to be left out need not be known.

use rustls::crypto::ring::cipher_suite;
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion, version};

use crate::Error;

/// OpenSSL's names of the suites of TLS 1.2, in the order in which we prefer them.
const TLS12: [(&str, SupportedCipherSuite); 6] = [
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Those of TLS 1.3.
const TLS13: [(&str, SupportedCipherSuite); 3] = [
    (
        "TLS_AES_256_GCM_SHA384",
        cipher_suite::TLS13_AES_256_GCM_SHA384,
    ),
    (
        "TLS_AES_128_GCM_SHA256",
        cipher_suite::TLS13_AES_128_GCM_SHA256,
    ),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
];

/// Words of OpenSSL's cipher strings that stand for all that is any good, which is all that there is here.
const ALL: [&str; 6] = ["DEFAULT", "ALL", "HIGH", "ECDHE", "EECDH", "AESGCM"];

/// The versions named in `tls-protocols`; both when it is empty.
pub(crate) fn protocols(text: &str) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    let mut found: Vec<&'static SupportedProtocolVersion> = Vec::new();
    for word in text.split_whitespace() {
        let version = match word.to_ascii_lowercase().as_str() {
            "tlsv1.2" => &version::TLS12,
            "tlsv1.3" => &version::TLS13,
            "tlsv1" | "tlsv1.0" | "tlsv1.1" | "sslv2" | "sslv3" => {
                return Err(Error::OldProtocol(word.to_owned()));
            }
            _ => return Err(Error::UnknownProtocol(word.to_owned())),
        };
        if !found.contains(&version) {
            found.push(version);
        }
    }
    if found.is_empty() {
        found.extend([&version::TLS13, &version::TLS12]);
    }
    Ok(found)
}

/// The suites named in `tls-ciphersuites` (TLS 1.3) and `tls-ciphers` (TLS 1.2), in their order; an empty text names all.
pub(crate) fn suites(tls13: &str, tls12: &str) -> Result<Vec<SupportedCipherSuite>, Error> {
    let mut all = named(tls13, &TLS13)?;
    all.extend(named(tls12, &TLS12)?);
    Ok(all)
}

fn named(
    text: &str,
    table: &[(&str, SupportedCipherSuite)],
) -> Result<Vec<SupportedCipherSuite>, Error> {
    let every = || table.iter().map(|(_, suite)| *suite);
    let mut found: Vec<SupportedCipherSuite> = Vec::new();
    let mut left_out: Vec<CipherSuite> = Vec::new();
    let mut adds_any = false;
    for word in text.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        let named_suite = |name: &str| {
            let known = table
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            known.map(|(_, suite)| *suite)
        };
        if let Some(name) = word.strip_prefix(['!', '-']) {
            // What rustls does not have is left out already.
            left_out.extend(named_suite(name).map(|suite| suite.suite()));
            continue;
        }
        if word.starts_with('@') {
            // An order by strength, or a level that every suite here satisfies.
            continue;
        }
        adds_any = true;
        if ALL.iter().any(|all| all.eq_ignore_ascii_case(word)) {
            found.extend(every());
            continue;
        }
        let Some(suite) = named_suite(word) else {
            let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
            return Err(Error::UnknownCipher(word.to_owned(), names.join(", ")));
        };
        found.push(suite);
    }
    if !adds_any {
        found.extend(every());
    }
    let mut unique: Vec<SupportedCipherSuite> = Vec::new();
    for suite in found {
        if !left_out.contains(&suite.suite()) && !unique.contains(&suite) {
            unique.push(suite);
        }
    }
    Ok(unique)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tls13: &str, tls12: &str) -> Vec<CipherSuite> {
        let found = suites(tls13, tls12).expect("they are known");
        found.iter().map(|suite| suite.suite()).collect()
    }

    #[test]
    fn nothing_named_is_everything() {
        assert_eq!(names("", "").len(), TLS13.len() + TLS12.len());
        assert_eq!(names("", "DEFAULT:!aNULL:!MD5:@STRENGTH"), names("", ""));
        assert_eq!(names("", "-AES128-SHA256"), names("", ""));
    }

    #[test]
    fn names_keep_their_order_and_stand_once() {
        assert_eq!(
            names(
                "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
                "ecdhe-rsa-aes128-gcm-sha256,ECDHE-RSA-AES256-GCM-SHA384"
            ),
            [
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
                CipherSuite::TLS13_AES_128_GCM_SHA256,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            ]
        );
        let without = names("", "ALL:!ECDHE-RSA-AES256-GCM-SHA384");
        assert_eq!(without.len(), TLS13.len() + TLS12.len() - 1);
        assert!(!without.contains(&CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384));
    }

    #[test]
    fn what_cannot_be_had_is_refused_by_name() {
        let error = suites("", "AES128-SHA256").unwrap_err().to_string();
        assert!(
            error.contains("\"AES128-SHA256\"") && error.contains("ECDHE-RSA"),
            "{error}"
        );
        assert!(suites("TLS_AES_128_CCM_SHA256", "").is_err());
    }

    #[test]
    fn versions() {
        assert_eq!(protocols("").unwrap().len(), 2);
        assert_eq!(protocols("tlsv1.2 TLSv1.2").unwrap(), [&version::TLS12]);
        assert_eq!(protocols(" TLSv1.3 ").unwrap(), [&version::TLS13]);
        assert!(
            matches!(protocols("TLSv1.1 TLSv1.2"), Err(Error::OldProtocol(name)) if name == "TLSv1.1")
        );
        assert!(matches!(protocols("TLSv2"), Err(Error::UnknownProtocol(_))));
    }
}
