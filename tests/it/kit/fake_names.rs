//! Name servers of somebody else: they say what a test wants, and something else the next time.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use portreeve::io::net::resolve::{Lookup, Resolver};

/// Answers by name; the last answer of a name is repeated.
#[derive(Debug, Default)]
pub(crate) struct FakeNames {
    answers: HashMap<String, Vec<Answer>>,
    asked: Mutex<Vec<String>>,
}

#[derive(Clone, Debug)]
enum Answer {
    Addresses(Vec<IpAddr>),
    Failure,
    Never,
}

impl FakeNames {
    /// The next answer for a name: addresses between spaces.
    pub(crate) fn says(mut self, name: &str, addresses: &str) -> Self {
        let addresses = addresses.split_whitespace().map(|ip| ip.parse().unwrap()).collect();
        self.answers.entry(name.to_owned()).or_default().push(Answer::Addresses(addresses));
        self
    }

    /// The name servers fail for a name.
    pub(crate) fn fails(mut self, name: &str) -> Self {
        self.answers.entry(name.to_owned()).or_default().push(Answer::Failure);
        self
    }

    /// The name servers never answer for a name.
    pub(crate) fn never_answers(mut self, name: &str) -> Self {
        self.answers.entry(name.to_owned()).or_default().push(Answer::Never);
        self
    }

    /// The names that were looked up so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Resolver for FakeNames {
    fn lookup(&self, name: &str) -> Lookup<'_> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = asked.iter().filter(|asked| *asked == name).count();
        asked.push(name.to_owned());
        let answers = self.answers.get(name);
        let answer = answers.and_then(|answers| answers.get(before).or_else(|| answers.last())).cloned();
        Box::pin(async move {
            match answer {
                Some(Answer::Addresses(addresses)) => Ok(addresses),
                Some(Answer::Failure) | None => Err(io::Error::other("SERVFAIL")),
                Some(Answer::Never) => std::future::pending().await,
            }
        })
    }
}
