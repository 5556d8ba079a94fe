//! The app (the form for the iPads), embedded in the program.
//!
//! The build compresses each file once, as far as it goes, and puts the result beside it (`NAME.br`, `NAME.gz`). A
//! server that compressed while it answers would do it fast and badly, each time again.

use actix_web::http::header::{AcceptEncoding, ContentEncoding, Encoding, Header, HeaderName};
use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::Problem;

#[derive(RustEmbed)]
#[folder = "../pwa/dist"]
#[allow_missing = true]
struct Files;

/// Where the dashboard is opened: a page of its own, of which no iPad loads a byte.
const DASHBOARD: &str = "dashboard";
const DASHBOARD_PAGE: &str = "dashboard/index.html";

/// What the build makes of a file, smallest first.
const ENCODINGS: [ContentEncoding; 2] = [ContentEncoding::Brotli, ContentEncoding::Gzip];

/// What the app may do in a browser, so that text which came to be a script does nothing: it runs what this server sends
/// and nothing else, nobody shows it in a frame, and no address that it was opened under travels on. The camera reads the code
/// that connects a device.
const PROTECTION: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        // `wasm-unsafe-eval` compiles the device library and evaluates no text. Other stores (hubs) are other
        // origins, with TLS.
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
         connect-src 'self' https:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::PERMISSIONS_POLICY, "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"),
    (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Answers any path outside `/api` and `/docs`: a file of the app, or the app's page.
pub async fn serve(request: HttpRequest) -> Result<HttpResponse, Problem> {
    const ALLOWED: [Method; 2] = [Method::GET, Method::HEAD];
    if !ALLOWED.contains(request.method()) {
        return Err(Problem::wrong_method(request.method(), &ALLOWED));
    }
    let path = request.path().trim_start_matches('/');
    if Files::get("index.html").is_none() {
        return Ok(protected(HttpResponse::ServiceUnavailable())
            .content_type("text/html; charset=utf-8")
            .body(NOT_BUILT));
    }
    let path = if path.trim_end_matches('/') == DASHBOARD { DASHBOARD_PAGE } else { path };
    // The compressed ones have no address of their own.
    let is_compressed = ENCODINGS.into_iter().any(|encoding| path.ends_with(suffix(encoding)));
    match Files::get(path).filter(|_| !is_compressed) {
        Some(file) => Ok(answer(&request, path, file)),
        // A page of the app, which finds its way by itself; a missing file is missing.
        None if !path.rsplit('/').next().is_some_and(|name| name.contains('.')) => {
            let page = Files::get("index.html").ok_or_else(|| Problem::not_found("The app has no page."))?;
            Ok(answer(&request, "index.html", page))
        }
        None => Err(Problem::not_found("The app has no such file.")),
    }
}

fn answer(request: &HttpRequest, path: &str, file: EmbeddedFile) -> HttpResponse {
    let digest = hex(&file.metadata.sha256_hash()[..16]);
    let compressed = |encoding| Some((encoding, Files::get(&format!("{path}{}", suffix(encoding)))?));
    let (encoding, sent) = ENCODINGS
        .into_iter()
        .filter(|encoding| accepts(request, *encoding))
        .find_map(compressed)
        .unwrap_or((ContentEncoding::Identity, file.clone()));
    // Other bytes, another tag.
    let tag = format!("\"{digest}{}\"", suffix(encoding).replace('.', "-"));
    // Files under assets/ carry their digest in their name; everything else must be asked for again.
    let is_fingerprinted = path.starts_with("assets/") || path.starts_with("dashboard/assets/");
    let caching = if is_fingerprinted { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|value| {
        // What is compressed on the way gets a weak tag.
        value
            .to_str()
            .is_ok_and(|value| value.split(',').any(|one| one.trim().trim_start_matches("W/") == tag))
    });
    let mut response = protected(if known { HttpResponse::NotModified() } else { HttpResponse::Ok() });
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::VARY, "accept-encoding"));
    if known {
        return response.finish();
    }
    if encoding != ContentEncoding::Identity {
        response.insert_header(encoding);
    }
    let media_type = match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    response.content_type(media_type).body(sent.data.into_owned())
}

fn protected(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    for header in PROTECTION {
        response.insert_header(header);
    }
    response
}

/// Whether the request names this encoding, as browsers do.
fn accepts(request: &HttpRequest, encoding: ContentEncoding) -> bool {
    let encoding = Encoding::Known(encoding);
    AcceptEncoding::parse(request)
        .is_ok_and(|accepted| accepted.negotiate([&encoding].into_iter()).as_ref() == Some(&encoding))
}

const fn suffix(encoding: ContentEncoding) -> &'static str {
    match encoding {
        ContentEncoding::Brotli => ".br",
        ContentEncoding::Gzip => ".gz",
        _ => "",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Leadlog</title>\
<h1>The server runs, but the app is not in it</h1>\
<p>This program was built before the app was. Run <code>cargo xtask up</code>, which builds both, \
or <code>cargo xtask wasm</code>, <code>cargo xtask pwa</code> and then <code>cargo build --release</code>.</p>\
<p>The routes work: see <a href=\"/docs/\">/docs</a>.</p></html>";
