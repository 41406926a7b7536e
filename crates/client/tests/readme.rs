//! The README's example is the front page's, which is a doc test.
//!
//! Invariant: they differ in nothing but the fence.

#[test]
fn the_readme_shows_what_is_tested() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("src/front_page.md")).unwrap();
    let readme = std::fs::read_to_string(root.join("../../README.md")).unwrap();
    let example = page.replacen("```no_run", "```rust", 1);
    assert!(
        readme.contains(&example),
        "copy src/front_page.md into README.md"
    );
}
