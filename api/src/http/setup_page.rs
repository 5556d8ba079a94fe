//! How an iPad comes to trust a hub: a page on a listener of its own, over plain HTTP, opened by the hub's address.
//!
//! It must be plain: an iPad that does not trust the hub yet cannot open a page of it over HTTPS. So nothing stands here but what
//! everybody on the network may know, the CA's certificate and how to install it; no API, nobody's data, no script. What somebody
//! on the network puts in its place, the fingerprint shows, when it is compared with the hub's own screen.

mod words;

use std::fmt::Write as _;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header::{AcceptLanguage, Header, HeaderValue};
use actix_web::http::{Method, StatusCode, header};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tls::{AuthorityInfo, ProfileText, configuration_profile};

use words::{ENGLISH, POLISH, Words};

/// Connections at one time: of twenty iPads at once, with some that hang.
const MAX_CONNECTIONS: usize = 128;
/// How long a request may take to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next one.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Seconds that requests in flight get to finish.
const SHUTDOWN_SECONDS: u64 = 2;

const STYLE: &str = include_str!("setup_page/page.css");
const ALLOWED: [Method; 2] = [Method::GET, Method::HEAD];

/// What the page tells.
pub struct SetupPage {
    /// What the hub is called: `leadlog`, or `hub-2`.
    pub name: String,
    /// What iPads are to trust.
    pub authority: AuthorityInfo,
    /// Where the app is opened at this moment, as `https://hub-2.local:8443`, the best first.
    pub addresses: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

/// Starts to serve the page on this listener, and returns the server to await. It does not handle signals.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(listener: TcpListener, page: SetupPage) -> io::Result<Server> {
    let page = web::Data::from(Arc::new(page));
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::clone(&page)).default_service(web::to(
            |request: HttpRequest, page: web::Data<SetupPage>| async move { page.answer(&request) },
        ))
    })
    .workers(1)
    .max_connections(MAX_CONNECTIONS)
    .client_request_timeout(REQUEST_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .listen(listener)?
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECONDS);
    Ok(server.run())
}

impl SetupPage {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let preferred = preferred(request);
        if !ALLOWED.contains(request.method()) {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, preferred.only_reading);
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        let path = request.path();
        let (words, rest) = match path.split_at_checked(3) {
            Some(("/pl", rest)) if rest.is_empty() || rest.starts_with('/') => (POLISH, rest),
            Some(("/en", rest)) if rest.is_empty() || rest.starts_with('/') => (ENGLISH, rest),
            _ => (preferred, path),
        };
        match rest.trim_start_matches('/') {
            "" => self.page(words),
            "leadlog-ca.crt" => {
                file("application/x-x509-ca-cert", "leadlog-ca.crt", self.authority.der.clone())
            }
            "leadlog-ca.pem" => {
                file("application/x-pem-file", "leadlog-ca.pem", self.authority.pem.clone().into_bytes())
            }
            name if name == self.profile_name() => self.profile(words),
            _ => text(StatusCode::NOT_FOUND, preferred.nothing_here),
        }
    }

    fn profile_name(&self) -> String {
        format!("leadlog-{}.mobileconfig", self.name)
    }

    fn profile(&self, words: Words) -> HttpResponse {
        let name = format!("Leadlog ({}.local)", self.name);
        let profile_text = ProfileText { name: &name, description: words.profile_description };
        match configuration_profile(&self.authority, profile_text) {
            // Without a name to save it under: an iPad opens it then, instead of keeping it as a file.
            Ok(profile) => {
                plain(StatusCode::OK).content_type("application/x-apple-aspen-config").body(profile)
            }
            Err(error) => {
                tracing::error!(%error, "the profile cannot be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, words.try_again)
            }
        }
    }

    fn page(&self, words: Words) -> HttpResponse {
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            STANDARD.encode(Sha256::digest(STYLE))
        );
        plain(StatusCode::OK)
            .insert_header((header::CONTENT_SECURITY_POLICY, policy))
            .insert_header((header::CONTENT_LANGUAGE, words.language))
            .insert_header((header::VARY, "accept-language"))
            .content_type("text/html; charset=utf-8")
            .body(self.html(words))
    }

    fn html(&self, words: Words) -> String {
        let profile = escaped(&format!("/{}/{}", words.language, self.profile_name()));
        let mut addresses = (self.addresses)().into_iter().map(|address| escaped(&address));
        let first = addresses.next().unwrap_or_default();
        let mut others = String::new();
        for address in addresses {
            let _ = write!(others, "<li><a href=\"{address}\">{address}</a></li>");
        }
        if !others.is_empty() {
            others = format!("<p>{}</p><ul class=\"addresses\">{others}</ul>", words.other_addresses);
        }
        let pairs = self.authority.fingerprint();
        let pairs: Vec<&str> = pairs.split(' ').collect();
        let rows: String = pairs.chunks(8).map(|row| format!("<span>{}</span> ", row.join(" "))).collect();
        let ca = escaped(&self.authority.name);
        let name = escaped(&format!("{}.local", self.name));
        let Words { language, other_language, other_name, title, intro, .. } = words;
        let Words {
            step_profile, download, step_install, step_trust, step_open, compare, other_devices, ..
        } = words;
        let (install, trust) = (words.install.replace("{ca}", &ca), words.trust.replace("{ca}", &ca));
        let compare_how = words.compare_how.replace("{ca}", &ca);
        let Words { allow, open, .. } = words;
        format!(
            "<!doctype html><html lang=\"{language}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"dark light\"><title>{title}: {name}</title><style>{STYLE}</style></head>\
             <body><header><p class=\"brand\">Leadlog <span>{name}</span></p>\
             <a lang=\"{other_language}\" href=\"/{other_language}\">{other_name}</a></header>\
             <main><h1>{title}</h1><p class=\"intro\">{intro}</p><ol class=\"steps\">\
             <li><h2>{step_profile}</h2><p><a class=\"button\" href=\"{profile}\">{download}</a></p><p>{allow}</p></li>\
             <li><h2>{step_install}</h2><p>{install}</p></li>\
             <li><h2>{step_trust}</h2><p>{trust}</p>\
             <div class=\"compare\"><h3>{compare}</h3><p>{compare_how}</p><p class=\"fingerprint\">{rows}</p></div></li>\
             <li><h2>{step_open}</h2><p><a class=\"button\" href=\"{first}\">{first}</a></p><p>{open}</p>{others}</li></ol></main>\
             <footer><p>{other_devices} <a href=\"/leadlog-ca.crt\">leadlog-ca.crt</a>, \
             <a href=\"/leadlog-ca.pem\">leadlog-ca.pem</a></p></footer></body></html>"
        )
    }
}

