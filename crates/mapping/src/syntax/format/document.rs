//! Text that knows where it may be broken (after Wadler). A group is written on one line if it fits, else each of its
//! own line breaks is taken. A comment ends its line whatever follows.

/// Columns a line should keep to.
const WIDTH: usize = 120;

#[derive(Clone, Debug)]
pub enum Doc {
    Text(String),
    /// A space, or a line break in a broken group; `blank` asks for an empty line there.
    Line {
        blank: bool,
    },
    /// Nothing, or a line break in a broken group.
    SoftLine,
    /// A comment; `own_line` if it had one to itself.
    Comment {
        text: String,
        own_line: bool,
    },
    /// Further in by so many columns after a line break.
    Indent(usize, Vec<Self>),
    Group {
        broken: bool,
        docs: Vec<Self>,
    },
}

pub fn text(text: impl Into<String>) -> Doc {
    Doc::Text(text.into())
}

pub const LINE: Doc = Doc::Line { blank: false };

pub fn group(docs: Vec<Doc>) -> Doc {
    Doc::Group { broken: docs.iter().any(is_broken), docs }
}

/// A group that is never written on one line.
pub fn broken(docs: Vec<Doc>) -> Doc {
    Doc::Group { broken: true, docs }
}

fn is_broken(doc: &Doc) -> bool {
    match doc {
        Doc::Comment { .. } => true,
        Doc::Group { broken, .. } => *broken,
        Doc::Indent(_, docs) => docs.iter().any(is_broken),
        Doc::Text(_) | Doc::Line { .. } | Doc::SoftLine => false,
    }
}

/// Appends `doc` to `out`, which ends at the start of a line.
pub fn write(doc: &Doc, out: &mut String) {
    let mut writer = Writer { out, column: 0, comment_open: false };
    writer.run(doc);
}

struct Writer<'o> {
    out: &'o mut String,
    column: usize,
    /// The line ends in a comment: nothing more may stand on it.
    comment_open: bool,
}

#[derive(Clone, Copy)]
struct Job<'d> {
    indent: usize,
    broken: bool,
    doc: &'d Doc,
}

impl Writer<'_> {
    fn run(&mut self, doc: &Doc) {
        let mut jobs = vec![Job { indent: 0, broken: true, doc }];
        while let Some(job) = jobs.pop() {
            match job.doc {
                Doc::Text(text) => self.text(text, job.indent),
                Doc::Line { blank } if job.broken => self.line(job.indent, *blank),
                Doc::SoftLine if job.broken => self.line(job.indent, false),
                Doc::Line { .. } => self.text(" ", job.indent),
                Doc::SoftLine => {}
                Doc::Comment { text, own_line } => self.comment(text, *own_line, job.indent),
                Doc::Indent(by, docs) => push(&mut jobs, job.indent + by, job.broken, docs),
                Doc::Group { broken, docs } => {
                    let broken = *broken || !self.fits(docs, &jobs);
                    push(&mut jobs, job.indent, broken, docs);
                }
            }
        }
    }

    fn text(&mut self, text: &str, indent: usize) {
        if self.comment_open {
            self.line(indent, false);
            if text == " " {
                return;
            }
        }
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn line(&mut self, indent: usize, blank: bool) {
        self.comment_open = false;
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        self.out.push('\n');
        if blank {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn comment(&mut self, text: &str, own_line: bool, indent: usize) {
        let fresh = self.out.is_empty() || self.out.trim_end_matches(' ').ends_with('\n');
        if (own_line || self.comment_open) && !fresh {
            self.line(indent, false);
        } else if !fresh {
            while self.out.ends_with(' ') {
                self.out.pop();
            }
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.comment_open = true;
    }

    /// Whether `docs` on one line, and what follows up to the next line break, keep to the width.
    fn fits(&self, docs: &[Doc], following: &[Job<'_>]) -> bool {
        let mut left = WIDTH.saturating_sub(self.column);
        let mut jobs = Vec::new();
        push(&mut jobs, 0, false, docs);
        let mut after = following.len();
        loop {
            let job = match jobs.pop() {
                Some(job) => job,
                None if after > 0 => {
                    after -= 1;
                    following[after]
                }
                None => return true,
            };
            let width = match job.doc {
                Doc::Text(text) => text.chars().take(left + 1).count(),
                Doc::Line { .. } | Doc::SoftLine if job.broken => return true,
                Doc::Line { .. } => 1,
                Doc::SoftLine => 0,
                Doc::Comment { .. } => return true,
                Doc::Indent(_, docs) => {
                    push(&mut jobs, 0, job.broken, docs);
                    0
                }
                Doc::Group { broken, docs } => {
                    push(&mut jobs, 0, job.broken && *broken, docs);
                    0
                }
            };
            if width > left {
                return false;
            }
            left -= width;
        }
    }
}

fn push<'d>(jobs: &mut Vec<Job<'d>>, indent: usize, broken: bool, docs: &'d [Doc]) {
    jobs.extend(docs.iter().rev().map(|doc| Job { indent, broken, doc }));
}
