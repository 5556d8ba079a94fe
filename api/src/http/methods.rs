//! Which methods each route has, so that a wrong method is told from a wrong address.
//!
//! A route is registered for its method alone, and what no route takes ends in one place. There it is looked up here,
//! so that no route has to think of the methods that it has not.

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::{OpenApi, PathItem};

use super::problem::Problem;

/// The routes that the OpenAPI document describes, with their methods.
pub(super) struct Methods(Vec<(ResourceDef, Vec<Method>)>);

impl Methods {
    pub(super) fn of(document: &OpenApi) -> Self {
        let paths = document.paths.paths.iter();
        Self(paths.map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item))).collect())
    }

    /// The methods of the route at this path, if there is one.
    fn at(&self, path: &str) -> Option<&[Method]> {
        self.0.iter().find(|(route, _)| route.is_match(path)).map(|(_, methods)| methods.as_slice())
    }
}

/// Answers what no route has taken.
pub(super) async fn no_route(request: HttpRequest, methods: Data<Methods>) -> Result<HttpResponse, Problem> {
    match methods.at(request.path()) {
        Some(allowed) => Err(Problem::wrong_method(request.method(), allowed)),
        None => Err(Problem::not_found(format!(
            "There is no route {} {}. The routes are listed at /docs.",
            request.method(),
            request.path()
        ))),
    }
}

fn methods(item: &PathItem) -> Vec<Method> {
    let all = [
        (Method::GET, &item.get),
        (Method::HEAD, &item.head),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
        (Method::OPTIONS, &item.options),
    ];
    all.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method).collect()
}
