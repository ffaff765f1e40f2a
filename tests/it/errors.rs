//! `docs/errors.md` says what the proto and the code say: each reason, its code, and what comes with it.

use std::{collections::BTreeMap, env, fmt::Write, fs, path::Path};

use holdbook::rpc::status;

const HEAD: &str = "# Refusals and failures

<!-- Generated from proto/holdbook/v1/error.proto and src/rpc/status.rs; after a change: UPDATE_DOCS=1 cargo test errors -->

";

const TABLE: &str = "
`http_status` is in the metadata of each; a gateway can answer with it. *Detail* is the further message of `google.rpc` in the
status. A call that ends in `UNAVAILABLE` or without any answer is sent again as it was: every mutating call is safe to repeat.

| reason | gRPC code | http_status | detail | when, and metadata |
|---|---|---|---|---|
";

/// What the proto says of one reason.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    code: String,
    http: String,
    detail: String,
    meaning: String,
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The comment at the top of the proto, as paragraphs of the page.
fn introduction(proto: &str) -> String {
    let lines = proto.lines().take_while(|line| line.starts_with("//"));
    lines.fold(String::new(), |page, line| {
        page + line.trim_start_matches("//").trim() + "\n"
    })
}

/// `RESOURCE_EXHAUSTED, 402, QuotaFailure. More than ...` taken apart.
fn said(comment: &str) -> Said {
    let (form, meaning) = comment
        .split_once(". ")
        .unwrap_or((comment.trim_end_matches('.'), ""));
    // `BadRequest with every violated field` is a detail in several words.
    let mut parts = form
        .trim_end_matches('.')
        .splitn(3, ", ")
        .map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    Said {
        code: part(),
        http: part(),
        detail: part(),
        meaning: meaning.to_owned(),
    }
}

/// The comment above each reason.
fn reasons(proto: &str) -> BTreeMap<String, Said> {
    let (mut found, mut comment) = (BTreeMap::new(), Vec::new());
    for line in proto.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("//") {
            comment.push(text.trim());
            continue;
        }
        let reason = line.strip_prefix("ERROR_REASON_");
        if let Some((name, _)) = reason.and_then(|rest| rest.split_once(" = ")) {
            found.insert(name.to_owned(), said(&comment.join(" ")));
        }
        comment.clear();
    }
    found
}

/// `ResourceExhausted` as gRPC spells it.
fn grpc_name(code: &str) -> String {
    code.chars().fold(String::new(), |mut name, letter| {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
        name
    })
}

/// What the code says: reason, gRPC code, HTTP status, in the order of their numbers.
fn coded() -> Vec<[String; 3]> {
    let rows = status::reference();
    let cells = rows.lines().map(|row| {
        let cells = row.trim_matches('|').split('|');
        let cells: Vec<_> = cells.map(|cell| cell.trim().trim_matches('`')).collect();
        match cells[..] {
            [reason, code, http] => [reason.to_owned(), grpc_name(code), http.to_owned()],
            _ => panic!("a row of three cells: {row}"),
        }
    });
    cells.collect()
}

fn page(proto: &str) -> String {
    let said = reasons(proto);
    let mut page = format!("{HEAD}{}{TABLE}", introduction(proto));
    for [reason, code, http] in coded() {
        let Said {
            detail, meaning, ..
        } = &said[&reason];
        writeln!(
            page,
            "| `{reason}` | `{code}` | {http} | {detail} | {meaning} |"
        )
        .expect("a String takes all");
    }
    page
}

#[test]
fn the_proto_says_the_codes_that_the_service_answers() {
    let mut said = reasons(&read("proto/holdbook/v1/error.proto"));
    said.remove("UNSPECIFIED").expect("the proto's zero");
    for [reason, code, http] in coded() {
        let said = said
            .remove(&reason)
            .unwrap_or_else(|| panic!("{reason} is not in the proto"));
        assert_eq!((said.code, said.http), (code, http), "{reason}");
    }
    assert!(
        said.is_empty(),
        "reasons that the code does not list: {said:?}"
    );
}

#[test]
fn docs_errors_is_what_the_proto_and_the_code_say() {
    let right = page(&read("proto/holdbook/v1/error.proto"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &right).expect("docs/errors.md can be written");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == right,
        "docs/errors.md is old: run UPDATE_DOCS=1 cargo test errors"
    );
}
