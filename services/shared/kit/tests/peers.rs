//! Calls between roles over real sockets: replicas that die, hang, drain, are full, or come back.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, future::join_all, stream};
use grok2api_kit::{
    grpc::{Peers, Services, Serving, Tls},
    lifecycle::Tasks,
    readiness::{Guard, Readiness},
    settings::Settings,
};
use grok2api_proto::{
    Error, Kind, Result, Stream,
    chat::{self, Chat, ChatBatch, ChatRequest, ListModelsRequest, ListModelsResponse},
};
use tokio::{net::TcpListener, runtime::Runtime};
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

const SECRET: &str = "the-secret-of-the-tests";
const LONG: Duration = Duration::from_secs(60);

/// Counts what it is asked; `hang` as the model is never answered.
#[derive(Default)]
struct Counting(AtomicUsize);

#[tonic::async_trait]
impl Chat for Counting {
    async fn complete(&self, request: ChatRequest) -> Result<Stream<ChatBatch>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if request.model == "hang" {
            std::future::pending::<()>().await;
        }
        Ok(stream::iter([Ok(ChatBatch::default())]).chain(stream::pending()).boxed())
    }

    async fn list_models(&self, _: ListModelsRequest) -> Result<ListModelsResponse> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(ListModelsResponse::default())
    }
}

/// A replica with a runtime of its own, so that it can be killed.
struct Replica {
    at: SocketAddr,
    asked: Arc<Counting>,
    tasks: Tasks,
    readiness: Readiness,
    runtime: Option<Runtime>,
}

impl Replica {
    async fn start() -> Self {
        Self::with("127.0.0.1:0".parse().unwrap(), |_| {}).await
    }

    async fn with(at: SocketAddr, change: impl FnOnce(&mut Serving)) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (asked, tasks) = (Arc::new(Counting::default()), Tasks::new());
        let readiness = Readiness::new(tasks.shutdown().clone());
        let mut how = Serving {
            secret: SECRET.to_owned(),
            tls: None,
            max_in_flight: 100,
            reflection: false,
            readiness: readiness.clone(),
        };
        change(&mut how);
        let (services, serving) = (Services::default().with(chat::server(asked.clone())), tasks.clone());
        let started = runtime.spawn(async move {
            let listener = TcpListener::bind(at).await.unwrap();
            let at = listener.local_addr().unwrap();
            services.serve(listener, &how, &serving);
            at
        });
        Self { at: started.await.unwrap(), asked, tasks, readiness, runtime: Some(runtime) }
    }

    fn asked(&self) -> usize {
        self.asked.0.load(Ordering::Relaxed)
    }

    fn unready(&self) -> Guard {
        self.readiness.guard("storage")
    }

    /// As SIGKILL does: its sockets are closed, whatever they were at.
    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn list(replicas: &[&Replica]) -> String {
    replicas.iter().map(|replica| format!("http://{}", replica.at)).collect::<Vec<_>>().join(",")
}

fn to(address: &str, deadline: Duration, tasks: &Tasks) -> Arc<dyn Chat> {
    chat::client(Peers::start(address, SECRET, None, tasks).unwrap().transport(deadline))
}

async fn models(chat: &Arc<dyn Chat>) -> Result<ListModelsResponse> {
    chat.list_models(ListModelsRequest {}).await
}

fn turn(model: &str) -> ChatRequest {
    ChatRequest { model: model.into(), ..ChatRequest::default() }
}

