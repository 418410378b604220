//! The command line.

use std::borrow::Cow;
use std::path::PathBuf;

use rmcp::model::ProtocolVersion;

/// Which revisions of the protocol the server speaks.
#[derive(Clone, Copy)]
pub enum Era {
    /// All of them.
    Both,
    /// Those with a handshake and sessions.
    Legacy,
    /// Those without.
    Modern,
}

impl Era {
    /// The revisions of this era.
    pub fn versions(self) -> Cow<'static, [ProtocolVersion]> {
        let first_modern = ProtocolVersion::V_2026_07_28;
        let all = ProtocolVersion::KNOWN_VERSIONS;
        let is_legacy = |version: &ProtocolVersion| version.as_str() < first_modern.as_str();
        match self {
            Self::Both => Cow::Borrowed(all),
            Self::Legacy => all.iter().filter(|version| is_legacy(version)).cloned().collect(),
            Self::Modern => all.iter().filter(|version| !is_legacy(version)).cloned().collect(),
        }
    }
}

/// What the command line says.
pub struct Arguments {
    /// Where to listen; 0 lets the system choose.
    pub port: u16,
    /// Which file gets a line per call.
    pub log: Option<PathBuf>,
    /// What to speak.
    pub era: Era,
}

impl Arguments {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// An argument is unknown, lacks its value or has a wrong one.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self { port: 0, log: None, era: Era::Both };
        let mut words = words;
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            match (name.as_str(), value.as_str()) {
                ("--port", port) => {
                    arguments.port = port.parse().map_err(|_| format!("{port} is not a port"))?
                }
                ("--log", path) => arguments.log = Some(path.into()),
                ("--era", "both") => arguments.era = Era::Both,
                ("--era", "legacy") => arguments.era = Era::Legacy,
                ("--era", "modern") => arguments.era = Era::Modern,
                _ => return Err(format!("unknown argument: {name} {value}")),
            }
        }
        Ok(arguments)
    }
}
