//! The reports that stay in the work directory.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Report;
use crate::error::Error;

/// Writes `report.json`, `report.html` and the scripts for later into `folder`, each of them whole or not at all.
/// They can be read by their owner only: they name objects and people. Returns the paths.
///
/// # Errors
/// When a file cannot be written.
pub fn write_files(report: &Report, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut written = Vec::new();
    let mut put = |name: &str, write: &dyn Fn(&mut dyn Write) -> io::Result<()>| {
        let path = folder.join(name);
        let failed = |error| Error::File { what: format!("write {}", path.display()), error };
        let file = tempfile::Builder::new().prefix(".tsmigrate-").tempfile_in(folder).map_err(failed)?;
        let mut out = BufWriter::new(file.as_file());
        write(&mut out).and_then(|()| out.flush()).map_err(failed)?;
        drop(out);
        file.persist(&path).map_err(|error| failed(error.error))?;
        written.push(path);
        Ok::<(), Error>(())
    };
    put("report.json", &|out| super::json(report, out))?;
    put("report.html", &|out| report.html(out))?;
    for script in &report.scripts {
        put(&plain(&script.file), &|out| writeln!(out, "{}", script.sql.trim_end()))?;
    }
    Ok(written)
}

/// A name without a path: whatever a script is called, it stays in the folder and replaces none of the run's own files.
fn plain(name: &str) -> String {
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = name.chars().map(|c| if letter(c) { c } else { '_' }).collect();
    let name = name.trim_start_matches('.');
    if Path::new(name).extension().is_some_and(|end| end == "sql") {
        name.to_owned()
    } else {
        format!("{name}.sql")
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::tests::report;
    use super::*;

    #[test]
    fn all_reports_are_written_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("a folder");
        let mut report = report();
        report.scripts[0].file = "../report.json".into();
        let written = write_files(&report, folder.path()).expect("written");
        let names: Vec<_> = written.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["report.json", "report.html", "_report.json.sql"]);
        for path in &written {
            assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        }
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&written[0]).expect("a file")).expect("JSON");
        assert_eq!(json["outcome"], "differs");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 3, "nothing else is left");
    }

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let schema = schemars::generate::SchemaSettings::draft2020_12()
            .for_serialize()
            .into_generator()
            .into_root_schema_for::<Report>();
        let mut schema = serde_json::to_value(schema).expect("plain data");
        schema["title"] = "A migration's report".into();
        schema["description"] = "What tsmigrate migrate writes into report.json.".into();
        let text = format!("{schema:#}\n");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/report.schema.json");
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &text).expect("a file");
        }
        assert!(
            std::fs::read_to_string(path).is_ok_and(|old| old == text),
            "UPDATE_SCHEMA=1 writes {path} anew"
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_files(&Report::default(), Path::new("/nowhere/at/all")).expect_err("no folder");
        assert!(error.to_string().contains("/nowhere/at/all/report.json"), "{error}");
    }
}
