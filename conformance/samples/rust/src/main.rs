use std::{
    env,
    io::{Read, Write},
    net::TcpListener,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

static ENDED: AtomicBool = AtomicBool::new(false);
const SIGTERM: i32 = 15;

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

extern "C" fn end(_: i32) {
    ENDED.store(true, Ordering::SeqCst);
}

fn main() {
    // SAFETY: the handler only stores a flag.
    unsafe { signal(SIGTERM, end) };
    serve("PORT", &["/livez", "/readyz"]);
    serve("METRICS_PORT", &["/metrics"]);
    let version = option_env!("VERSION").unwrap_or_default();
    println!(
        "{{\"message\":\"starts\",\"version\":\"{version}\",\"sum\":{}}}",
        add(1, 2)
    );
    while !ENDED.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(50));
    }
}

fn serve(port: &str, paths: &'static [&str]) {
    let port: u16 = env::var(port).unwrap().parse().unwrap();
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = connection.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..length]);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let status = if paths.contains(&path) {
                "200 OK"
            } else {
                "404 Not Found"
            };
            let _ = write!(
                connection,
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
        }
    });
}

fn add(a: u32, b: u32) -> u32 {
    a + b
}

#[test]
fn adds() {
    assert_eq!(add(1, 2), 3);
}
