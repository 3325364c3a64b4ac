//! Captured entries, one after the other: LDIF, JSON, NDJSON, a SAML assertion. Owns their way into the JSON form in
//! which a mapping meets them in earnest (`identities.raw`): bytes in base64, the DN under `dn`. Memory is bounded by
//! one entry, but for a JSON document and an assertion, which are bounded as a whole. Every refusal names the line.

use super::files::missing;
use crate::ldap::payload::BINARY;
use crate::mapping_files::Folder;
use anyhow::{Context as _, anyhow, bail};
use clap::ValueEnum;
use rosterd_mapping::check;
use rosterd_mapping::eval::Evaluator;
use rosterd_mapping::limits::ENTRY_BYTES_MAX;
use rosterd_mapping::output::to_json;
use rosterd_mapping::plan::{Plan, SlotSpec};
use rosterd_mapping::source::{Entry, Names, Slot, json, ldif, saml};
use rosterd_mapping::types::Type;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A JSON document that is not read line by line.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A directory's export (RFC 2849)
    Ldif,
    /// One object, or a list of them
    Json,
    /// One object a line
    Ndjson,
    /// A SAML 2.0 assertion or the response around it
    Xml,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "ldif" | "ldf" => Self::Ldif,
            "json" => Self::Json,
            "ndjson" | "jsonl" => Self::Ndjson,
            "xml" => Self::Xml,
            _ => return None,
        })
    }

    /// From the first bytes.
    fn guessed(start: &[u8]) -> Option<Self> {
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
        match start.first()? {
            b'<' => Some(Self::Xml),
            b'[' => Some(Self::Json),
            b'{' => {
                let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
                Some(if serde_json::from_slice::<Value>(line).is_ok() { Self::Ndjson } else { Self::Json })
            }
            b'#' => Some(Self::Ldif),
            _ if start.starts_with(b"dn:") || start.starts_with(b"version:") => Some(Self::Ldif),
            _ => None,
        }
    }
}

/// One entry with its place in the input.
#[derive(Debug)]
pub struct Captured {
    /// `line 12`, `entry 3`.
    pub place: String,
    pub payload: Map<String, Value>,
}

/// The entries of one input.
pub struct Entries {
    from: Box<dyn BufRead>,
    format: Format,
    reader: Reader,
    /// Lines read so far.
    line: usize,
    /// Bytes read so far.
    pub read: u64,
    /// Of the whole input, if it is a file.
    pub size: Option<u64>,
    /// What a document held, the next one last.
    waiting: Vec<Captured>,
    done: bool,
}

impl Entries {
    /// Opens a file, or standard input for `-`. `binary` are attributes that the mappings read as bytes.
    ///
    /// # Errors
    /// No such file; a format nobody can guess.
    pub fn open(path: &Path, format: Option<Format>, binary: &[String]) -> anyhow::Result<Self> {
        let said = || format!("{} can't be read", path.display());
        let is_stdin = path.as_os_str() == "-";
        let (mut from, size): (Box<dyn BufRead>, _) = if is_stdin {
            (Box::new(BufReader::new(std::io::stdin())), None)
        } else if path.exists() {
            let file = std::fs::File::open(path).with_context(said)?;
            let meta = file.metadata().with_context(said)?;
            if meta.is_dir() {
                bail!("{} is a folder: name a file of entries", path.display());
            }
            (Box::new(BufReader::with_capacity(256 * 1024, file)), Some(meta.len()))
        } else {
            bail!("{}", missing(path));
        };
        let format = match format.or_else(|| Format::of(path)) {
            Some(format) => format,
            None => Format::guessed(from.fill_buf().with_context(said)?)
                .with_context(|| format!("what is {}? Say so with --format ldif, json, ndjson or xml", path.display()))?,
        };
        let reader = Reader::new(format, binary);
        Ok(Self { from, format, reader, line: 0, read: 0, size, waiting: Vec::new(), done: false })
    }

