//! Panics, which are defects of ours: what they say goes into an error, with the place in the code.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

/// Where the last panic began.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Keeps what a panic says from the terminal, and its place for [`said`].
pub fn catch() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", short(place.file()), place.line()));
        *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
}

/// A file of a dependency without the folders of the machine that it was built on.
fn short(file: &str) -> &str {
    let inside = file.rsplit_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    inside.map_or(file, |(_, file)| file)
}

/// What a panic has said, and its place where [`catch`] was asked to keep it.
#[must_use]
pub fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    match &*PLACE.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(place) => format!("{text} ({place})"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_says_where_in_the_code_it_is() {
        let before = std::panic::take_hook();
        catch();
        let panic = std::thread::spawn(|| panic!("no {}", "way")).join().expect_err("it panics");
        std::panic::set_hook(before);
        let said = said(&*panic);
        assert!(said.starts_with("no way (") && said.contains("defect.rs:"), "{said}");
        assert_eq!(short("/home/a/.cargo/registry/src/index-1/b-1.0/src/lib.rs"), "b-1.0/src/lib.rs");
    }
}
