//! Which mapping files a command means, and their texts. A path that is not there finds its nearest name.

use crate::cli::Global;
use crate::cli::context::read_config;
use crate::mapping::{self, Language, Mapping};
use crate::mapping_files::{self, Folder};
use crate::model::nearest::nearest;
use anyhow::{Context as _, anyhow, bail};
use rosterd_mapping::check::{self, Compiled};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The text of one file.
pub struct Text {
    pub path: PathBuf,
    /// As messages name it.
    pub shown: String,
    pub language: Language,
    pub text: String,
}

/// A text, compiled.
pub enum Checked {
    /// Of the mapping language, with or without a plan.
    Language(Compiled),
    /// A script, loaded; or why it can't be.
    Script(Result<Arc<dyn Mapping>, String>),
}

/// The files that are meant: those given, those in a folder given, without any those in `mappings.dir`.
///
/// # Errors
/// A path that is not there or no mapping; a folder without one.
pub fn meant(global: &Global, given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    if given.is_empty() {
        let dir = read_config(global)?.mappings.dir;
        return in_folder(&dir).with_context(|| format!("mappings.dir is {}; name a FILE or a folder instead", dir.display()));
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for path in given {
        if path.is_dir() { files.extend(in_folder(path)?) } else { files.push(one(path)?) }
    }
    Ok(files)
}

fn in_folder(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let files = mapping_files::files(dir).map_err(anyhow::Error::msg)?;
    if files.is_empty() {
        bail!("{} holds no .mapping and no .js file", dir.display());
    }
    Ok(files)
}

/// The path itself if a mapping can be there.
///
/// # Errors
/// No such file, with the nearest name beside it; an extension that is no mapping's.
pub fn one(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.exists() {
        bail!("{}", missing(path));
    }
    if mapping_files::language(path).is_none() {
        bail!("{} is no mapping: its name ends neither in .mapping nor in .js", path.display());
    }
    Ok(path.to_path_buf())
}

/// `there is no X; did you mean Y?`
pub fn missing(path: &Path) -> String {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names: Vec<String> = entries.take(10_000).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let near = nearest(&wanted, names.iter().map(String::as_str));
    let hint = near.map(|near| format!("; did you mean {}?", path.with_file_name(near).display())).unwrap_or_default();
    format!("there is no {}{hint}", path.display())
}

/// Reads one file.
///
/// # Errors
/// It is not there, no mapping, too large or no UTF-8.
pub fn read(path: &Path) -> anyhow::Result<Text> {
    let language = mapping_files::language(&one(path)?).unwrap_or(Language::Mapping);
    let text = mapping_files::read(path).map_err(anyhow::Error::msg)?.ok_or_else(|| anyhow!(missing(path)))?;
    Ok(Text { path: path.to_path_buf(), shown: path.display().to_string(), language, text })
}

impl Text {
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    pub fn stem(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn check(&self) -> Checked {
        match self.language {
            Language::Mapping => Checked::Language(self.compile()),
            Language::JavaScript => Checked::Script(self.load()),
        }
    }

    /// As the mapping language.
    pub fn compile(&self) -> Compiled {
        check::compile(&self.shown, &self.text, &Folder::new(self.folder()))
    }

    /// Ready to run, as a connection would run it.
    ///
    /// # Errors
    /// The first mistakes, in words.
    pub fn load(&self) -> Result<Arc<dyn Mapping>, String> {
        mapping::compile(&mapping_files::draft(self.folder(), &self.stem(), self.language, self.text.clone())?)
    }
}