    fn following(&mut self) -> anyhow::Result<Option<Captured>> {
        match self.format {
            Format::Ndjson => self.object_line(),
            Format::Ldif => self.record(),
            Format::Json | Format::Xml => {
                if self.line == 0 {
                    self.document()?;
                    self.line = 1;
                }
                Ok(self.waiting.pop())
            }
        }
    }

    /// One line with its end; empty at the end of the input.
    fn next_line(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut line = Vec::new();
        let limit = ENTRY_BYTES_MAX as u64 + 1;
        (&mut self.from).take(limit).read_until(b'\n', &mut line).with_context(|| format!("line {}", self.line + 1))?;
        self.line += usize::from(!line.is_empty());
        self.read += line.len() as u64;
        if line.len() > ENTRY_BYTES_MAX {
            bail!("line {} is longer than {ENTRY_BYTES_MAX} bytes", self.line);
        }
        Ok(line)
    }

    fn object_line(&mut self) -> anyhow::Result<Option<Captured>> {
        loop {
            let line = self.next_line()?;
            if line.is_empty() {
                return Ok(None);
            }
            let start = if self.line == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
            let text = start.trim_ascii();
            if !text.is_empty() {
                let place = format!("line {}", self.line);
                let payload = self.reader.object(text).map_err(|reason| anyhow!("{place}: {reason}"))?;
                return Ok(Some(Captured { place, payload }));
            }
        }
    }

    /// One record of LDIF: the lines up to an empty one.
    fn record(&mut self) -> anyhow::Result<Option<Captured>> {
        let (mut record, mut first) = (Vec::new(), self.line + 1);
        loop {
            let line = self.next_line()?;
            let ends = line.trim_ascii().is_empty();
            if !ends {
                if record.is_empty() {
                    first = self.line;
                }
                if record.len() + line.len() > ENTRY_BYTES_MAX {
                    bail!("line {first}: the entry is longer than {ENTRY_BYTES_MAX} bytes");
                }
                record.extend_from_slice(&line);
                continue;
            }
            // What holds but comments or the version is no entry.
            if ldif::records(&record).next().is_some() {
                let bytes = &record[..];
                let payload = self.reader.record(ldif::Record { line: first, bytes }).map_err(anyhow::Error::msg)?;
                return Ok(Some(Captured { place: format!("line {first}"), payload }));
            }
            if line.is_empty() {
                return Ok(None);
            }
            record.clear();
        }
    }

