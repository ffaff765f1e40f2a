//! The page on the ledger says what the code does.

use std::{fs, path::Path};

use holdbook::domain::{
    event::MoveKind,
    posting::{meaning, sides},
};

const FIRST: &str = "UPDATE_DOCS=1 rewrites it -->\n";
const LAST: &str = "<!-- end of posting table -->";

fn posting_table() -> String {
    let mut table = "| what happens | debit | credit |\n|---|---|---|\n".to_owned();
    for kind in MoveKind::ALL {
        let (debit, credit) = sides(kind);
        table += &format!(
            "| {} | {} | {} |\n",
            meaning(kind),
            debit.name(),
            credit.name()
        );
    }
    table
}

#[test]
fn the_posting_table_is_the_one_in_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ledger.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(FIRST).unwrap();
    let (_, tail) = rest.split_once(LAST).unwrap();
    let right = format!("{head}{FIRST}{}{LAST}{tail}", posting_table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &right).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap();
    assert_eq!(
        page, right,
        "docs/ledger.md is not what the code does: UPDATE_DOCS=1 cargo test rewrites it"
    );
}
