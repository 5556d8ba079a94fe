//! Query parameters: read, or refused by name.

use actix_web::HttpRequest;
use actix_web::error::QueryPayloadError;
use actix_web::web::Query;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Reads the parameters of a request. Their types take any text, so that what is wrong is the set of names.
pub(super) fn read<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    let read = Query::<T>::from_query(request.query_string());
    read.map(Query::into_inner).map_err(|error| Problem::bad_parameter(in_words(&error)))
}

/// What serde says of names, in whole sentences. Its other words could repeat what was sent.
fn in_words(error: &QueryPayloadError) -> String {
    let said = match error {
        QueryPayloadError::Deserialize(error) => error.to_string(),
        _ => String::new(),
    };
    if let Some(rest) = said.strip_prefix("unknown field ") {
        return format!("There is no parameter {}.", rest.replacen(", expected ", "; expected ", 1));
    }
    match said.strip_prefix("duplicate field ") {
        Some(name) => format!("The parameter {name} is given more than once."),
        None => "The parameters cannot be read. Write them as ?name=value&name=value.".to_owned(),
    }
}
