//! One skill of two files, one of them in a folder of its own.

use rmcp::ErrorData;
use rmcp::model::{
    DIRECTORY_MIME_TYPE, Resource, ResourceContents, Skill, SkillFrontmatter, SkillResource, SkillResources,
};

const ROOT: &str = "skill://plain-words";
const FILES: [(&str, &str); 2] = [
    ("SKILL.md", include_str!("skill/SKILL.md")),
    ("reference/words.md", include_str!("skill/reference/words.md")),
];

/// The skill as `skills/list` and `skills/get` show it.
pub fn skill() -> Skill {
    let files =
        FILES.iter().map(|(path, text)| SkillResource::from_bytes(format!("{ROOT}/{path}"), text.as_bytes()));
    Skill::new(
        format!("{ROOT}/SKILL.md"),
        SkillFrontmatter::new("plain-words", "Says things in plain words"),
        SkillResources::Files(files.collect()),
    )
}

/// The contents of a file of the skill.
pub fn file(uri: &str) -> Option<ResourceContents> {
    let (_, text) = FILES.iter().find(|(path, _)| format!("{ROOT}/{path}") == uri)?;
    Some(ResourceContents::text(*text, uri).with_mime_type("text/markdown"))
}

/// What a folder of the skill holds.
///
/// # Errors
/// The URI names no folder.
pub fn folder(uri: &str) -> Result<Vec<Resource>, ErrorData> {
    let file = |path: &str, name: &str| {
        Resource::new(format!("{ROOT}/{path}"), name).with_mime_type("text/markdown")
    };
    match uri.strip_prefix(ROOT) {
        Some("") => Ok(vec![
            file("SKILL.md", "SKILL.md"),
            Resource::new(format!("{ROOT}/reference"), "reference").with_mime_type(DIRECTORY_MIME_TYPE),
        ]),
        Some("/reference") => Ok(vec![file("reference/words.md", "words.md")]),
        _ => Err(ErrorData::invalid_params("this is not a folder", None)),
    }
}
