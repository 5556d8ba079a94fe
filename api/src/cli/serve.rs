//! `leadlog serve`.

mod address;
mod callers;
mod mdns;
mod provider;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::{Context as _, bail};
use clap::Args;
use domain::Tier;
use hub::backups::Backups;
use hub::cloud::Cloud;
use hub::courier::Courier;
use hub::exchange::Exchange;
use identity::{Invited, Offered, Provider};
use managed_postgres::Cluster;
use sqlx::PgPool;

use address::Reach;
use callers::Callers;
use mdns::Announcer;
use provider::ProviderArgs;
use tls::{Own, Tls, TlsArgs};

use super::database::DatabaseArgs;
use super::hub::CloudArgs;
use super::stop_signal::StopSignal;
use super::{enrolments, people};
use crate::http::setup_page::{self, SetupPage};
use crate::http::{self, Context, Origin, Surroundings};
use crate::store::Store;
use crate::{backups, conditions};

/// How often the managed PostgreSQL is looked after.
const LOOK_AFTER_INTERVAL: Duration = Duration::from_secs(2);

/// Serves the form and the API until Ctrl-C or SIGTERM; requests in flight are answered first.
///
/// Without a database URL it runs its own PostgreSQL in the data folder, and starts it again if it dies.
#[derive(Args)]
pub(super) struct Serve {
    /// Address and port to listen on. Port 0 takes a free one. 0.0.0.0 lets other devices in.
    #[arg(long, env = "LEADLOG_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,

    /// While no device is connected, make a one-time code for the first one and print it as a link, for whoever starts this.
    /// While nobody has signed in and there is no provider, print another one for the owner. Not where the output is kept as a log.
    #[arg(long)]
    invite: bool,

    #[command(flatten)]
    callers: Callers,

    #[command(flatten)]
    database: DatabaseArgs,

    // These two have headings in the help, which also count for what follows.
    #[command(flatten)]
    tls: TlsArgs,

    #[command(flatten)]
    provider: ProviderArgs,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.run_as(None).await
    }

    /// The same, and relays to a cloud.
    pub(super) async fn run_as_hub(self, cloud: CloudArgs) -> anyhow::Result<()> {
        self.run_as(Some(cloud)).await
    }

    async fn run_as(mut self, cloud: Option<CloudArgs>) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.listen).with_context(|| {
            format!("cannot listen on {}; is something else there? Choose another with --listen", self.listen)
        })?;
        let (tls, address) = (std::mem::take(&mut self.tls), listener.local_addr()?);
        let folder = self.database.data_dir();
        let tls = tokio::task::spawn_blocking(move || tls.prepare(address, &folder)).await??;
        // From here on a signal waits for its turn, so that PostgreSQL is never left behind half-started.
        let stop = StopSignal::new()?;
        let database = self.database.database();
        let (url, cluster) = tokio::task::spawn_blocking(move || database.start()).await??;
        let keeper = cluster.map(Keeper::start);
        let served = self.serve(listener, tls, &url, cloud, stop).await;
        if let Some(keeper) = keeper {
            tokio::task::spawn_blocking(move || keeper.release()).await?;
        }
        tracing::info!("stopped");
        served
    }

    /// Serves until the signal.
    async fn serve(
        self,
        listener: TcpListener,
        mut tls: Tls,
        url: &str,
        cloud: Option<CloudArgs>,
        mut stop: StopSignal,
    ) -> anyhow::Result<()> {
        let address = listener.local_addr()?;
        let mut store = Store::open_to_append(url).await?;
        let pool = store.pool().clone();
        if let Err(error) = warn_of_limits(&pool).await {
            tracing::warn!(%error, "what the database user may do cannot be read");
        }
        let mut settings = self.callers.settings();
        let relaying = match cloud {
            None if store.identity().tier == Tier::Hub => {
                bail!(
                    "this store is a hub; start it with `leadlog hub --cloud URL`, or give another --data-dir"
                )
            }
            None => None,
            Some(cloud) => {
                // Its devices would go on to take its word for that of the cloud.
                if store.identity().tier != Tier::Hub && projections::is_led(&pool).await? {
                    bail!("a server runs on this store; stop it first, or give another --data-dir");
                }
                store.make_hub().await?;
                if let Some(grants) = hub::state::missing_grants(&pool).await? {
                    bail!("the database user may not keep where the relay stands; let it: {grants}");
                }
                let link = cloud.link(&pool).await?;
                // The app comes from there, and gives what it has to this hub, too.
                settings.allowed_origins.extend(Origin::of(&link.cloud));
                let cloud =
                    Arc::new(Cloud::new(pool.clone(), link).context("there is no TLS on this machine")?);
                let courier = Courier::start(store.log().clone(), Arc::clone(&cloud)).await?;
                let backups = Backups::start(pool.clone(), courier.handle());
                Some((courier, Exchange::start(store.log(), cloud), backups))
            }
        };
        let config = tls.config.take();
        let is_secure = config.is_some();
        let surroundings = Surroundings {
            relay: relaying.as_ref().map(|(courier, ..)| courier.handle()),
            reach: relaying.is_some().then(|| address::live(address, is_secure, &tls)).transpose()?,
            data_dir: self.database.managed_dir(),
        };
        let provider = self.provider.provider(&pool)?;
        let looked_at = provider.clone();
        let first = if self.invite { Some(First::invite(&store, provider.is_some()).await?) } else { None };
        let (context, projections) = Context::start(store, settings, surroundings);
        let context = context.with_provider(provider);
        let server = match config {
            None => http::serve(listener, context.clone())?,
            Some(config) => http::serve_over_tls(listener, config, context.clone())?,
        };
        let handle = server.handle();
        let server = tokio::spawn(server);
        address::announce(&Reach::of(address, is_secure, &tls)?, first.as_ref())?;
        let host = tls.host.take();
        let announcer = host.map(|host| Announcer::start(host, address, is_secure));
        let setup_page = tls.own.take().map(|own| serve_setup_page(own, address)).transpose()?;
        tokio::select! {
            () = stop.received() => {}
            () = look_at(looked_at) => {}
        }
        tracing::info!("stopping; requests in flight are answered first");
        // Joins a thread, which takes a moment.
        let said = tokio::task::spawn_blocking(move || drop((announcer, tls)));
        context.stop(&handle).await;
        if let Some(setup_page) = setup_page {
            setup_page.stop(true).await;
        }
        server.await??;
        said.await?;
        drop(relaying);
        projections.shutdown().await;
        context.write_notes().await;
        event_store::close(&pool).await;
        Ok(())
    }
}

