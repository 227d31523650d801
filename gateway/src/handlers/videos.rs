//! `POST` and `GET /v1/videos`, `GET` and `DELETE /v1/videos/{id}`, `GET /v1/videos/{id}/content`.

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, Query, Request, State, rejection::PathRejection},
    http::{HeaderMap, Method, request::Parts},
    response::Response,
};
use grok2api_proto::{
    Error, Kind, Result,
    chat::ListModelsRequest,
    media,
    video::{GetRequest, Job, JobDetails, ListRequest},
};
use prost::Message as _;

use super::{
    chat::parse,
    images::{form, is_form},
    media::serve,
};
use crate::{
    Caller, Deps,
    admission::admit,
    body, capture,
    middleware::request_id,
    openai::{
        error::Failure,
        request::{
            schemas::{VideoForm, VideoRequest},
            videos::{Page, Video as Asked, variant},
        },
        videos::{Deleted, List, Video},
    },
    openapi::{
        Answers, Bytes, ListFailures, MediaHeaders, TurnFailures, VideoContentFailures, VideoPage,
        VideoVariant,
    },
    usage::Record,
    videos::{self, ENDPOINT},
};

/// Most of a client's videos that are looked through for the oldest.
const MOST_LISTED: usize = 10_000;

type Id = Result<Path<String>, PathRejection>;

/// Begins a video.
#[utoipa::path(post, path = "/videos", tag = "Videos", operation_id = "createVideo",
    request_body(content((VideoRequest = "application/json"), (VideoForm = "multipart/form-data"))),
    responses((status = 200, description = "The video, which is being made.", body = Video), TurnFailures))]
pub(crate) async fn create(State(deps): State<Deps>, request: Request) -> Result<Json<Video>, Failure> {
    let (parts, body) = request.into_parts();
    let mut record = deps.usage.begin(ENDPOINT, request_id(&parts.headers));
    capture::named(&parts.extensions, record.turn_id());
    let job = match prepare(&deps, parts, body, &mut record).await {
        Ok(job) => job,
        Err(error) => {
            record.failed(&error);
            return Err(error.into());
        }
    };
    Ok(Json(deps.videos.begin(job, record).await?.into()))
}

/// The job that a request asks for.
async fn prepare(deps: &Deps, parts: Parts, body: Body, record: &mut Record) -> Result<Job> {
    let caller = Caller::of(&parts.extensions);
    record.called_by(caller.key());
    let (id, body) =
        (request_id(&parts.headers).to_owned(), body::read(&parts.headers, body, deps.max_body_bytes).await?);
    let asked = if is_form(&parts.headers) {
        Asked::form(form(parts, body).await?)?
    } else {
        parse(body, Asked::parse).await?
    };
    record.asked(&asked.model, false);
    caller.may_ask(&asked.model)?;
    films(deps, &asked.model).await?;
    let turn_id = record.turn_id().to_owned();
    tracing::debug!(request.id = id, turn.id = turn_id, "video accepted");
    let request = caller.signed(asked.to_request(turn_id.clone()));
    admit(deps.client_keys.admissions(), &caller, record, std::slice::from_ref(&request)).await?;
    let details = JobDetails {
        request: request.encode_to_vec().into(),
        model: asked.model,
        prompt: asked.prompt,
        size: asked.size,
        seconds: asked.seconds,
        ..JobDetails::default()
    };
    let client = caller.key().to_owned();
    Ok(Job { id: videos::id_of(&turn_id), client, open: true, details: Some(details), ..Job::default() })
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

/// Lists the key's videos.
#[utoipa::path(get, path = "/videos", tag = "Videos", operation_id = "listVideos",
    params(VideoPage),
    responses((status = 200, description = "A page of videos.", body = List), ListFailures))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<List>, Failure> {
    let page = Page::parse(&query)?;
    let limit = page.limit as usize;
    let jobs = if page.ascending {
        let mut all = all(&deps, &caller).await?;
        all.reverse();
        all.into_iter().filter(|job| job.id > page.after).take(limit + 1).collect()
    } else {
        let client = caller.key().to_owned();
        let request = ListRequest { client, before: page.after, limit: page.limit + 1 };
        deps.videos.jobs.list(request).await?.jobs
    };
    Ok(Json(List::new(jobs, limit)))
}

/// All of a client's videos, the newest first.
async fn all(deps: &Deps, caller: &Caller) -> Result<Vec<Job>> {
    let mut jobs: Vec<Job> = Vec::new();
    loop {
        let before = jobs.last().map(|job| job.id.clone()).unwrap_or_default();
        let request = ListRequest { client: caller.key().to_owned(), before, limit: 100 };
        let more = deps.videos.jobs.list(request).await?.jobs;
        if more.is_empty() || jobs.len() >= MOST_LISTED {
            return Ok(jobs);
        }
        jobs.extend(more);
    }
}

/// Tells how a video is doing.
#[utoipa::path(get, path = "/videos/{id}", tag = "Videos", operation_id = "retrieveVideo",
    params(("id" = String, Path, description = "The video's id.")),
    responses((status = 200, description = "The video.", body = Video), Answers))]
pub(crate) async fn one(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    id: Id,
) -> Result<Json<Video>, Failure> {
    Ok(Json(deps.videos.jobs.get(of(id, &caller)).await?.into()))
}

/// Forgets a video, and stops its making.
#[utoipa::path(delete, path = "/videos/{id}", tag = "Videos", operation_id = "deleteVideo",
    params(("id" = String, Path, description = "The video's id.")),
    responses((status = 200, description = "It is gone.", body = Deleted), Answers))]
pub(crate) async fn remove(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    id: Id,
) -> Result<Json<Deleted>, Failure> {
    let request = of(id, &caller);
    deps.videos.jobs.remove(request.clone()).await?;
    Ok(Json(Deleted::new(request.id)))
}

/// Gives the video itself, whole or a part of it.
#[utoipa::path(get, path = "/videos/{id}/content", tag = "Videos", operation_id = "downloadVideo",
    params(
        ("id" = String, Path, description = "The video's id."),
        VideoVariant,
        MediaHeaders,
    ),
    responses(
        (status = 200, description = "The video.", content_type = "video/*", body = Bytes),
        (status = 206, description = "The part that was asked for.", content_type = "video/*", body = Bytes),
        (status = 304, description = "The client has it already."),
        VideoContentFailures,
    ))]
pub(crate) async fn content(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    id: Id,
    Query(query): Query<Vec<(String, String)>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    variant(&query)?;
    let job = deps.videos.jobs.get(of(id, &caller)).await?;
    let media = job.details.map(|details| details.media).unwrap_or_default();
    if media.is_empty() {
        let message = format!("the video {:?} is not completed", job.id);
        return Err(Error::new(Kind::Conflict, "video_not_completed", message).into());
    }
    serve(&deps, media::Kind::Video, media, &method, &headers).await
}

/// A caller's video: those of others are not there.
fn of(id: Id, caller: &Caller) -> GetRequest {
    GetRequest { id: id.map(|Path(id)| id).unwrap_or_default(), client: caller.key().to_owned() }
}
