//! The example does what it says.

// As a program it has a `main`, which nobody calls here.
#[expect(dead_code)]
#[path = "../examples/service.rs"]
mod service;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

#[tokio::test]
async fn the_services_find_each_other_answer_and_leave() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let work = async {
        let ((tell_a, a), (tell_b, b)) = (oneshot::channel(), oneshot::channel());
        let ((stop_a, stopped_a), (stop_b, stopped_b)) = (oneshot::channel::<()>(), oneshot::channel::<()>());
        let first = service::serve(
            ("a".into(), any, Vec::new()),
            |node, at| tell_a.send((node.clone(), at)).expect("it is awaited"),
            stopped_a,
        );
        let rest = async {
            let (node_a, at_a) = a.await.unwrap();
            let second = service::serve(
                ("b".into(), any, vec![node_a.addr().into()]),
                |node, at| tell_b.send((node.clone(), at)).expect("it is awaited"),
                stopped_b,
            );
            let client = async {
                let (node_b, at_b) = b.await.unwrap();
                node_b.view_when(|view| view.live_count() == 2).await.expect("it runs");
                let mut told = String::new();
                TcpStream::connect(at_b).await.unwrap().read_to_string(&mut told).await.unwrap();
                assert_eq!(told, format!("b {at_b}\na {at_a}"));
                stop_b.send(()).unwrap();
                // It said goodbye: nobody had to find out.
                node_a.view_when(|view| view.live_count() == 1).await.expect("it runs");
                stop_a.send(()).unwrap();
            };
            let (ended, ()) = tokio::join!(second, client);
            ended.unwrap();
        };
        let (ended, ()) = tokio::join!(first, rest);
        ended.unwrap();
    };
    timeout(Duration::from_secs(30), work).await.expect("within half a minute");
}