    fn document(&mut self) -> anyhow::Result<()> {
        let bytes_max = if self.format == Format::Xml { ENTRY_BYTES_MAX } else { DOCUMENT_BYTES_MAX };
        let mut bytes = Vec::new();
        (&mut self.from).take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
        self.read += bytes.len() as u64;
        if bytes.len() > bytes_max {
            let hint = if self.format == Format::Json { "; one object a line (NDJSON) may be as long as it likes" } else { "" };
            bail!("the input is larger than {bytes_max} bytes{hint}");
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        if self.format == Format::Xml {
            let text =
                std::str::from_utf8(bytes).map_err(|error| anyhow!("not UTF-8: byte at offset {}", error.valid_up_to()))?;
            let payload = self.reader.assertion(text).map_err(anyhow::Error::msg)?;
            self.waiting.push(Captured { place: "the assertion".into(), payload });
            return Ok(());
        }
        if bytes.trim_ascii_start().first() != Some(&b'[') {
            let payload = self.reader.object(bytes).map_err(anyhow::Error::msg)?;
            self.waiting.push(Captured { place: "the entry".into(), payload });
            return Ok(());
        }
        for (number, text) in elements(bytes)?.into_iter().enumerate() {
            let place = format!("entry {}", number + 1);
            let payload = self.reader.object(text).map_err(|reason| anyhow!("{place}: {reason}"))?;
            self.waiting.push(Captured { place, payload });
        }
        self.waiting.reverse();
        Ok(())
    }
}

/// The texts of a list's elements.
fn elements(list: &[u8]) -> anyhow::Result<Vec<&[u8]>> {
    // The list as a whole first: from here on commas and brackets are where they belong.
    serde_json::from_slice::<Vec<IgnoredAny>>(list).context("no JSON")?;
    let mut elements = Vec::new();
    let mut rest = list.trim_ascii_start().get(1..).unwrap_or_default().trim_ascii_start();
    while !rest.is_empty() && !rest.starts_with(b"]") {
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        stream.next().transpose()?;
        let (element, after) = rest.split_at(stream.byte_offset());
        elements.push(element);
        let after = after.trim_ascii_start();
        rest = after.strip_prefix(b",").unwrap_or(after).trim_ascii_start();
    }
    Ok(elements)
}

/// Nothing comes after the first error.
impl Iterator for Entries {
    type Item = anyhow::Result<Captured>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.following().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Reads whole entries by the readers of the mapping language, so that a trial refuses what they refuse.
struct Reader {
    names: Names,
    evaluator: Evaluator,
}

impl Reader {
    fn new(format: Format, binary: &[String]) -> Self {
        let kind = match format {
            Format::Ldif => "ldap",
            Format::Json | Format::Ndjson => "json",
            Format::Xml => "saml",
        };
        let mut plan = reading_all(kind);
        if format == Format::Ldif {
            let bytes = BINARY.iter().copied().chain(binary.iter().map(String::as_str));
            plan.slots.extend(bytes.map(|name| SlotSpec {
                name: name.into(),
                ty: Type::Binary.or_absent(),
                list: true,
                sensitive: false,
                nested: false,
            }));
        }
        Self { names: Names::new(&plan), evaluator: Evaluator::new() }
    }

    fn object(&mut self, text: &[u8]) -> Result<Map<String, Value>, String> {
        let arena = self.evaluator.fresh();
        // The language's reader refuses what is ambiguous; the value itself is kept as it stands.
        json::read(arena, &self.names, text).map_err(|error| error.to_string())?;
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }

    fn record(&mut self, record: ldif::Record<'_>) -> Result<Map<String, Value>, String> {
        let arena = self.evaluator.fresh();
        let entry = ldif::read(arena, &self.names, record).map_err(|error| error.to_string())?;
        let mut all = whole(&entry);
        if let Some(dn) = all.shift_remove("$dn") {
            all.shift_insert(0, "dn".to_owned(), dn);
        }
        Ok(all)
    }