/// Serves the page that sets up iPads, beside all else.
fn serve_setup_page(own: Own, address: SocketAddr) -> std::io::Result<ServerHandle> {
    let addresses = Box::new(own.addresses(address));
    let Own { authority, name, setup, .. } = own;
    let server = setup_page::serve(setup, SetupPage { name, authority, addresses })?;
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

/// Links for whoever starts a store that nobody uses yet.
struct First {
    /// By which the first device comes in; `None` when one came in already.
    device: Option<Offered>,
    /// By which its owner signs in; `None` when somebody did already, or the provider says who may.
    owner: Option<Invited>,
}

impl First {
    async fn invite(store: &Store, has_provider: bool) -> anyhow::Result<Self> {
        let owner = if has_provider { None } else { people::invite_owner(store).await? };
        Ok(Self { device: enrolments::invite_first(store).await?, owner })
    }
}

/// Says what stands in the way of people before they meet it. Never ends: nothing depends on it.
async fn look_at(provider: Option<Arc<Provider>>) {
    if let Some(provider) = provider {
        match provider.authorization_request().await {
            Ok(_) => tracing::info!(issuer = provider.issuer(), "people sign in with this provider"),
            Err(error) => tracing::warn!(%error, "nobody can sign in as long as this lasts"),
        }
    }
    std::future::pending().await
}

/// Says what cannot be done with this database, or by its user, beside taking leads in. That comes first, so it serves all the same.
async fn warn_of_limits(pool: &PgPool) -> Result<(), sqlx::Error> {
    if event_store::head_to_append(pool).await?.is_none() {
        tracing::warn!("the database is read-only: no lead can be taken in until that ends");
    }
    if let Some(grants) = projections::missing_write_grants(pool).await? {
        tracing::warn!(
            "the database user may not keep every projection up, so exports and reports will be out of date unless another \
             server does; let it: {grants}"
        );
    }
    if let Some(grants) = identity::missing_grants(pool).await? {
        tracing::warn!(
            "the database user may not see the keys that sign access tokens, so no program can take leads out over HTTP; let \
             it: {grants}"
        );
    }
    if let Some(grants) = identity::missing_device_grants(pool).await? {
        tracing::warn!(
            "the database user may not note which assertions were used, so no iPad gets a token and none can send; let it: \
             {grants}"
        );
    }
    if let Some(grants) = conditions::missing_grants(pool).await? {
        tracing::warn!(
            "the database user may not keep what iPads say of themselves, so that the dashboard forgets it; let it: {grants}"
        );
    }
    if let Some(grants) = backups::missing_grants(pool).await? {
        tracing::warn!("the database user may not keep the backups of the iPads; let it: {grants}");
    }
    Ok(())
}

/// Looks after the managed PostgreSQL: starts it again when it has died, and lets go of it in the end.
struct Keeper {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    fn start(mut cluster: Cluster) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(LOOK_AFTER_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = cluster.ensure_running() {
                    tracing::error!(%error, "PostgreSQL does not start");
                }
            }
            if let Err(error) = cluster.release() {
                tracing::warn!(%error, "PostgreSQL was not stopped");
            }
        });
        Self { stop, thread }
    }

    fn release(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that looks after PostgreSQL panicked");
        }
    }
}