/// What the browser asks for, and Polish when it asks for neither.
fn preferred(request: &HttpRequest) -> Words {
    let Ok(accepted) = AcceptLanguage::parse(request) else { return POLISH };
    let known = accepted.ranked().into_iter().find_map(|language| {
        match language.item().map(|tag| tag.primary_language().to_ascii_lowercase())?.as_str() {
            "pl" => Some(POLISH),
            "en" => Some(ENGLISH),
            _ => None,
        }
    });
    known.unwrap_or(POLISH)
}

/// An answer that browsers take for what it says it is, and keep nowhere: another hub may stand at this address tomorrow.
fn plain(status: StatusCode) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

fn file(media_type: &str, name: &str, bytes: Vec<u8>) -> HttpResponse {
    plain(StatusCode::OK)
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .content_type(media_type)
        .body(bytes)
}

fn text(status: StatusCode, words: &'static str) -> HttpResponse {
    plain(status).content_type("text/plain; charset=utf-8").body(words)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::test::TestRequest;

    use super::*;

    fn page() -> SetupPage {
        let authority = AuthorityInfo {
            name: "Leadlog <hub> & \"2\"".to_owned(),
            der: vec![1, 2, 3],
            pem: "PEM".to_owned(),
            not_after: time::OffsetDateTime::UNIX_EPOCH,
        };
        let addresses = || vec!["https://hub-2.local:8443".to_owned(), "https://192.168.1.7:8443".to_owned()];
        SetupPage { name: "hub-2".to_owned(), authority, addresses: Box::new(addresses) }
    }

    async fn get(path: &str, languages: &str) -> (StatusCode, String, String) {
        let request = TestRequest::get().uri(path).insert_header((header::ACCEPT_LANGUAGE, languages));
        let answer = page().answer(&request.to_http_request());
        let policy = answer.headers().get(header::CONTENT_SECURITY_POLICY);
        let policy = policy.map(|policy| policy.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = answer.status();
        let body = to_bytes(answer.into_body()).await.unwrap();
        (status, policy, String::from_utf8_lossy(&body).into_owned())
    }

    #[actix_web::test]
    async fn it_speaks_the_language_of_the_ipad_or_the_one_that_was_chosen() {
        for (path, languages, title) in [
            ("/", "pl-PL,pl;q=0.9,en;q=0.8", POLISH.title),
            ("/", "en-GB,en;q=0.9,pl;q=0.8", ENGLISH.title),
            ("/", "de, uk;q=0.5", POLISH.title),
            ("/", "en;q=0.1, pl;q=0.9", POLISH.title),
            ("/en", "pl", ENGLISH.title),
            ("/pl/", "en", POLISH.title),
        ] {
            let (status, _, html) = get(path, languages).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(html.contains(&format!("<h1>{title}</h1>")), "{path} {languages}");
        }
        for path in ["/plx", "/english", "/pl/x", "/en/pl"] {
            assert_eq!(get(path, "pl").await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[actix_web::test]
    async fn it_runs_no_script_and_takes_no_name_for_markup() {
        let (_, policy, html) = get("/en", "en").await;
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!html.contains("<script") && !html.contains("style=\""), "{html}");
        assert!(
            html.contains("Leadlog &lt;hub&gt; &amp; &quot;2&quot;") && !html.contains("<hub>"),
            "{html}"
        );
        for told in
            ["https://hub-2.local:8443", "https://192.168.1.7:8443", "/en/leadlog-hub-2.mobileconfig", "{ca}"]
        {
            assert_eq!(html.contains(told), told != "{ca}", "{told}");
        }
    }
}
