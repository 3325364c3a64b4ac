//! Sends events to webhooks, and what administrators need to set them up.

use super::App;
use crate::clock::Micros;
use crate::events::reader::Reader;
use crate::events::webhooks::courier::Courier;
use crate::events::webhooks::desk::Desk;
use crate::events::webhooks::schedule::Schedule;
use std::time::Duration;

/// Runs until it is dropped.
pub async fn run(app: App) {
    let config = &app.config.webhooks;
    let micros = |duration: Duration| Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX);
    let courier = Courier {
        store: app.store.clone(),
        reader: app.reader(),
        outbound: app.outbound.clone(),
        keys: app.keys.clone(),
        clock: app.clock.clone(),
        entropy: app.entropy.clone(),
        metrics: app.metrics.clone(),
        schedule: Schedule { first: micros(config.retry_first), most: micros(config.retry_max), total: micros(config.retry_for) },
        timeout: config.timeout,
    };
    courier.run().await;
}

impl App {
    /// Reads events.
    pub fn reader(&self) -> Reader {
        Reader { store: self.store.clone(), show_user: crate::api::shown_user::user }
    }

    pub fn desk(&self) -> Desk {
        Desk {
            reader: self.reader(),
            outbound: self.outbound.clone(),
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            timeout: self.config.webhooks.timeout,
        }
    }
}
