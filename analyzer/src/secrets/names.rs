//! Names that say that their value is a secret.

use std::borrow::Cow;
use std::sync::LazyLock;

/// Parts of names that say so wherever they stand.
const PARTS: [&str; 22] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "secret",
    "token",
    "credential",
    "apikey",
    "api_key",
    "jwt",
    "private_key",
    "privatekey",
    "access_key",
    "accesskey",
    "conninfo",
    "connection_string",
    "connstr",
    "webhook",
    "bearer",
    "encryption_key",
    "license_key",
];

/// Words that say so where they are a whole word of the name.
const WORDS: [&str; 18] = [
    "key", "keys", "pass", "pwd", "pw", "psw", "auth", "pin", "otp", "totp", "dsn", "salt", "pepper",
    "command", "cred", "creds", "psk", "hmac",
];

/// Ends of such words: `signingkey`, `dbpass`, `bindpw`.
const ENDS: [&str; 4] = ["key", "pass", "pwd", "pw"];

/// Words that end so and say nothing.
const HARMLESS: [&str; 4] = ["monkey", "turkey", "bypass", "compass"];

/// Names that say so where they are the whole name, or its last part: `aws.access`. Beside other words they are something
/// else: `access_method`, `cookie_count`.
const WHOLE: [&str; 6] = ["access", "cookie", "cookies", "pat", "sas", "signature"];

/// Settings of PostgreSQL and its extensions, and options of roles, whose names sound so and whose values are none.
const PLAIN: [&str; 14] = [
    "password_encryption",
    "password_required",
    "md5_password_warnings",
    "ssl_key_file",
    "ssl_passphrase_command_supports_reload",
    "krb_server_keyfile",
    "encrypted_password",
    "passwordcheck",
    "max_tokens",
    "tokens",
    "primary_key",
    "foreign_key",
    "partition_key",
    "token_type",
];

/// Functions that are given a key or a password.
const TAKERS: [&str; 20] = [
    "pgp_sym_encrypt",
    "pgp_sym_encrypt_bytea",
    "pgp_sym_decrypt",
    "pgp_sym_decrypt_bytea",
    "pgp_pub_decrypt",
    "pgp_pub_decrypt_bytea",
    "hmac",
    "crypt",
    "encrypt",
    "encrypt_iv",
    "decrypt",
    "decrypt_iv",
    "sign",
    "verify",
    "set_secret",
    "create_secret",
    "dblink_connect",
    "dblink_connect_u",
    "aws_s3_credentials",
    "http_header",
];

/// Options of foreign servers, user mappings and foreign tables whose values are none.
const PLAIN_OPTIONS: [&str; 46] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "database",
    "user",
    "username",
    "schema",
    "schema_name",
    "table",
    "table_name",
    "column_name",
    "column",
    "fetch_size",
    "use_remote_estimate",
    "fdw_startup_cost",
    "fdw_tuple_cost",
    "extensions",
    "updatable",
    "truncatable",
    "async_capable",
    "batch_size",
    "analyze_sampling",
    "parallel_commit",
    "parallel_abort",
    "keep_connections",
    "import_default",
    "import_collate",
    "import_generated",
    "import_not_null",
    "sslmode",
    "connect_timeout",
    "application_name",
    "client_encoding",
    "options",
    "filename",
    "format",
    "header",
    "delimiter",
    "quote",
    "escape",
    "null",
    "encoding",
    "force_not_null",
    "force_null",
    "password_required",
];

/// True where a setting, an option, a column or a variable of this name holds a secret: `app.api_token`, `my.password`.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = lower(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    if PLAIN.contains(&last) {
        return false;
    }
    speaks(&name)
        || WHOLE.contains(&last)
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
            WORDS.contains(&word)
                || ENDS.iter().any(|end| word.len() > 3 && word.ends_with(end)) && !HARMLESS.contains(&word)
        })
}

/// True where a word says so in any text: a key or a pin may be many things there.
pub(super) fn speaks(word: &str) -> bool {
    static BY_FIRST_BYTE: LazyLock<[Vec<&[u8]>; 128]> = LazyLock::new(|| {
        std::array::from_fn(|first| {
            let parts = PARTS.iter().map(|part| part.as_bytes());
            parts.filter(|part| part.first().is_some_and(|byte| usize::from(*byte) == first)).collect()
        })
    });
    let word = lower(word);
    let mut rest = word.as_bytes();
    while let [first, after @ ..] = rest {
        let parts = BY_FIRST_BYTE.get(usize::from(*first)).map_or(&[][..], Vec::as_slice);
        if parts.iter().any(|part| rest.starts_with(part)) {
            return true;
        }
        rest = after;
    }
    false
}

fn lower(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(word.to_ascii_lowercase())
    } else {
        Cow::Borrowed(word)
    }
}

/// True for functions whose arguments hold one.
pub(super) fn takes_secret(name: &str) -> bool {
    TAKERS.contains(&name)
}

/// True for options of foreign data whose value can be shown.
pub(super) fn is_plain_option(name: &str) -> bool {
    PLAIN_OPTIONS.contains(&name.to_ascii_lowercase().as_str())
}

/// True for values that are no secret, whatever they are the value of.
pub(super) fn is_plain_value(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    ["on", "off", "true", "false", "yes", "no", "null", "none", "default", "current"]
        .contains(&value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for name in [
            "app.api_token",
            "my.password",
            "X.SecretSauce",
            "jwt",
            "aws.access_key_id",
            "app.key",
            "signingkey",
            "a.pwd",
            "aws.access",
            "app.dbpass",
            "ldap.bindpw",
            "azure.sas",
            "x.creds",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "search_path",
            "password_encryption",
            "work_mem",
            "timescaledb.license",
            "keepalives",
            "keyword",
            "id",
            "author",
            "default_table_access_method",
            "app.access_log",
            "bypass",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
