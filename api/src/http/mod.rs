//! The routes. Each module is one resource: parse, ask, answer.

pub mod app;
mod authorization;
pub mod backups;
mod body;
pub mod campaigns;
pub mod check_email;
pub mod enrol;
pub mod exports;
mod feed;
mod guard;
pub mod health;
mod hubs;
mod in_flight;
mod live;
mod log;
mod methods;
mod origin;
pub mod problem;
mod proxies;
mod query;
mod rate_limit;
mod settings;
pub mod setup_page;
pub mod sign_in;
pub mod sync;
pub mod token;

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{Compress, Condition, from_fn};
use actix_web::{App, HttpServer, web};
use domain::StoreState;
use hub::courier::RelayHandle;
use identity::{Authority, Provider};
use intake::{Queue, RelayProgress};
use projections::{Runner, RunnerOptions, Waker};
use rustls::ServerConfig;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::SwaggerUi;

use in_flight::InFlight;
pub use origin::{Origin, OriginError};
pub use proxies::{TrustedProxy, TrustedProxyError};
use rate_limit::RateLimit;
pub use settings::{DEVICE_REQUESTS_PER_SECOND, Settings};

use crate::backups::erasure;
use crate::conditions::Conditions;
use crate::live::alarms::{Watched, Watchman};
use crate::live::{Live, ReachNow, Sources};
use crate::openapi;
use crate::store::Store;

/// What is beside a store, which not every one has.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Of a hub: its relay.
    pub relay: Option<RelayHandle>,
    /// Of a hub: what tells how iPads reach it.
    pub reach: Option<ReachNow>,
    /// Where the database lies, if this program runs it.
    pub data_dir: Option<PathBuf>,
}

/// What every route can reach.
#[derive(Clone)]
pub struct Context {
    /// The store behind this server.
    pub store: Store,
    /// Where entries go in.
    pub queue: Queue,
    /// Tells the projections that the log has grown.
    pub projections: Waker,
    /// Says who may what.
    pub authority: Arc<Authority>,
    /// Says who people are; `None` where they come by invitations alone.
    pub provider: Option<Arc<Provider>>,
    /// What devices say of themselves.
    conditions: Conditions,
    /// Tells whoever watches what is going on.
    live: Arc<Live>,
    /// Of a hub: its relay.
    relay: Option<RelayHandle>,
    /// Requests that are being answered.
    in_flight: InFlight,
    /// What was said about callers.
    settings: Arc<Settings>,
    /// How often each address has asked for a token by a secret.
    token_attempts: Arc<RateLimit>,
    /// How often each device has asked for one. Apart, so that no crowd of addresses pushes a device out.
    device_tokens: Arc<RateLimit>,
    /// How often each device has sent leads.
    device_sends: Arc<RateLimit>,
    /// How often each device that was shut out has handed something in.
    handed_in: Arc<RateLimit>,
    /// How often each address has tried what is no code.
    code_attempts: Arc<RateLimit>,
    /// How often each address has brought something back from the provider that let nobody in.
    sign_in_attempts: Arc<RateLimit>,
    /// How often each caller has asked whether an address is known.
    email_questions: Arc<RateLimit>,
}

impl Context {
    /// Starts what works behind the routes: the intake, the look-out for campaigns, and the projections, which the
    /// caller stops. The relay of a hub, which the caller stops, too, is told what comes in.
    pub fn start(store: Store, settings: Settings, surroundings: Surroundings) -> (Self, Runner) {
        let Surroundings { relay, reach, data_dir } = surroundings;
        store.keep_campaigns_up();
        tokio::spawn(erasure::keep_rewriting(store.pool().clone()));
        let runner = Runner::spawn(store.pool().clone(), RunnerOptions::default());
        let (projections, relaying) = (runner.waker(), relay.clone());
        let queue = Queue::start(store.log().clone(), store.opened_at(), move || {
            projections.wake();
            relaying.iter().for_each(RelayHandle::wake);
        });
        let authority = Arc::new(Authority::new(store.log().clone(), store.identity().id));
        let conditions = Conditions::keep(store.pool().clone());
        let watchman = Watchman::start(store.pool().clone(), Watched { relay: relay.clone(), data_dir });
        let live = Live::start(Sources {
            store: store.clone(),
            authority: Arc::clone(&authority),
            conditions: conditions.clone(),
            projections: runner.waker(),
            relay: relay.clone(),
            reach,
            watchman,
        });
        let context = Self {
            store,
            queue,
            projections: runner.waker(),
            authority,
            provider: None,
            conditions,
            live: Arc::new(live),
            relay,
            in_flight: InFlight::default(),
            device_sends: Arc::new(settings.device_sends()),
            settings: Arc::new(settings),
            token_attempts: Arc::default(),
            device_tokens: Arc::default(),
            handed_in: Arc::default(),
            code_attempts: Arc::default(),
            sign_in_attempts: Arc::default(),
            email_questions: Arc::default(),
        };
        (context, runner)
    }

