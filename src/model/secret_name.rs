//! Which attributes hold secrets, as their names give away: what recorded traffic masks and history shows as a hash.

/// Parts of names that give a secret away, in lower case without separators.
const SECRET_WORDS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "apikey",
    "privatekey",
    "accesskey",
    "authorization",
    "bearer",
    "cookie",
];
/// Names that are secrets only as a whole.
const SECRET_NAMES: [&str; 5] = ["pin", "otp", "totp", "auth", "jwt"];

/// Whether an attribute, path or key of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect();
    let last = plain.rsplit(['.', ':', '/']).next().unwrap_or_default();
    let holds = |word: &str| plain.match_indices(word).any(|(at, _)| !plain[at..].starts_with("secretar"));
    SECRET_NAMES.contains(&last) || SECRET_WORDS.iter().any(|word| holds(word))
}

#[cfg(test)]
mod tests {
    use super::is_secret_name;

    #[test]
    fn a_secret_is_known_by_its_name_and_a_secretary_is_none() {
        for name in ["app_metadata.apiToken", "client-secret", "PIN", "user_metadata.otp"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["email", "secretary", "app_metadata.spinning", "user_metadata.author"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
