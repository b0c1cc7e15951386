//! The driver's settings, from libpq's parameters.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::ChannelBinding;

use super::Endpoint;
use super::wanted::Wanted;

/// How long a login may take where nobody says otherwise.
const LOGIN: Duration = Duration::from_secs(30);
/// A peer that is gone is noticed after about a minute: a copy waits for hours where nobody looks.
const IDLE: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_secs(10);
const RETRIES: u32 = 3;
const UNANSWERED: Duration = Duration::from_secs(60);

/// What connecting takes.
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) timeout: Option<Duration>,
    pub(super) wanted: Wanted,
}

/// Reads the parameters that are no names.
pub(super) fn read(endpoint: &Endpoint) -> Result<Settings, String> {
    let mut config = Config::new();
    config.user(endpoint.user()).dbname(endpoint.database());
    if let Some(options) = endpoint.get("options") {
        config.options(options);
    }
    let number = |keyword: &str| {
        let number = endpoint.get(keyword).map(|value| value.trim().parse::<i32>()).transpose();
        number.map_err(|_| format!("{keyword} is no whole number"))
    };
    let seconds = |keyword: &str, default: Duration| {
        let given = number(keyword)?.and_then(|seconds| u64::try_from(seconds).ok());
        Ok::<_, String>(given.filter(|seconds| *seconds > 0).map_or(default, Duration::from_secs))
    };
    let timeout = match number("connect_timeout")? {
        None => Some(LOGIN),
        Some(seconds) => u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs),
    };
    config.keepalives(number("keepalives")? != Some(0));
    config.keepalives_idle(seconds("keepalives_idle", IDLE)?);
    config.keepalives_interval(seconds("keepalives_interval", INTERVAL)?);
    let retries = number("keepalives_count")?.and_then(|count| u32::try_from(count).ok());
    config.keepalives_retries(retries.filter(|count| *count > 0).unwrap_or(RETRIES));
    // In milliseconds, alone of them all.
    let unanswered = number("tcp_user_timeout")?.and_then(|time| u64::try_from(time).ok());
    config.tcp_user_timeout(unanswered.map_or(UNANSWERED, Duration::from_millis));
    config.channel_binding(match endpoint.get("channel_binding").unwrap_or("prefer") {
        "disable" => ChannelBinding::Disable,
        "prefer" => ChannelBinding::Prefer,
        "require" => ChannelBinding::Require,
        _ => return Err("channel_binding is one of disable, prefer and require".into()),
    });
    if endpoint.get("load_balance_hosts").is_some_and(|value| !matches!(value, "disable" | "random")) {
        return Err("load_balance_hosts is disable or random".into());
    }
    let wanted = endpoint.get("target_session_attrs").unwrap_or("any");
    let wanted = Wanted::read(wanted).ok_or(
        "target_session_attrs is one of any, read-write, read-only, primary, standby and prefer-standby",
    )?;
    Ok(Settings { config, timeout, wanted })
}

/// Any number below `count`.
pub(super) fn random(count: usize) -> usize {
    // The hasher's keys are random, and nothing better is needed.
    let number = RandomState::new().hash_one(count);
    usize::try_from(number % u64::try_from(count.max(1)).unwrap_or(1)).unwrap_or_default()
}
