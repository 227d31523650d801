//! What the gRPC health service says: what the process's readiness says, of each service and of all.

use tonic_health::{ServingStatus, pb::health_server, server::HealthReporter};

use crate::readiness::Readiness;

/// Keeps the health service told.
pub(super) struct Health {
    reporter: HealthReporter,
    services: Vec<&'static str>,
    readiness: Readiness,
}

impl Health {
    /// The health service, and what keeps it told about these services.
    pub(super) fn new(
        services: Vec<&'static str>,
        readiness: Readiness,
    ) -> (Self, health_server::HealthServer<impl health_server::Health>) {
        let (reporter, server) = tonic_health::server::health_reporter();
        (Self { reporter, services, readiness }, server)
    }

    /// Tells how it stands now.
    pub(super) async fn tell(&self) -> bool {
        let ready = self.readiness.is_ready();
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        // The empty name is the process as a whole.
        for service in self.services.iter().copied().chain([""]) {
            self.reporter.set_service_status(service, status).await;
        }
        ready
    }

    /// Tells every change.
    pub(super) async fn follow(self) {
        loop {
            let told = self.tell().await;
            self.readiness.until(!told).await;
        }
    }
}
