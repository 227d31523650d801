//! `POST` and `GET /v1/videos`, `GET` and `DELETE /v1/videos/{id}`, `GET /v1/videos/{id}/content`.

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::PathRejection},
    http::{HeaderMap, Method},
    response::Response,
};
use grok2api_proto::{
    Error, Kind, Result,
    chat::ListModelsRequest,
    media,
    video::{GetRequest, Job, JobDetails, ListRequest},
};
use prost::Message as _;
use uuid::Uuid;

use super::{
    chat::parse,
    images::{form, is_form},
    media::serve,
};
use crate::{
    Deps, body,
    middleware::request_id,
    openai::{
        error::Failure,
        request::videos::{Page, Video as Asked, variant},
        videos::{Deleted, List, Video},
    },
};

/// Most of a client's videos that are looked through for the oldest.
const MOST_LISTED: usize = 10_000;

type Id = Result<Path<String>, PathRejection>;

pub(crate) async fn create(State(deps): State<Deps>, request: Request) -> Result<Json<Video>, Failure> {
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body, deps.max_body_bytes).await?;
    let asked = if is_form(&parts.headers) {
        Asked::form(form(parts.clone(), body).await?)?
    } else {
        parse(body, Asked::parse).await?
    };
    films(&deps, &asked.model).await?;
    let id = Uuid::now_v7().simple();
    tracing::debug!(request.id = request_id(&parts.headers), video.id = %id, "video accepted");
    let details = JobDetails {
        request: asked.to_request(format!("turn_{id}")).encode_to_vec().into(),
        model: asked.model,
        prompt: asked.prompt,
        size: asked.size,
        seconds: asked.seconds,
        ..JobDetails::default()
    };
    let job = deps.videos.begin(format!("video_{id}"), String::new(), details).await?;
    Ok(Json(job.into()))
}

/// Checks that the model is there and makes videos.
async fn films(deps: &Deps, name: &str) -> Result<()> {
    let models = deps.chat.list_models(ListModelsRequest {}).await?.models;
    match models.iter().find(|model| model.id == name) {
        Some(model) if model.video => Ok(()),
        Some(_) => Err(Error::invalid("model", format!("the model {name} makes no videos"))),
        None => {
            let message = format!("the model {name:?} does not exist");
            Err(Error::new(Kind::NotFound, "model_not_found", message).at("model"))
        }
    }
}

pub(crate) async fn list(
    State(deps): State<Deps>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<List>, Failure> {
    let page = Page::parse(&query)?;
    let limit = page.limit as usize;
    let jobs = if page.ascending {
        let mut all = all(&deps).await?;
        all.reverse();
        all.into_iter().filter(|job| job.id > page.after).take(limit + 1).collect()
    } else {
        let request = ListRequest { client: String::new(), before: page.after, limit: page.limit + 1 };
        deps.videos.jobs.list(request).await?.jobs
    };
    Ok(Json(List::new(jobs, limit)))
}

/// All of a client's videos, the newest first.
async fn all(deps: &Deps) -> Result<Vec<Job>> {
    let mut jobs: Vec<Job> = Vec::new();
    loop {
        let before = jobs.last().map(|job| job.id.clone()).unwrap_or_default();
        let request = ListRequest { client: String::new(), before, limit: 100 };
        let more = deps.videos.jobs.list(request).await?.jobs;
        if more.is_empty() || jobs.len() >= MOST_LISTED {
            return Ok(jobs);
        }
        jobs.extend(more);
    }
}

pub(crate) async fn one(State(deps): State<Deps>, id: Id) -> Result<Json<Video>, Failure> {
    Ok(Json(deps.videos.jobs.get(of(id)).await?.into()))
}

pub(crate) async fn remove(State(deps): State<Deps>, id: Id) -> Result<Json<Deleted>, Failure> {
    let request = of(id);
    deps.videos.jobs.remove(request.clone()).await?;
    Ok(Json(Deleted::new(request.id)))
}

pub(crate) async fn content(
    State(deps): State<Deps>,
    id: Id,
    Query(query): Query<Vec<(String, String)>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    variant(&query)?;
    let job = deps.videos.jobs.get(of(id)).await?;
    let media = job.details.map(|details| details.media).unwrap_or_default();
    if media.is_empty() {
        let message = format!("the video {:?} is not completed", job.id);
        return Err(Error::new(Kind::Conflict, "video_not_completed", message).into());
    }
    serve(&deps, media::Kind::Video, media, &method, &headers).await
}

fn of(id: Id) -> GetRequest {
    GetRequest { id: id.map(|Path(id)| id).unwrap_or_default(), client: String::new() }
}
