//! The admin API in `/openapi.json`: which routes there are, who may ask them, what they take and give, how they fail. What it
//! means is told in `docs/admin-api.md`.

mod shapes;

use grok2api_proto::admin::Role;
use utoipa::openapi::{
    Content, ContentBuilder, HttpMethod, ObjectBuilder, OpenApi, RefOr, Required, ResponseBuilder, Schema,
    SecurityRequirement, Type,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    tag::TagBuilder,
};

use super::{
    routes::{Level, TABLE, Told},
    words,
};
use crate::openapi::failures;

const TAG: &str = "Admin";
/// Routes that answer with something else than one object.
const STREAMS: [(&str, &str); 5] = [
    ("/live", "text/event-stream"),
    ("/accounts/bulk", "application/x-ndjson"),
    ("/accounts/import", "application/x-ndjson"),
    ("/accounts/export", "application/jsonl"),
    ("/requests.csv", "text/csv"),
];

/// Adds every route of the table.
pub(crate) fn add(api: &mut OpenApi) {
    let text = "For those who run the product. What it means: docs/admin-api.md.";
    api.tags.get_or_insert_default().push(TagBuilder::new().name(TAG).description(Some(text)).build());
    let components = api.components.get_or_insert_default();
    let bearer =
        Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("A session's token.")).build();
    components.add_security_scheme("session", SecurityScheme::Http(bearer));
    let cookie = ApiKeyValue::with_description("g2a_session", "A session, from the console's own pages.");
    components.add_security_scheme("session_cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    components.schemas.extend(shapes::named());
    for told in TABLE {
        let method = match told.method {
            "get" => HttpMethod::Get,
            "put" => HttpMethod::Put,
            "patch" => HttpMethod::Patch,
            "delete" => HttpMethod::Delete,
            _ => HttpMethod::Post,
        };
        api.paths.add_path_operation(format!("/api{}", told.path), vec![method], operation(told));
    }
}

fn operation(told: &Told) -> Operation {
    let role = match told.level {
        Level::Everybody => "Needs no session.".to_owned(),
        Level::Any => "Needs a session.".to_owned(),
        Level::Viewer => needs(Role::Viewer),
        Level::Operator => needs(Role::Operator),
        Level::Owner => needs(Role::Owner),
    };
    let kind =
        STREAMS.iter().find(|(path, _)| *path == told.path).map_or("application/json", |(_, kind)| kind);
    let shape = shapes::route(told);
    let given = shape.and_then(shapes::Route::gives);
    let done = ResponseBuilder::new().description("Done.").content(kind, content(kind, given));
    let mut operation = OperationBuilder::new()
        .tag(TAG)
        .operation_id(Some(name(told)))
        .summary(Some(told.about))
        .description(Some(role))
        .response("200", done.build());
    for parameter in parameters(told.path).chain(shape.into_iter().flat_map(shapes::Route::query)) {
        operation = operation.parameter(parameter);
    }
    if let Some(taken) = shape.and_then(shapes::Route::takes) {
        let json = "application/json";
        let body = RequestBodyBuilder::new().content(json, content(json, Some(taken)));
        operation = operation.request_body(Some(body.required(Some(Required::True)).build()));
    }
    if told.level != Level::Everybody {
        operation = operation
            .security(SecurityRequirement::new::<_, _, String>("session", []))
            .security(SecurityRequirement::new::<_, _, String>("session_cookie", []));
    }
    let mut operation = operation.build();
    failures::add(&mut operation, &[400, 401, 403, 404, 409, 413, 429, 503, 504]);
    operation
}

fn needs(role: Role) -> String {
    format!("Needs the role {}.", words::role(role))
}

/// `post_accounts_id` of `POST /accounts/{id}`.
fn name(told: &Told) -> String {
    let path: String = told.path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let parts: Vec<&str> = path.split('_').filter(|part| !part.is_empty()).collect();
    format!("admin_{}_{}", told.method, parts.join("_"))
}

fn parameters(path: &str) -> impl Iterator<Item = Parameter> + '_ {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build()
    })
}

fn content(kind: &str, schema: Option<RefOr<Schema>>) -> Content {
    let schema_type = if kind == "application/json" { Type::Object } else { Type::String };
    let other = || ObjectBuilder::new().schema_type(schema_type).into();
    ContentBuilder::new().schema(Some(schema.unwrap_or_else(other))).build()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_route_is_told_under_a_name_of_its_own() {
        let mut api = crate::openapi::base();
        add(&mut api);
        let document = serde_json::to_value(&api).unwrap();
        let mut names = HashSet::new();
        for told in TABLE {
            let operation = &document["paths"][format!("/api{}", told.path)][told.method];
            assert_eq!(operation["summary"], told.about, "{} {}", told.method, told.path);
            assert!(names.insert(operation["operationId"].to_string()), "{operation}");
            assert_eq!(operation["security"].is_null(), told.level == Level::Everybody);
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_path = parameters.filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(in_path, told.path.matches('{').count());
        }
        assert!(
            document["paths"]["/api/live"]["get"]["responses"]["200"]["content"]["text/event-stream"]
                .is_object()
        );
    }
}
