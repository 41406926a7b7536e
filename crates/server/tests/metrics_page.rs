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

/// The dashboard asks for nothing that is not there.
#[test]
fn the_dashboard_knows_its_metrics() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/grafana-dashboard.json");
    let dashboard = std::fs::read_to_string(&path).unwrap();
    let _: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let page = markdown();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut asked_for = 0;
    for word in dashboard.split(|letter| !is_part(letter)) {
        let Some(name) = word.strip_prefix("dunlin_") else {
            continue;
        };
        let name = name.strip_suffix("_bucket").unwrap_or(name);
        assert!(page.contains(&format!("`dunlin_{name}`")), "{word}");
        asked_for += 1;
    }
    assert!(asked_for > 30, "{asked_for}");
}
