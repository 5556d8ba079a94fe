//! The app's files as browsers get them.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::server::Server;

/// A file in one encoding.
struct Sent {
    status: u16,
    encoding: Option<String>,
    vary: Option<String>,
    tag: String,
    body: Vec<u8>,
}

async fn get(server: &Server, path: &str, accepted: &str, known: Option<&str>) -> Sent {
    let mut request = awc::Client::default().get(format!("{}{path}", server.address()));
    request = request.insert_header(("accept-encoding", accepted));
    if let Some(tag) = known {
        request = request.insert_header(("if-none-match", tag));
    }
    let mut response = request.send().await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (encoding, vary, tag) = (header("content-encoding"), header("vary"), header("etag"));
    Sent {
        status: response.status().as_u16(),
        encoding,
        vary,
        tag: tag.unwrap_or_default(),
        body: response.body().limit(16 * 1024 * 1024).await.unwrap().to_vec(),
    }
}

/// The first load is what a venue's network has to carry: what the build compressed is sent as it is.
#[actix_web::test]
async fn a_browser_gets_the_files_as_the_build_compressed_them() {
    let server = Server::start().await;
    let plain = get(&server, "/", "identity", None).await;
    if plain.status == 503 {
        assert!(
            String::from_utf8_lossy(&plain.body).contains("cargo xtask up"),
            "it says how to build the app"
        );
        return;
    }
    assert_eq!((plain.status, plain.encoding.as_deref()), (200, None));

    // What browsers send, in their order.
    let brotli = get(&server, "/", "gzip, deflate, br, zstd", None).await;
    assert_eq!((brotli.status, brotli.encoding.as_deref()), (200, Some("br")));
    let gzip = get(&server, "/", "gzip, br;q=0", None).await;
    assert_eq!((gzip.status, gzip.encoding.as_deref()), (200, Some("gzip")));
    let mut decoded = Vec::new();
    GzDecoder::new(gzip.body.as_slice()).read_to_end(&mut decoded).unwrap();
    assert!(decoded == plain.body, "the same file");
    assert!(brotli.body.len() < gzip.body.len() && gzip.body.len() < plain.body.len());

    // A cache between here and there must never hand out the wrong one.
    for sent in [&plain, &brotli, &gzip] {
        assert_eq!(sent.vary.as_deref(), Some("accept-encoding"));
    }
    assert!(plain.tag != brotli.tag && brotli.tag != gzip.tag && plain.tag != gzip.tag);
    let again = get(&server, "/", "gzip, deflate, br, zstd", Some(&brotli.tag)).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(get(&server, "/", "gzip", Some(&brotli.tag)).await.status, 200);

    // They have no address of their own.
    assert_eq!(get(&server, "/index.html.br", "br", None).await.status, 404);
}

/// A lead holds whatever a person typed. Should it ever become markup, the browser runs nothing of it.
#[actix_web::test]
async fn a_browser_is_told_to_run_nothing_but_the_app() {
    let server = Server::start().await;
    // Pages of the app, and the script of the service worker, which fetches under the policy that it came with.
    for path in ["/", "/any/page", "/sw.js"] {
        let response =
            awc::Client::default().get(format!("{}{path}", server.address())).send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(
            header("content-security-policy"),
            Some(
                "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                 connect-src 'self' https:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'"
            ),
            "{path}"
        );
        assert_eq!(header("referrer-policy"), Some("no-referrer"));
        assert_eq!(
            header("permissions-policy"),
            Some("camera=(self), geolocation=(), microphone=(), payment=(), usb=()")
        );
        assert_eq!(header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
    }
    // Swagger UI brings scripts and styles of its own.
    let docs = awc::Client::default().get(format!("{}/docs/", server.address())).send().await.unwrap();
    assert_eq!(docs.status().as_u16(), 200);
    assert!(docs.headers().get("content-security-policy").is_none());
}
