//! Threads for scripts. Each has a runtime and a stack of its own, so a script has the same room wherever it is called
//! from, and a script that the engine can't interrupt keeps its thread, never its caller.
//!
//! QuickJS asks for the deadline between instructions and in most of its own loops, not in all: to multiply two
//! enormous integers, say, is one step. Such a thread can't be ended, only left: the caller has its answer after
//! [`Limits::patience`], the thread ends when the step does, and when [`Limits::lost_max`] are lost like that no script
//! runs any more until one comes back.

use super::Limits;
use super::engine::{Engine, Ran, Script};
use super::failure::Failure;
use crate::clock::{Micros, Monotonic};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// QuickJS counts its own frames; what it calls (the regular expressions, malloc) needs some room beyond them.
const THREAD_STACK_EXTRA: usize = 1024 * 1024;

/// As many as can be at work at one time on a large machine; one more is let go after its run.
const IDLE_MAX: usize = 64;

/// The one that published scripts share: threads that were lost count for the whole process.
pub fn of_the_process() -> &'static Arc<Sandbox> {
    static SANDBOX: LazyLock<Arc<Sandbox>> = LazyLock::new(|| Sandbox::new(Limits::default(), Monotonic::system()));
    &SANDBOX
}

/// Runs scripts under [`Limits`].
pub struct Sandbox {
    limits: Limits,
    monotonic: Monotonic,
    idle: Mutex<Vec<Worker>>,
    lost: Arc<AtomicUsize>,
}

struct Worker {
    jobs: mpsc::Sender<Job>,
    answers: mpsc::Receiver<Ran>,
    /// Set when nobody waits any more; the thread takes itself off the number of the lost when it ends.
    left: Arc<AtomicBool>,
}

struct Job {
    script: Arc<Script>,
    input: Option<String>,
    now: Micros,
}

impl Sandbox {
    pub fn new(limits: Limits, monotonic: Monotonic) -> Arc<Self> {
        Arc::new(Self { limits, monotonic, idle: Mutex::default(), lost: Arc::default() })
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Threads that did not stop when told to and have not ended since.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }

    /// Runs one script, waiting for it. `input` is the JSON of `raw_data`, none to load the module alone.
    pub(super) fn run(&self, script: &Arc<Script>, input: Option<String>, now: Micros) -> Ran {
        let worker = match self.worker() {
            Ok(worker) => worker,
            Err(failure) => return Ran { outcome: Err(failure), trace: String::new() },
        };
        let sent = worker.jobs.send(Job { script: Arc::clone(script), input, now });
        let answer = sent.map_or(Err(RecvTimeoutError::Disconnected), |()| worker.answers.recv_timeout(self.limits.patience));
        let failure = match answer {
            Ok(ran) => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < IDLE_MAX {
                    idle.push(worker);
                }
                return ran;
            }
            Err(RecvTimeoutError::Timeout) => {
                self.lost.fetch_add(1, Ordering::SeqCst);
                worker.left.store(true, Ordering::SeqCst);
                Failure::Stuck
            }
            Err(RecvTimeoutError::Disconnected) => Failure::Engine { reason: String::from("its thread ended") },
        };
        Ran { outcome: Err(failure), trace: String::new() }
    }

    fn worker(&self) -> Result<Worker, Failure> {
        if let Some(worker) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(worker);
        }
        let lost = self.lost();
        if lost >= self.limits.lost_max {
            return Err(Failure::NoThread { lost });
        }
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (outbox, answers) = mpsc::channel();
        let left = Arc::new(AtomicBool::new(false));
        let (limits, monotonic) = (self.limits.clone(), self.monotonic.clone());
        let (lost, leaves) = (Arc::clone(&self.lost), Arc::clone(&left));
        let thread =
            std::thread::Builder::new().name(String::from("mapper-js")).stack_size(limits.stack_bytes_max + THREAD_STACK_EXTRA);
        let spawned = thread.spawn(move || {
            let mut engine = Engine::new(limits, monotonic);
            while let Ok(job) = inbox.recv() {
                if outbox.send(engine.run(&job.script, job.input.as_deref(), job.now)).is_err() {
                    break;
                }
            }
            if leaves.load(Ordering::SeqCst) {
                lost.fetch_sub(1, Ordering::SeqCst);
            }
        });
        match spawned {
            Ok(_) => Ok(Worker { jobs, answers, left }),
            Err(error) => Err(Failure::Engine { reason: error.to_string() }),
        }
    }
}
