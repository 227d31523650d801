//! `grok2api healthcheck`: for container images that hold no shell.

use std::{net::SocketAddr, time::Duration};

use grok2api_kit::settings::Settings;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Failure, say};
use crate::instance::reachable;

const TIME: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Operations port to ask instead of the configured one.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

pub(crate) async fn run(settings: &Settings, args: Args) -> Result<(), Failure> {
    let mut address = reachable(settings.ops.listen);
    address.set_port(args.port.unwrap_or(address.port()));
    match tokio::time::timeout(TIME, ask(address)).await {
        Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200") => {
            say("ready");
            Ok(())
        }
        Ok(Ok(answer)) => Err(Failure::Code(1, answer.lines().last().unwrap_or("not ready").to_owned())),
        Ok(Err(error)) => Err(Failure::Code(1, format!("{address}: {error}"))),
        Err(_) => Err(Failure::Code(1, format!("{address}: no answer within {} s", TIME.as_secs()))),
    }
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
