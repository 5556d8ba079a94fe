//! The exports as a person opens them (CRM-2): LibreOffice reads them, and says what it has read.
//!
//! `cargo xtask test --office` runs this. LibreOffice is too large to ask it of everybody who runs the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{Server, lead, lead_with};

const LEADS: u64 = 1_500;

/// A CSV filter of LibreOffice: cells end with this character (its code), quotes, UTF-8, from the first line.
fn csv_filter(delimiter: char) -> String {
    format!("Text - txt - csv (StarCalc):{},34,76,1", u32::from(delimiter))
}

/// What LibreOffice shows of a file, row by row.
fn shown(folder: &Path, file: &str, import: Option<String>) -> Vec<Vec<String>> {
    let soffice = std::env::var_os("SOFFICE").map_or_else(|| PathBuf::from("soffice"), PathBuf::from);
    let out = folder.join("shown");
    let mut command = Command::new(soffice);
    // A profile of its own: nobody's settings count, and nobody's window gets the file.
    command.arg(format!("-env:UserInstallation=file://{}", folder.join("profile").display()));
    command.arg("--headless").args(import.map(|filter| format!("--infilter={filter}")));
    command
        .args(["--convert-to", &format!("csv:{}", csv_filter(',')), "--outdir"])
        .arg(&out)
        .arg(folder.join(file));
    let ended = command.output().expect("LibreOffice runs");
    let written = out.join(Path::new(file).with_extension("csv"));
    let csv = std::fs::read(&written).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    std::fs::remove_file(&written).unwrap();
    let csv = csv.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&csv);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// One column of all rows.
fn column(rows: &[Vec<String>], name: &str) -> Vec<String> {
    let place = rows[0].iter().position(|column| column == name).expect("the columns are split");
    rows[1..].iter().map(|row| row[place].clone()).collect()
}

#[actix_web::test]
#[ignore = "needs LibreOffice: cargo xtask test --office"]
async fn csv_and_xlsx_open_right() {
    let server = Server::start().await;
    let formulas = ["=1+1", "@SUM(1+1)", "+1+1", "-1+1", "=HYPERLINK(\"https://example.com\",\"x\")"];
    let leads: Vec<_> = (1..=LEADS)
        .map(|number| {
            lead_with(number, |lead| {
                lead["contact"]["lastName"] = "Zażółć; gęślą jaźń".into();
                if let Some(formula) = formulas.get(number as usize - 1) {
                    lead["contact"]["firstName"] = (*formula).into();
                }
            })
        })
        .collect();
    assert_eq!(lead(1)["contact"]["phone"], "+48501502503");
    for batch in leads.chunks(100) {
        server.sync(batch).await;
    }
    let folder = tempfile::tempdir().unwrap();
    for kind in ["leads", "contacts"] {
        for ending in ["csv", "xlsx"] {
            let file = format!("{kind}.{ending}");
            let answer = server.get(&format!("/api/exports/{file}")).await;
            assert_eq!(answer.status, 200);
            std::fs::write(folder.path().join(&file), &answer.body).unwrap();
            let is_csv = ending == "csv";
            let rows = shown(folder.path(), &file, is_csv.then(|| csv_filter(';')));

            assert_eq!(rows.len() as u64, LEADS + 1, "{file}: a header, and every row");
            assert!(column(&rows, "last_name").iter().all(|name| name == "Zażółć; gęślą jaźń"), "{file}");
            let typed = column(&rows, "first_name");
            for formula in formulas {
                // As text: the apostrophe is what keeps CSV from being run.
                let text = if is_csv { format!("'{formula}") } else { formula.to_owned() };
                assert!(typed.contains(&text), "{file}: {text}");
            }
            assert_eq!(typed.iter().filter(|name| *name == "Anna").count() as u64, LEADS - 5, "{file}");
            if !is_csv {
                // docs/exports.md says what spreadsheets do to the plus sign in CSV.
                assert!(column(&rows, "phone").iter().all(|phone| phone == "+48501502503"), "{file}");
            }
        }
    }
}