/// Asks until it is as wanted.
async fn until(chat: &Arc<dyn Chat>, wanted: impl Fn() -> bool) {
    let asking = async {
        while !wanted() {
            models(chat).await.ok();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, asking).await.unwrap();
}

/// A place is free a moment after its caller has the answer.
async fn nothing_in_flight(replicas: &[&Replica]) {
    while replicas.iter().any(|replica| !replica.tasks.in_flight().is_empty()) {
        tokio::task::yield_now().await;
    }
}

fn told(error: &Error) -> (Kind, &str) {
    (error.kind, error.code.as_ref())
}

#[tokio::test]
async fn a_call_that_loses_its_server_may_be_made_again() {
    let (mut replica, tasks) = (Replica::start().await, Tasks::new());
    let chat = to(&list(&[&replica]), LONG, &tasks);
    let mut stream = chat.complete(turn("speak")).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let waiting = {
        let chat = chat.clone();
        async move { chat.complete(turn("hang")).await.map(drop).unwrap_err() }
    };
    let killing = async {
        while replica.asked() < 2 {
            tokio::task::yield_now().await;
        }
        replica.kill();
    };
    let (waiting, ()) = tokio::join!(waiting, killing);
    assert_eq!(told(&waiting), (Kind::Unavailable, "peer_unavailable"), "{waiting}");
    let broken = stream.next().await.unwrap().unwrap_err();
    assert_eq!(told(&broken), (Kind::Unavailable, "peer_unavailable"), "{broken}");
    assert!(broken.retry_after.is_some());
    let nobody = models(&chat).await.unwrap_err();
    assert_eq!(told(&nobody), (Kind::Unavailable, "peer_unavailable"), "{nobody}");
}

#[tokio::test]
async fn what_takes_too_long_says_so() {
    let (replica, tasks) = (Replica::start().await, Tasks::new());
    let chat = to(&list(&[&replica]), Duration::from_millis(500), &tasks);
    let late = chat.complete(turn("hang")).await.map(drop).unwrap_err();
    assert_eq!(told(&late), (Kind::Timeout, "peer_timeout"), "{late}");
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let (replica, tasks) = (Replica::start().await, Tasks::new());
    for secret in ["another", ""] {
        let peers = Peers::start(&list(&[&replica]), secret, None, &tasks).unwrap();
        let refused = models(&chat::client(peers.transport(LONG))).await.unwrap_err();
        assert_eq!(told(&refused), (Kind::Internal, "internal_secret_mismatch"), "{refused}");
    }
    assert_eq!(replica.asked(), 0);
}

#[tokio::test]
async fn health_says_what_readiness_says_of_each_service_and_of_all() {
    let replica = Replica::start().await;
    let channel = Channel::from_shared(list(&[&replica])).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let serving = async |health: &mut HealthClient<Channel>, wanted: bool| {
        for service in ["", "grok2api.chat.v1.ChatService"] {
            let request = HealthCheckRequest { service: service.into() };
            while (health.check(request.clone()).await.unwrap().into_inner().status == 1) != wanted {
                tokio::task::yield_now().await;
            }
        }
    };
    serving(&mut health, true).await;
    let guard = replica.unready();
    serving(&mut health, false).await;
    drop(guard);
    serving(&mut health, true).await;
    let mut changes = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(changes.next().await.unwrap().unwrap().status, 1);
    replica.tasks.shutdown().drain();
    assert_eq!(changes.next().await.unwrap().unwrap().status, 2, "whoever watches is told of the draining");
}

#[tokio::test]
async fn services_describe_themselves_only_where_that_is_set() {
    for reflection in [false, true] {
        let replica = Replica::with("127.0.0.1:0".parse().unwrap(), |how| {
            how.reflection = reflection;
            how.secret.clear();
        });
        let replica = replica.await;
        let channel = Channel::from_shared(list(&[&replica])).unwrap().connect().await.unwrap();
        let request = ServerReflectionRequest {
            message_request: Some(MessageRequest::ListServices(String::new())),
            ..ServerReflectionRequest::default()
        };
        let mut reflection_client = ServerReflectionClient::new(channel);
        match reflection_client.server_reflection_info(stream::iter([request])).await {
            Ok(answers) => {
                let answer = answers.into_inner().next().await.unwrap().unwrap().message_response.unwrap();
                let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
                let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
                assert!(reflection && names.contains(&"grok2api.chat.v1.ChatService".into()), "{names:?}");
            }
            Err(status) => assert!(!reflection && status.code() == tonic::Code::Unimplemented, "{status}"),
        }
    }
}

#[tokio::test]
async fn of_two_replicas_one_may_die_and_comes_back_by_itself() {
    let (mut first, second, tasks) = (Replica::start().await, Replica::start().await, Tasks::new());
    let chat = to(&list(&[&first, &second]), LONG, &tasks);
    until(&chat, || first.asked() > 0 && second.asked() > 0).await;
    first.kill();
    for _ in 0..100 {
        models(&chat).await.unwrap();
    }
    let first = Replica::with(first.at, |_| {}).await;
    until(&chat, || first.asked() > 0).await;
}

#[tokio::test]
async fn calls_go_to_the_less_busy() {
    let (first, second, tasks) = (Replica::start().await, Replica::start().await, Tasks::new());
    let chat = to(&list(&[&first, &second]), LONG, &tasks);
    until(&chat, || first.asked() > 0 && second.asked() > 0).await;
    let before = (first.asked(), second.asked());
    let open = join_all((0..20).map(|_| chat.complete(turn("speak")))).await;
    assert!(open.iter().all(std::result::Result::is_ok));
    assert_eq!((first.asked() - before.0, second.asked() - before.1), (10, 10));
}

#[tokio::test]
async fn who_hangs_or_does_not_serve_is_passed_over() {
    let (serving, resting, tasks) = (Replica::start().await, Replica::start().await, Tasks::new());
    // Connections are made by the kernel; nobody ever answers.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unready = resting.unready();
    let address = format!("{},http://{}", list(&[&serving, &resting]), hanging.local_addr().unwrap());
    let chat = to(&address, LONG, &tasks);
    // Before the one that serves is known, another one is better than a refusal.
    until(&chat, || serving.asked() > 0).await;
    let before = resting.asked();
    for _ in 0..100 {
        models(&chat).await.unwrap();
    }
    assert_eq!(resting.asked(), before);
    drop(unready);
    until(&chat, || resting.asked() > before).await;
}

#[tokio::test]
async fn who_does_not_serve_is_asked_when_there_is_nobody_else() {
    let (resting, tasks) = (Replica::start().await, Tasks::new());
    let _unready = resting.unready();
    let chat = to(&list(&[&resting]), LONG, &tasks);
    until(&chat, || resting.asked() > 0).await;
    models(&chat).await.unwrap();
}

#[tokio::test]
async fn a_draining_replica_takes_nothing_more_and_finishes_what_it_has() {
    let (first, second, tasks) = (Replica::start().await, Replica::start().await, Tasks::new());
    let chat = to(&list(&[&first, &second]), LONG, &tasks);
    until(&chat, || first.asked() > 0 && second.asked() > 0).await;
    let mut open = join_all((0..4).map(|_| chat.complete(turn("speak")))).await;
    first.tasks.shutdown().drain();
    for _ in 0..50 {
        // Not one that could be made again after a loss.
        drop(chat.complete(turn("speak")).await.unwrap());
    }
    for stream in &mut open {
        stream.as_mut().unwrap().next().await.unwrap().unwrap();
    }
    drop(open);
    assert!(first.tasks.finish(LONG).await, "and ends by itself");
}

#[tokio::test]
async fn who_is_full_refuses_and_another_one_is_asked() {
    let any = "127.0.0.1:0".parse().unwrap();
    let (first, second) = (
        Replica::with(any, |how| how.max_in_flight = 1).await,
        Replica::with(any, |how| how.max_in_flight = 1).await,
    );
    let tasks = Tasks::new();
    let chat = to(&list(&[&first, &second]), LONG, &tasks);
    until(&chat, || first.asked() > 0 && second.asked() > 0).await;
    // Two that do not count each other's calls, so that both choose among both.
    let other = to(&list(&[&first, &second]), LONG, &tasks);
    let before = (first.asked(), second.asked());
    until(&other, || first.asked() > before.0 && second.asked() > before.1).await;
    nothing_in_flight(&[&first, &second]).await;
    let (one, two) =
        (chat.complete(turn("speak")).await.unwrap(), other.complete(turn("speak")).await.unwrap());
    for chat in [&chat, &other] {
        let full = models(chat).await.unwrap_err();
        assert_eq!(told(&full), (Kind::Unavailable, "peer_overloaded"), "{full}");
        assert!(full.retry_after.is_some());
    }
    drop((one, two));
    nothing_in_flight(&[&first, &second]).await;
    models(&chat).await.unwrap();
}

#[tokio::test]
async fn a_name_stands_for_its_addresses() {
    let (replica, tasks) = (Replica::start().await, Tasks::new());
    let chat = to(&format!("dns://localhost:{}", replica.at.port()), LONG, &tasks);
    until(&chat, || replica.asked() > 0).await;
    models(&chat).await.unwrap();
    let nobody = to("dns://nobody.invalid:1", LONG, &tasks);
    assert_eq!(told(&models(&nobody).await.unwrap_err()), (Kind::Unavailable, "peer_unavailable"));
}

fn tls() -> Tls {
    let file = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let given = [("G2A_TLS_CA", "ca.pem"), ("G2A_TLS_CERT", "role.pem"), ("G2A_TLS_KEY", "role.key")];
    let given = given.map(|(name, value)| (name.to_owned(), file(value)));
    Tls::read(&Settings::load(None, given).unwrap().internal).unwrap().unwrap()
}

#[tokio::test]
async fn with_tls_both_sides_show_certificates() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let replica = Replica::with("127.0.0.1:0".parse().unwrap(), |how| how.tls = Some(tls())).await;
    let (at, tasks) = (replica.at, Tasks::new());
    for address in [
        format!("https://localhost:{}", at.port()),
        format!("https://{at}"),
        format!("dns://localhost:{}", at.port()),
    ] {
        let peers = Peers::start(&address, SECRET, Some(tls()), &tasks).unwrap();
        let chat = chat::client(peers.transport(LONG));
        let before = replica.asked();
        until(&chat, || replica.asked() > before).await;
        models(&chat).await.unwrap();
    }
    let plain = to(&format!("http://{at}"), LONG, &tasks);
    assert_eq!(told(&models(&plain).await.unwrap_err()), (Kind::Unavailable, "peer_unavailable"));
    assert!(Peers::start(&format!("https://{at}"), SECRET, None, &tasks).is_err());
    assert!(Peers::start(&format!("http://{at}"), SECRET, Some(tls()), &tasks).is_err());
}
