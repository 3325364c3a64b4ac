//! The parameters of a request: each at most once (RFC 6749 §3.1), an empty one as if it was not there.

use url::form_urlencoded;

/// Most that are looked at.
const FIELDS_MAX: usize = 64;
/// Longest query or form.
const BYTES_MAX: usize = 16 << 10;

/// Too long, too many, or broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Prints names and no values: secrets and tokens are among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

impl std::fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Parameters {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() > BYTES_MAX {
            return Err(Unreadable);
        }
        let all: Vec<_> =
            form_urlencoded::parse(bytes).take(FIELDS_MAX + 1).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        // No database stores U+0000.
        let is_text = all.iter().all(|(name, value)| !name.contains('\0') && !value.contains('\0'));
        if all.len() > FIELDS_MAX || !is_text { Err(Unreadable) } else { Ok(Self(all)) }
    }

    /// What is called `name`, if it is there once and says something.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        let (_, value) = found.next()?;
        (found.next().is_none() && !value.is_empty()).then_some(value.as_str())
    }

    /// Whether `name` is there more than once.
    pub(super) fn is_twice(&self, name: &str) -> bool {
        self.0.iter().filter(|(known, _)| known == name).count() > 1
    }

    /// One that is there more than once.
    pub(super) fn repeated(&self) -> Option<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).find(|name| self.is_twice(name))
    }

    /// Those called one of `names`.
    pub(super) fn only(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect())
    }

    /// All but those called one of `names`.
    pub(super) fn without(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect())
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn to_query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_or_not_at_all() {
        let read = Parameters::parse(b"a=1&b=&c=x&c=x&d=%2B+").expect("readable");
        assert_eq!((read.one("a"), read.one("b"), read.one("c"), read.one("d")), (Some("1"), None, None, Some("+ ")));
        assert_eq!(read.repeated(), Some("c"));
        assert_eq!(read.without(&["c", "b"]).with("e", "&").to_query(), "a=1&d=%2B+&e=%26");
        assert_eq!(Parameters::parse("a=&".repeat(FIELDS_MAX + 1).as_bytes()), Err(Unreadable));
        assert_eq!(Parameters::parse("a".repeat(BYTES_MAX + 1).as_bytes()), Err(Unreadable));
    }
}
