//! docs/metrics.md is what the table says. `DUNLIN_WRITE=1 cargo test -p dunlin-server --test metrics_page` writes it.

use std::path::Path;

use dunlin_server::observe::metrics::markdown;

#[test]
fn the_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = markdown();
    if std::env::var_os("DUNLIN_WRITE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/metrics.md is not what the table says: run this test with DUNLIN_WRITE=1"
    );
}
