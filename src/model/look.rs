//! How pages look to an organization's people: a colour and a picture of its own. Pure.

use std::fmt;
use url::Url;

/// Longest address of a picture.
const LOGO_BYTES_MAX: usize = 1_024;

/// A colour, `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    pub fn parse(text: &str) -> Option<Self> {
        let digits =
            text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Black or white, whichever is read better on it: one of them always has a contrast of 4.5 and more.
    pub fn ink(self) -> &'static str {
        let light = self.luminance();
        if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) { "#000000" } else { "#ffffff" }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(formatter, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// The address of a picture. It is not fetched by us: people's browsers do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo(Url);

impl Logo {
    /// # Errors
    /// What is wanted instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "wanted an absolute address")?;
        let plain = text.len() <= LOGO_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain || url.scheme() != "https" || !url.username().is_empty() || url.password().is_some() {
            return Err("wanted https, at most 1,024 bytes of ASCII, and no user name");
        }
        Ok(Self(url))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What a page has to allow to show it.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

/// What an organization chose; nothing: it looks as for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub color: Option<Color>,
    pub logo: Option<Logo>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_on_a_colour_can_be_read() {
        for step in 0..=u8::MAX {
            for color in [[step; 3], [step, 0, 0], [0, step, 0], [0, 0, step], [255, step, 0], [step, 0, 255]] {
                let light = Color(color).luminance();
                let contrast = if Color(color).ink() == "#000000" { (light + 0.05) / 0.05 } else { 1.05 / (light + 0.05) };
                assert!(contrast >= 4.5, "{} {contrast}", Color(color));
            }
        }
    }

    #[test]
    fn a_colour_is_six_digits_and_a_picture_lies_at_an_https_address() {
        assert_eq!(Color::parse("#00Aa7f").map(|color| color.to_string()).as_deref(), Some("#00aa7f"));
        for text in ["", "red", "#fff", "00aa7f", "#00aa7f;}", "#00aa7", "#€€"] {
            assert_eq!(Color::parse(text), None, "{text}");
        }
        assert_eq!(
            Logo::parse("https://cdn.acme.example/logo.svg").map(|logo| logo.origin()).as_deref(),
            Ok("https://cdn.acme.example")
        );
        for text in [
            "",
            "/logo.png",
            "http://a.example/x",
            "data:image/png;base64,x",
            "javascript:x",
            "https://u@a.example/x",
            "https://a.example/ x",
        ] {
            assert!(Logo::parse(text).is_err(), "{text}");
        }
    }
}
