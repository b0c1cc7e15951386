//! What tells one run from another: its servers and its options, by which a resumed run is known again.

use sha2::{Digest, Sha256};

use super::Context;

/// A hash of the options that decide what arrives; how fast it arrives may change from start to start.
pub(super) fn options_fingerprint(context: &Context) -> String {
    let args = &context.args;
    let mut accept = args.accept.clone();
    accept.sort();
    let flags = [args.no_roles, args.no_owner, args.no_privileges, args.no_comments, args.no_publications];
    let all = (accept, &args.include, &args.exclude, &args.exclude_data, &args.hypertable, flags);
    let text = match &args.schemas {
        schemas if schemas.is_empty() => serde_json::to_vec(&all),
        schemas => serde_json::to_vec(&(all, schemas)),
    }
    .unwrap_or_default();
    crate::human::hex(&Sha256::digest(&text))
}
