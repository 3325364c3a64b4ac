//! What a check of a connection found, step by step, for people and for programs.

use crate::cli::mapping::input::Captured;
use crate::cli::mapping::try_entry::{Subject, Trial};
use crate::cli::output::{self, printable};
use serde_json::{Value, json};

/// The steps of a directory in their order. A report has each of its kind's, some several times: once per server that was tried.
pub const STEPS: [&str; 8] = ["settings", "reach", "tls", "bind", "server", "users", "groups", "mapping"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// Works, and something should be looked at.
    Warning,
    Failed,
    /// Nothing to do, or not come to.
    Skipped,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

struct Finding {
    step: &'static str,
    outcome: Outcome,
    detail: String,
    advice: Option<String>,
}

/// One entry and what the mapping made of it.
pub struct Sample {
    pub entry: Captured,
    pub external_id: Option<String>,
    pub trial: Trial,
}

pub struct Report {
    connection: String,
    steps: &'static [&'static str],
    findings: Vec<Finding>,
    pub samples: Vec<Sample>,
}

impl Report {
    pub fn of(connection: &str, steps: &'static [&'static str]) -> Self {
        Self { connection: connection.to_owned(), steps, findings: Vec::new(), samples: Vec::new() }
    }

    pub fn ok(&mut self, step: &'static str, detail: impl Into<String>) {
        self.add(step, Outcome::Ok, detail.into(), None);
    }

    pub fn skipped(&mut self, step: &'static str, detail: impl Into<String>) {
        self.add(step, Outcome::Skipped, detail.into(), None);
    }

    pub fn warning(&mut self, step: &'static str, detail: impl Into<String>, advice: impl Into<String>) {
        self.add(step, Outcome::Warning, detail.into(), Some(advice.into()));
    }

    pub fn failed(&mut self, step: &'static str, detail: impl Into<String>, advice: impl Into<String>) {
        self.add(step, Outcome::Failed, detail.into(), Some(advice.into()));
    }

    fn add(&mut self, step: &'static str, outcome: Outcome, detail: String, advice: Option<String>) {
        self.findings.push(Finding { step, outcome, detail, advice });
    }

    pub fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.outcome != Outcome::Failed)
    }

    /// Names the steps that were not come to.
    pub fn close(&mut self) {
        for &step in self.steps {
            if !self.findings.iter().any(|finding| finding.step == step) {
                self.skipped(step, "not tried: a step before it failed");
            }
        }
    }

    pub fn print(&self) -> anyhow::Result<()> {
        let width = self.steps.iter().map(|step| step.len()).max().unwrap_or(0);
        for Finding { step, outcome, detail, advice } in &self.findings {
            output::line(format_args!("{:7}  {step:width$}  {}", outcome.as_str(), printable(detail)))?;
            if let Some(advice) = advice {
                output::line(format_args!("{:7}  {:width$}  → {}", "", "", printable(advice)))?;
            }
        }
        for sample in &self.samples {
            output::line("")?;
            sample.trial.print(&sample.entry, false)?;
        }
        output::line("")?;
        let verdict = if self.passed() { "The connection can be used." } else { "The connection can't be used yet." };
        output::line(verdict)?;
        Ok(())
    }

    pub fn as_json(&self, subject: Option<&Subject>) -> anyhow::Result<Value> {
        let finding = |finding: &Finding| {
            json!({
                "step": finding.step,
                "outcome": finding.outcome.as_str(),
                "detail": finding.detail,
                "advice": finding.advice,
            })
        };
        let mut samples = Vec::with_capacity(self.samples.len());
        for sample in &self.samples {
            let Some(subject) = subject else { break };
            let mut object = sample.trial.as_json(&sample.entry, subject)?;
            object["external_id"] = json!(sample.external_id);
            samples.push(object);
        }
        Ok(json!({
            "connection": self.connection,
            "passed": self.passed(),
            "steps": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "samples": samples,
        }))
    }
}
