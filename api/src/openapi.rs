//! The OpenAPI document, generated from the routes.

use actix_web::App;
use domain::Scope;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{
    ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityScheme,
};
use utoipa_actix_web::AppExt;

use crate::http;

/// What the routes themselves cannot say.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Leadlog",
        description = "Takes leads in from devices that work without a network, and gives them to the CRM. \
                       Errors are `application/problem+json` with a stable `type`. Messages grow by optional fields.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "leads", description = "From devices and hubs to the log"),
        (name = "backups", description = "Snapshots of devices, kept beside the log"),
        (name = "exports", description = "From the log to the CRM"),
        (name = "campaigns", description = "What a form asks for"),
        (name = "identity", description = "Enrolment of devices, and tokens for devices and API clients"),
        (name = "live", description = "What is going on"),
        (name = "store", description = "The store itself"),
    )
)]
struct Skeleton;

pub(crate) fn skeleton() -> Document {
    let mut document = Skeleton::openapi();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        "oauth",
        SecurityScheme::OAuth2(OAuth2::with_description([client_credentials()], OAUTH)),
    );
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(BEARER));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    document
}

const OAUTH: &str =
    "Programs, such as a CRM: `leadlog clients add` registers one, and its secret gets it tokens.";
const BEARER: &str =
    "The same tokens, got in whatever way; `leadlog tokens issue` gives one to whoever is at the server.";

fn client_credentials() -> Flow {
    let scopes = Scope::ALL.map(|scope| (scope.as_str(), in_words(scope)));
    Flow::ClientCredentials(ClientCredentials::new("/oauth/token", Scopes::from_iter(scopes)))
}

const fn in_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Capture => "give leads to the store",
        Scope::Quarantine => "hand in what a device that was shut out still holds",
        Scope::Relay => "Bring what a hub has taken in, and what it has heard of its devices",
        Scope::Organize => "look after an event",
        Scope::Crm => "take leads and contacts out",
        Scope::Operate => "look after the store itself",
    }
}

/// Puts the parts in an order that does not depend on the build.
pub(crate) fn finish(mut document: Document) -> Document {
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document
}

/// The whole document.
pub fn document() -> Document {
    let (_, document) =
        App::new().into_utoipa_app().openapi(skeleton()).configure(http::routes).split_for_parts();
    finish(document)
}

/// The document as it is checked in: indented JSON with a newline at the end.
///
/// # Errors
/// When a schema cannot be written as JSON, which is a bug of the program.
pub fn json() -> Result<String, serde_json::Error> {
    Ok(document().to_pretty_json()? + "\n")
}
