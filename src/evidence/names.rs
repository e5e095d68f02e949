//! Which names a file of a bundle may have: safe on every disk, in a zip, in a shell and in a manifest.
//!
//! Letters, digits and `. _ - =` in parts joined by `/`. So nothing needs the escapes of RFC 8493 §2.1.3 or of `sha256sum`, and no
//! name leads out of its folder (`..`, absolute, backslash, drive).

/// Most bytes of a name: some readers of zip files stop at 260 with the folder that they unpack into.
pub const NAME_BYTES_MAX: usize = 199;

/// Returns why a name is not a safe one; `None` if it is.
pub fn fault(name: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'=' | b'/');
    if name.is_empty() {
        return Some("no name");
    }
    if name.len() > NAME_BYTES_MAX {
        return Some("a name of 200 bytes or more");
    }
    if name.starts_with('/') {
        return Some("an absolute path");
    }
    if !name.bytes().all(is_plain) {
        return Some("a name with other than letters, digits and . _ - = /");
    }
    name.split('/').find_map(|part| match part {
        "" => Some("an empty part of a path"),
        "." | ".." => Some("a path that leads elsewhere"),
        // An option of the tools that read the manifest, or hidden, or cut off by Windows.
        _ if part.starts_with(['-', '.']) || part.ends_with('.') => Some("a part that starts with - or ., or ends with ."),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_and_unsafe() {
        for good in ["data/results.json", "a", "data/oscal/assessment-results.json", "x/y=1/z_2.csv"] {
            assert_eq!(fault(good), None, "{good}");
        }
        let long = "a".repeat(200);
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a\\b",
            "C:x",
            "a b",
            "é",
            "a\nb",
            "-rf",
            "a/-x",
            ".git",
            "a.",
            &long,
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
