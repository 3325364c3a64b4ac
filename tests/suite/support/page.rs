//! What a browser makes of a page: its forms and its scripts.

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use std::cell::RefCell;
use url::Url;

#[derive(Clone, Debug)]
pub struct Page {
    pub url: Url,
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub action: Url,
    pub is_post: bool,
    /// What is sent unless somebody types.
    pub fields: Vec<(String, String)>,
}

impl Form {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// With other values in fields that it has.
    pub fn filled(&self, typed: &[(&str, &str)]) -> Self {
        let mut filled = self.clone();
        for (name, value) in typed {
            let field = filled.fields.iter_mut().find(|(found, _)| found == name);
            let (_, old) = field.unwrap_or_else(|| panic!("no field {name} in {self:?}"));
            (*value).clone_into(old);
        }
        filled
    }

    pub fn body(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }

    /// The same with another value under a name, whether it has one or not.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.clone();
        changed.fields.retain(|(found, _)| found != name);
        changed.fields.push((name.to_owned(), value.to_owned()));
        changed
    }
}

impl Page {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in the body of a {}: {}", self.status, self.text))
    }

    pub fn is_html(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    pub fn forms(&self) -> Vec<Form> {
        self.read().forms
    }

    /// The form that has this field.
    pub fn form_with(&self, field: &str) -> Form {
        let found = self.forms().into_iter().find(|form| form.field(field).is_some());
        found.unwrap_or_else(|| panic!("no form with {field} in the {} of {}:\n{}", self.status, self.url, self.text))
    }

    /// The first form, if there is nothing in it to fill in: a script may send it.
    pub fn silent_form(&self) -> Option<Form> {
        let read = self.is_html().then(|| self.read())?;
        read.forms.into_iter().next().filter(|form| !form.fields.is_empty() && !read.asks)
    }

    /// What its scripts say, and where further ones are.
    pub fn scripts(&self) -> (String, Vec<Url>) {
        let read = self.read();
        let from = read.sources.iter().filter_map(|source| self.url.join(source).ok());
        (read.scripts, from.collect())
    }

    fn read(&self) -> Read {
        let sink = Sink { base: self.url.clone(), read: RefCell::new(Read::default()) };
        let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
        let queue = BufferQueue::default();
        queue.push_back(StrTendril::from(self.text.as_str()));
        let _script = tokenizer.feed(&queue);
        tokenizer.end();
        tokenizer.sink.read.into_inner()
    }
}

#[derive(Default)]
struct Read {
    forms: Vec<Form>,
    /// Of all scripts and of `onload`.
    scripts: String,
    sources: Vec<String>,
    /// A field wants to be filled in.
    asks: bool,
    is_in_form: bool,
    is_in_script: bool,
    /// Who runs scripts does not read what stands there.
    is_in_noscript: bool,
}

struct Sink {
    base: Url,
    read: RefCell<Read>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut read = self.read.borrow_mut();
        match token {
            Token::CharacterTokens(text) if read.is_in_script => read.scripts.push_str(&text),
            Token::TagToken(tag) => return read.tag(&tag, &self.base),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Read {
    fn tag(&mut self, tag: &Tag, base: &Url) -> TokenSinkResult<()> {
        let begins = tag.kind == TagKind::StartTag;
        let attribute = |name: &str| {
            let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name);
            found.map(|attribute| attribute.value.to_string())
        };
        match &*tag.name {
            "noscript" => self.is_in_noscript = begins,
            _ if self.is_in_noscript => {}
            "script" => {
                self.is_in_script = begins;
                if begins {
                    self.sources.extend(attribute("src"));
                    return TokenSinkResult::RawData(RawKind::ScriptData);
                }
            }
            "style" if begins => return TokenSinkResult::RawData(RawKind::Rawtext),
            "title" | "textarea" if begins => return TokenSinkResult::RawData(RawKind::Rcdata),
            "body" => self.scripts.push_str(&attribute("onload").unwrap_or_default()),
            "form" => {
                self.is_in_form = begins;
                if begins {
                    let action = attribute("action").unwrap_or_default();
                    let action = base.join(&action).unwrap_or_else(|error| panic!("a form to {action}: {error}"));
                    let is_post = attribute("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
                    self.forms.push(Form { action, is_post, fields: Vec::new() });
                }
            }
            "input" if self.is_in_form => {
                let kind = attribute("type").unwrap_or_default().to_ascii_lowercase();
                self.asks |= matches!(kind.as_str(), "" | "text" | "email" | "password");
                let is_sent = match kind.as_str() {
                    "submit" | "button" | "image" | "reset" | "file" => false,
                    "checkbox" | "radio" => attribute("checked").is_some(),
                    _ => true,
                };
                if let (true, Some(name), Some(form)) = (is_sent, attribute("name"), self.forms.last_mut()) {
                    form.fields.push((name, attribute("value").unwrap_or_default()));
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}
