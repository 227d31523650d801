//! One trait per service, in process or over gRPC.

use futures_util::stream::BoxStream;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;

/// What carries gRPC calls: a network channel with its layers, or a server's routes called without a socket.
pub type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, tonic::Status>;

/// A streamed reply.
pub type Stream<T> = BoxStream<'static, crate::Result<T>>;

/// Largest message either side accepts: a request with inline images of the default body limit, with room.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Marks the request of a call that may be made twice: it changes nothing, or the same again.
#[derive(Clone, Copy, Debug)]
pub struct Idempotent;

/// The request of a call.
pub(crate) fn request<T>(message: T, idempotent: bool) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    if idempotent {
        request.extensions_mut().insert(Idempotent);
    }
    request
}

/// Declares a service: the object-safe trait, `client(transport)` (the trait over a channel) and
/// `server(service)` (a tonic server over the trait). A method that may be called twice without harm says `idempotent` at
/// its end; only such calls are made again when a peer is lost while it may be at work on them.
macro_rules! service {
    (
        $(#[$doc:meta])*
        trait $Trait:ident = $client:ident::$Client:ident, $server:ident::{$Grpc:ident, $Server:ident};
        $( $(#[$about:meta])* $kind:ident $method:ident($Request:ty) -> $Reply:ty $(as $Stream:ident)? $(, $word:ident)?; )*
    ) => {
        $(#[$doc])*
        #[tonic::async_trait]
        pub trait $Trait: Send + Sync + 'static {
            $( $(#[$about])* async fn $method(&self, request: $Request)
                -> $crate::Result<service!(@reply $kind $Reply)>; )*
        }

        /// The service at the other end of a transport.
        pub fn client(transport: $crate::Transport) -> std::sync::Arc<dyn $Trait> {
            let client = $client::$Client::new(transport)
                .max_decoding_message_size($crate::MAX_MESSAGE_BYTES)
                .max_encoding_message_size($crate::MAX_MESSAGE_BYTES);
            std::sync::Arc::new(Remote(client))
        }

        /// A gRPC server over the service.
        pub fn server(service: std::sync::Arc<dyn $Trait>) -> $server::$Server<Served> {
            $server::$Server::new(Served(service))
                .max_decoding_message_size($crate::MAX_MESSAGE_BYTES)
                .max_encoding_message_size($crate::MAX_MESSAGE_BYTES)
        }

        struct Remote($client::$Client<$crate::Transport>);

        #[tonic::async_trait]
        impl $Trait for Remote {
            $( async fn $method(&self, request: $Request) -> $crate::Result<service!(@reply $kind $Reply)> {
                let request = $crate::service::request(request, service!(@idempotent $($word)?));
                let reply = self.0.clone().$method(request).await?.into_inner();
                Ok(service!(@from_wire $kind reply))
            } )*
        }

        /// The service as the generated gRPC server sees it.
        pub struct Served(std::sync::Arc<dyn $Trait>);

        #[tonic::async_trait]
        impl $server::$Grpc for Served {
            $( $( type $Stream = futures_util::stream::BoxStream<'static, Result<$Reply, tonic::Status>>; )?
            async fn $method(&self, request: tonic::Request<$Request>)
                -> Result<tonic::Response<service!(@wire $kind $Reply)>, tonic::Status> {
                let reply = self.0.$method(request.into_inner()).await?;
                Ok(tonic::Response::new(service!(@to_wire $kind reply)))
            } )*
        }
    };
    (@idempotent) => { false };
    (@idempotent idempotent) => { true };
    (@reply unary $Reply:ty) => { $Reply };
    (@reply stream $Reply:ty) => { $crate::Stream<$Reply> };
    (@wire unary $Reply:ty) => { $Reply };
    (@wire stream $Reply:ty) => { futures_util::stream::BoxStream<'static, Result<$Reply, tonic::Status>> };
    (@from_wire unary $reply:ident) => { $reply };
    (@from_wire stream $reply:ident) => {{
        use futures_util::{StreamExt as _, TryStreamExt as _};
        $reply.map_err($crate::Error::from).boxed()
    }};
    (@to_wire unary $reply:ident) => { $reply };
    (@to_wire stream $reply:ident) => {{
        use futures_util::{StreamExt as _, TryStreamExt as _};
        $reply.map_err(tonic::Status::from).boxed()
    }};
}
