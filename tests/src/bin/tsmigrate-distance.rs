//! Puts a distance before servers, for `tests/migration-bench --rtt`: prints, for each URI it is given, the URI that leads
//! there through a proxy. It goes on until its standard input ends.
//!
//! ```text
//! tsmigrate-distance MILLISECONDS URI…
//! ```

use std::error::Error;
use std::io::{self, Read};
use std::time::Duration;

use tsmigrate_tests::proxy::Proxy;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let round_trip: u64 = arguments.next().ok_or("milliseconds and URIs are missing")?.parse()?;
    let mut proxies = Vec::new();
    for uri in arguments {
        let (proxy, through) = Proxy::start(&uri)?;
        proxy.delay(Duration::from_micros(round_trip * 500));
        println!("{through}");
        proxies.push(proxy);
    }
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
