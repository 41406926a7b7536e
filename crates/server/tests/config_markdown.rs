//! docs/configuration.md is what the table says. `DUNLIN_WRITE=1 cargo test -p dunlin-server --test config_markdown` writes it.

use std::path::Path;

use dunlin_server::config::markdown;

#[test]
fn the_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = markdown();
    if std::env::var_os("DUNLIN_WRITE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/configuration.md is not what the table says: run this test with DUNLIN_WRITE=1"
    );
}
