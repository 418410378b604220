//! Logs for people or machines, and traces for a collector.
//!
//! Invariant: a panic is logged by its place only; its message could hold anything.

use std::{future::Future, io::IsTerminal, sync::Arc, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SdkTracerProvider, SpanData},
};
use tokio::runtime::Handle;
use tracing::Level;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt,
};
use url::Url;

use crate::{
    app::faults::{Fault, FaultKind},
    base::{
        config::{LogFormat, TelemetrySettings},
        ids::ReplicaId,
    },
};

type AnyLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// What must be told when we stop.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts logging, and tracing where a collector is named; `handle` sends the traces.
    ///
    /// # Errors
    /// When the collector's address cannot be used.
    pub fn start(settings: &TelemetrySettings, replica: ReplicaId, handle: &Handle) -> Result<Self, Fault> {
        let provider = settings
            .otlp_endpoint
            .as_ref()
            .map(|endpoint| provider(endpoint, replica, handle))
            .transpose()?;
        let mut layers: Vec<AnyLayer> = vec![log_layer(settings)];
        if let Some(provider) = &provider {
            // Only our own spans: those of the client that sends them would never end.
            let ours = Targets::new().with_target("portreeve", Level::INFO);
            let tracer = provider.tracer("portreeve");
            layers.push(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(ours).boxed());
        }
        // A second start in one process (a test's) keeps the first.
        let _ = tracing_subscriber::registry().with(layers).try_init();
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
            tracing::error!(
                place = place.as_deref().unwrap_or("unknown"),
                "a defect stopped this piece of work"
            );
        }));
        Ok(Self { provider })
    }

    /// Sends what has not been sent; call it outside the runtime, before that ends.
    pub fn finish(self) {
        if let Some(provider) = self.provider {
            let _ = provider.shutdown_with_timeout(Duration::from_secs(3));
        }
    }
}

fn log_layer(settings: &TelemetrySettings) -> AnyLayer {
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
        LogFormat::Text => {
            lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed()
        }
    }
}

fn provider(endpoint: &Url, replica: ReplicaId, handle: &Handle) -> Result<SdkTracerProvider, Fault> {
    let mut endpoint = endpoint.clone();
    if !endpoint.path().ends_with("/v1/traces") {
        // OTLP 1.x, "OTLP/HTTP Request": the signal's path follows the base address.
        let base = endpoint.path().trim_end_matches('/').to_owned();
        endpoint.set_path(&format!("{base}/v1/traces"));
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint.as_str())
        .with_timeout(Duration::from_secs(5))
        .build()
        .map_err(|error| {
            let sentence = format!("the OpenTelemetry collector's address cannot be used: {error}");
            Fault::new(FaultKind::Settings, sentence, "Correct PORTREEVE_OTLP_ENDPOINT, or leave it out.")
        })?;
    let resource = Resource::builder()
        .with_service_name("portreeve")
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", replica.to_string()),
        ])
        .build();
    let exporter = OnRuntime { exporter: Arc::new(exporter), handle: handle.clone() };
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// The batching thread has no runtime, and the HTTP client needs one: each batch is sent on ours.
#[derive(Debug)]
struct OnRuntime {
    exporter: Arc<SpanExporter>,
    handle: Handle,
}

impl opentelemetry_sdk::trace::SpanExporter for OnRuntime {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let (exporter, handle) = (Arc::clone(&self.exporter), self.handle.clone());
        async move {
            handle
                .spawn(async move { exporter.export(batch).await })
                .await
                .unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())))
        }
    }
}
