//! The wire between the service and Redis: all processes reach Redis through it, so it can be cut, or moved to another server.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What becomes of bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Whole,
    /// Requests are swallowed, and their connection ends: nothing was done.
    CutBeforeServer,
    /// Replies are swallowed, and their connection ends: it was done, and nobody knows.
    CutAfterServer,
}

/// Which connections an order to hang up concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    /// Every second one: half of the service goes on with the old server.
    Half,
}

/// A request that the network delivers late, long after its caller has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    None,
    /// The next one with these words in it.
    Awaited(&'static str),
    /// Kept back on this connection.
    OnItsWay(u64),
    Due(u64),
    Answered,
}

struct Shared {
    target: AtomicU16,
    connections: AtomicU64,
    /// How often something was lost on the wire.
    swallowed: watch::Sender<u64>,
    wire: watch::Sender<Wire>,
    hang_up: watch::Sender<Which>,
    late: watch::Sender<Late>,
}

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port for the proxy");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared {
            target: AtomicU16::new(target),
            connections: AtomicU64::new(0),
            swallowed: watch::Sender::new(0),
            wire: watch::Sender::new(Wire::Whole),
            hang_up: watch::Sender::new(Which::All),
            late: watch::Sender::new(Late::None),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            port,
            shared,
            accepting,
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where new connections go from now on.
    pub fn point_to(&self, target: u16) {
        self.shared.target.store(target, SeqCst);
    }

    pub fn hang_up(&self, which: Which) {
        self.shared.hang_up.send_replace(which);
    }

    /// Waits until the network has a request with these words in it, and keeps it.
    pub async fn keep_back(&self, words: &'static str) {
        self.shared.late.send_replace(Late::Awaited(words));
        self.shared
            .is_late(|late| matches!(late, Late::OnItsWay(_)))
            .await;
    }

    /// Delivers what was kept back, and waits for the answer to it.
    pub async fn deliver(&self) {
        self.shared.late.send_modify(|late| match late {
            Late::OnItsWay(number) => *late = Late::Due(*number),
            other => panic!("nothing is kept back: {other:?}"),
        });
        self.shared.is_late(|late| late == Late::Answered).await;
    }

    /// Cuts until something was lost so often.
    pub async fn cut(&self, wire: Wire, times: u64) {
        let mut swallowed = self.shared.swallowed.subscribe();
        let until = *swallowed.borrow() + times;
        self.shared.wire.send_replace(wire);
        swallowed
            .wait_for(|count| *count >= until)
            .await
            .expect("the counter lives");
        self.shared.wire.send_replace(Wire::Whole);
    }
}

impl Shared {
    async fn is_late(&self, wanted: impl Fn(Late) -> bool) {
        let mut late = self.late.subscribe();
        let came = late.wait_for(|late| wanted(*late)).await;
        came.expect("it lives as long as this");
    }

    /// Whether a request in a connection's hand is the one that is to be late.
    fn keeps(&self, number: u64, request: &[u8]) -> bool {
        self.late.send_if_modified(|late| {
            let kept = matches!(late, Late::Awaited(words) if contains(request, words));
            if kept {
                *late = Late::OnItsWay(number);
            }
            kept
        })
    }

    /// A connection has an answer in hand.
    fn answered(&self, number: u64) {
        self.late.send_if_modified(|late| {
            let due = *late == Late::Due(number);
            if due {
                *late = Late::Answered;
            }
            due
        });
    }
}

fn contains(bytes: &[u8], words: &str) -> bool {
    let mut windows = bytes.windows(words.len());
    windows.any(|window| window == words.as_bytes())
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // One that cannot be accepted is its caller's to try again.
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, Arc::clone(&shared)));
        } else {
            tokio::task::yield_now().await;
        }
    }
}

async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let number = shared.connections.fetch_add(1, SeqCst);
    let mut hang_up = shared.hang_up.subscribe();
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.target.load(SeqCst))).await else {
        return;
    };
    // Latency would hide in the kernel's waiting for more.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let told = async {
        while hang_up.changed().await.is_ok() {
            if *hang_up.borrow() == Which::All || number.is_multiple_of(2) {
                return;
            }
        }
    };
    tokio::select! {
        _ = copy(from_client, to_server, (&shared, number), Wire::CutBeforeServer) => {}
        _ = copy(from_server, to_client, (&shared, number), Wire::CutAfterServer) => {}
        () = told => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (shared, number): (&Shared, u64),
    cut: Wire,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        if *shared.wire.borrow() == cut {
            shared.swallowed.send_modify(|count| *count += 1);
            return Ok(());
        }
        if cut == Wire::CutAfterServer {
            shared.answered(number);
        } else if shared.keeps(number, &bytes[..read]) {
            shared.is_late(|late| late == Late::Due(number)).await;
            to.write_all(&bytes[..read]).await?;
            // Its caller has hung up long ago, which would end the connection before the answer.
            shared.is_late(|late| late == Late::Answered).await;
            continue;
        }
        to.write_all(&bytes[..read]).await?;
    }
}