    fn assertion(&mut self, text: &str) -> Result<Map<String, Value>, String> {
        let arena = self.evaluator.fresh();
        let entry = saml::read(arena, &self.names, text).map_err(|error| error.to_string())?;
        Ok(whole(&entry))
    }
}

/// A plan that reads whatever there is.
fn reading_all(kind: &str) -> Plan {
    let text = format!("mapping all from {kind} to profile\napp_metadata.all = $all\n");
    check::compile("all", &text, &Folder::new(Path::new(""))).plan.expect("this compiles for every kind")
}

/// What `$all` holds: the slot that nothing else fills with a record of everything.
fn whole(entry: &Entry<'_>) -> Map<String, Value> {
    match entry.slots.first() {
        Some(Slot::One(all)) => match to_json(*all) {
            Value::Object(all) => all,
            _ => Map::new(),
        },
        _ => Map::new(),
    }
}

/// One JSON object in a file of its own: a stored profile.
///
/// # Errors
/// No such file, too large, no JSON object.
pub fn object(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let mut entries = Entries::open(path, Some(Format::Json), &[])?;
    let first = entries.next().transpose().with_context(|| path.display().to_string())?;
    match (first, entries.next()) {
        (Some(only), None) => Ok(only.payload),
        _ => bail!("{}: one JSON object is wanted", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entries(name: &str, text: &[u8]) -> anyhow::Result<Vec<Value>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Entries::open(&path, None, &[])?.map(|entry| Ok(Value::Object(entry?.payload))).collect()
    }

    fn refusal(name: &str, text: &[u8]) -> String {
        format!("{:#}", entries(name, text).unwrap_err())
    }

    #[test]
    fn a_record_of_ldif_is_what_a_connector_stores() {
        let text = b"version: 1\n\n# a comment\n\ndn: cn=a,dc=x\ncn: a\nmail: 1@x\nmail: 2@x\nobjectGUID:: QUJDREVGR0hJSktMTU5PUA==\n\n\ndn: cn=b\ncn: b\n c\n";
        assert_eq!(
            entries("dump.ldif", text).unwrap(),
            [
                json!({"dn": "cn=a,dc=x", "cn": "a", "mail": ["1@x", "2@x"], "objectGUID": "QUJDREVGR0hJSktMTU5PUA=="}),
                json!({"dn": "cn=b", "cn": "bc"}),
            ]
        );
    }

    #[test]
    fn trouble_in_ldif_is_named_by_the_line_of_the_file() {
        assert_eq!(refusal("dump.ldif", b"dn: cn=a\n\n\ndn: cn=b\ncn:: *\n"), "line 5: the value of `cn` is no base64");
    }

    #[test]
    fn a_line_of_json_is_an_entry_and_a_broken_one_is_named() {
        let text = b"\xef\xbb\xbf{\"a\":1}\n\n{\"a\":\n";
        assert!(refusal("dump.ndjson", text).starts_with("line 3: "));
        assert_eq!(entries("dump.ndjson", b"{\"a\":1}\r\n{\"b\":[]}").unwrap(), [json!({"a": 1}), json!({"b": []})]);
        assert!(refusal("dump.ndjson", b"{\"a\":1,\"a\":2}").contains("`a` is given twice"));
        assert!(refusal("dump.ndjson", b"[1]").starts_with("line 1: "));
    }

    #[test]
    fn a_list_of_json_is_its_entries() {
        assert_eq!(entries("dump.json", b"[{\"a\":1},{\"a\":2}]").unwrap(), [json!({"a": 1}), json!({"a": 2})]);
        assert!(refusal("dump.json", b"[{\"a\":1},2]").starts_with("entry 2: "));
    }

    #[test]
    fn an_unnamed_format_is_guessed_or_asked_for() {
        assert_eq!(entries("dump", b"dn: cn=a\n").unwrap().len(), 1);
        assert_eq!(entries("dump", b"{\"a\":1}\n{\"a\":2}\n").unwrap().len(), 2);
        assert_eq!(entries("dump", b"{\n\"a\":1}").unwrap().len(), 1);
        assert!(refusal("dump", b"name,mail\n").contains("--format"));
    }

    #[test]
    fn an_assertion_gives_its_attributes_and_a_dtd_is_refused() {
        let xml = "<Assertion xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\"><Issuer>i</Issuer><AttributeStatement>\
                   <Attribute Name=\"mail\"><AttributeValue>a@x</AttributeValue></Attribute></AttributeStatement></Assertion>";
        assert_eq!(entries("a.xml", xml.as_bytes()).unwrap(), [json!({"issuer": "i", "mail": "a@x"})]);
        let dtd = format!("<!DOCTYPE a [<!ENTITY e \"x\">]>{xml}");
        assert!(refusal("a.xml", dtd.as_bytes()).contains("DTD"), "{}", refusal("a.xml", dtd.as_bytes()));
    }

    #[test]
    fn a_line_without_end_is_not_read_to_its_end() {
        let text = vec![b'a'; ENTRY_BYTES_MAX + 10];
        assert_eq!(refusal("dump.ndjson", &text), "line 1 is longer than 16777216 bytes");
        assert_eq!(refusal("dump.ldif", &text), "line 1 is longer than 16777216 bytes");
    }
}