    /// Lets people sign in by this provider, too.
    #[must_use]
    pub fn with_provider(self, provider: Option<Arc<Provider>>) -> Self {
        Self { provider, ..self }
    }

    /// How far this store's relay is.
    pub fn relay_progress(&self) -> RelayProgress {
        let Some(relay) = &self.relay else { return RelayProgress::default() };
        let status = relay.status.borrow();
        RelayProgress { relayed_through: Some(status.relayed_through), cloud_receipt: status.cloud_receipt }
    }

    /// Stops a server: takes no new connection, answers what it was asked, and closes the others.
    pub async fn stop(&self, server: &ServerHandle) {
        // Whoever watches would never be answered to the end.
        self.live.close();
        server.pause().await;
        let answered = async {
            while !self.in_flight.is_over() {
                tokio::time::sleep(SHUTDOWN_POLL).await;
            }
        };
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, answered).await;
        tokio::time::sleep(SHUTDOWN_FLUSH).await;
        server.stop(false).await;
    }

    /// Writes what devices have said of themselves and what is not written yet, before a server ends.
    pub async fn write_notes(&self) {
        if let Err(error) = self.conditions.write().await {
            tracing::warn!(%error, "what devices say of themselves is not written; they say it again");
        }
    }

    /// What an answer says about this store, whose log ends at `head`.
    pub fn store_state(&self, head: u64) -> StoreState {
        let RelayProgress { relayed_through, cloud_receipt } = self.relay_progress();
        let identity = self.store.identity();
        StoreState { id: identity.id, tier: identity.tier, head, relayed_through, cloud_receipt }
    }
}

/// How long requests in flight get to finish when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the end of what was answered may be on its way to the network.
const SHUTDOWN_FLUSH: Duration = Duration::from_millis(250);

/// How often it is looked whether they have.
const SHUTDOWN_POLL: Duration = Duration::from_millis(20);

/// Connections that may wait to be accepted: of all devices at once, when a network or a server has come back.
const MAX_WAITING_CONNECTIONS: i32 = 1024;

/// How long a device may take to agree on keys: some packets, over a WiFi that loses many.
const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// Starts to serve on this listener, and returns the server to await. It does not handle signals.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(listener: TcpListener, context: Context) -> io::Result<Server> {
    serve_by(listener, None, context)
}

/// The same over TLS. Who comes without it gets no answer.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve_over_tls(listener: TcpListener, tls: ServerConfig, context: Context) -> io::Result<Server> {
    serve_by(listener, Some(tls), context)
}

fn serve_by(listener: TcpListener, tls: Option<ServerConfig>, context: Context) -> io::Result<Server> {
    // The standard library asks for 128. Who comes when they are taken is not answered, and tries again a second later.
    rustix::net::listen(&listener, MAX_WAITING_CONNECTIONS)?;
    let server = HttpServer::new(move || {
        let origins = &context.settings.allowed_origins;
        // Around everything: what is refused must be read, too.
        let cors = Condition::new(!origins.is_empty(), origin::cors(origins));
        let (app, document) = App::new()
            .into_utoipa_app()
            .openapi(openapi::skeleton())
            .map(|app| {
                app.wrap(from_fn(guard::keep))
                    .wrap(Compress::default())
                    .wrap(from_fn(log::log_request))
                    .wrap(cors)
                    .wrap(from_fn(in_flight::count))
            })
            .app_data(web::Data::new(context.clone()))
            .configure(routes)
            .split_for_parts();
        let methods = web::Data::new(methods::Methods::of(&document));
        let guard = web::Data::new(guard::Guard::of(&document));
        app.service(web::redirect("/docs", "/docs/"))
            .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", openapi::finish(document)))
            .app_data(methods)
            .app_data(guard)
            .service(web::scope("/api").default_service(web::to(methods::no_route)))
            .service(web::scope("/oauth").default_service(web::to(methods::no_route)))
            .default_service(web::to(app::serve))
    });
    let server = match tls {
        None => server.listen(listener)?,
        Some(tls) => server.tls_handshake_timeout(TLS_HANDSHAKE_TIMEOUT).listen_rustls_0_23(listener, tls)?,
    };
    Ok(server.disable_signals().run())
}

/// The routes that the OpenAPI document describes.
pub(crate) fn routes(config: &mut utoipa_actix_web::service_config::ServiceConfig<'_>) {
    config
        .service(health::get_health)
        .service(health::head_health)
        .service(sync::sync_leads)
        .service(campaigns::get_campaign)
        .service(feed::get_feed)
        .service(feed::update_feed)
        .service(hubs::enrol_hub)
        .service(live::watch_live)
        .service(check_email::check_email)
        .service(backups::list_backups)
        .service(backups::put_backup)
        .service(backups::list_backups_of_device)
        .service(backups::get_backup)
        .service(exports::export_leads)
        .service(exports::head_leads)
        .service(exports::export_contacts)
        .service(exports::head_contacts)
        .service(enrol::enrol_device)
        .service(sign_in::get_sign_in)
        .service(sign_in::sign_in)
        .service(sign_in::accept_invitation)
        .service(token::issue_token);
}
