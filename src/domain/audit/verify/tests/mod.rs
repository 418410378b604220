//! Honest histories, and everything an attacker of the database may do to them.
//!
//! The attacker here is strong: they alter the database, and the honest exporter then signs what it reads.
//! What they lack is the signing key, unless a test hands it to them, and the anchors.

mod attacks;
mod files;
mod honest;
mod mixed;

use time::{Duration, macros::datetime};
use uuid::Uuid;

use super::*;
use crate::{
    base::{crypto::signature::SignKey, ids::EventId, secret::Secret},
    domain::audit::{
        Batch, CheckpointBody, Entry, ExportWriter, Record, Signer, StoredEvent, Who,
        chain::{genesis, link},
        key_line,
    },
};

const START: OffsetDateTime = datetime!(2026-11-21 8:00 UTC);

fn org(n: u128) -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(n))
}

struct Keyring {
    key: SignKey,
    id: SigningKeyId,
}

impl Keyring {
    fn numbered(n: u8) -> Self {
        let key = SignKey::from_bytes(&Secret::new([n; 32]));
        Self { key, id: SigningKeyId::from_uuid(Uuid::from_u128(u128::from(n))) }
    }
    fn signer(&self) -> Signer<'_> {
        Signer { key: &self.key, id: self.id }
    }
    fn public(&self) -> PublicKey {
        PublicKey { id: self.id, public: Hex(self.key.public()) }
    }
}

#[derive(Clone)]
struct Chain {
    org: OrgId,
    events: Vec<StoredEvent>,
    checkpoints: Vec<(i64, SignedCheckpoint)>,
}

impl Chain {
    fn head(&self) -> ChainHead {
        self.events.last().map_or(ChainHead::empty(self.org), |e| ChainHead {
            head: e.hash,
            org: self.org,
            seq: e.seq,
        })
    }

    fn append(&mut self, note: &str, at: OffsetDateTime) {
        let (head, seq) = (self.head(), self.head().seq + 1);
        let record = record(self.org, seq, note, at).to_bytes();
        let hash = link(self.org, seq, head.head, &record);
        self.events.push(StoredEvent { seq, record, prev_hash: head.head, hash });
    }

    fn seal(&mut self, keys: &Keyring, at: OffsetDateTime, chains: Option<Vec<ChainHead>>) {
        let last = self.checkpoints.len() as i64;
        let before = self.checkpoints.last().map(|(_, c)| (last, c.hash()));
        let mut body = CheckpointBody::of(self.head(), at, before, keys.id);
        body.chains = chains;
        self.checkpoints.push((body.seq, body.sign(&keys.key)));
    }

    /// Computes hashes, numbers and links anew from this record on, as an attacker with a little time does.
    fn recompute(&mut self, from: usize) {
        for at in from..self.events.len() {
            let prev = if at == 0 { genesis(self.org) } else { self.events[at - 1].hash };
            let mut record = Record::from_bytes(&self.events[at].record).expect("a record");
            record.seq = at as i64 + 1;
            record.org = self.org;
            let bytes = record.to_bytes();
            let hash = link(self.org, record.seq, prev, &bytes);
            self.events[at] = StoredEvent { seq: record.seq, record: bytes, prev_hash: prev, hash };
        }
    }

    /// Makes all checkpoints anew over what stands now, with a key that the attacker holds.
    fn reseal(&mut self, keys: &Keyring) {
        let old = std::mem::take(&mut self.checkpoints);
        for (seq, checkpoint) in old {
            let body = checkpoint.read().expect("a checkpoint");
            let whole = std::mem::take(&mut self.events);
            self.events = whole.iter().take(seq as usize).cloned().collect();
            self.seal(keys, body.at, body.chains);
            self.events = whole;
        }
    }
}

fn record(org: OrgId, seq: i64, note: &str, at: OffsetDateTime) -> Record {
    let id = EventId::from_uuid(Uuid::from_u128(org.uuid().as_u128() << 64 | seq as u128));
    Entry::admin("team.renamed", &Who::system("test"))
        .target("team", "tem_1", "Platform")
        .changed(&serde_json::json!({"name": "old"}), &serde_json::json!({"name": note}))
        .note(note)
        .at_place(org, seq, id, at)
}

#[derive(Clone)]
struct World {
    chains: Vec<Chain>,
    now: OffsetDateTime,
}

impl World {
    /// The instance's chain and three organizations', sealed every `every` records; global ones in between.
    fn honest(lengths: [usize; 4], every: usize, keys: &Keyring) -> Self {
        let mut chains: Vec<Chain> =
            (0..4).map(|n| Chain { org: org(n), events: Vec::new(), checkpoints: Vec::new() }).collect();
        let mut now = START;
        for round in 1..=lengths.iter().copied().max().unwrap_or(0) {
            for (chain, length) in chains.iter_mut().zip(lengths) {
                now += Duration::seconds(1);
                if round <= length {
                    chain.append(&format!("record {round}"), now);
                    if round % every == 0 || round == length {
                        chain.seal(keys, now, None);
                    }
                }
            }
            if round % (2 * every) == 0 {
                Self::seal_all(&mut chains, keys, now);
            }
        }
        Self::seal_all(&mut chains, keys, now);
        Self { chains, now: now + Duration::minutes(2) }
    }

    fn seal_all(chains: &mut [Chain], keys: &Keyring, now: OffsetDateTime) {
        let heads = chains[1..].iter().map(Chain::head).filter(|head| head.seq > 0).collect();
        chains[0].seal(keys, now, Some(heads));
    }

    /// What a backup of that moment holds.
    fn as_of(&self, moment: OffsetDateTime) -> Self {
        let mut world = Self { now: moment, ..self.clone() };
        for chain in &mut world.chains {
            chain.events.retain(|e| Record::from_bytes(&e.record).expect("a record").at <= moment);
            chain.checkpoints.retain(|(_, c)| c.read().expect("a checkpoint").at <= moment);
        }
        world
    }

    fn anchors_file(&self, keys: &Keyring) -> Vec<u8> {
        let mut out = key_line(&keys.public());
        for (_, checkpoint) in self.chains.iter().flat_map(|chain| &chain.checkpoints) {
            out.extend(checkpoint.line());
        }
        out
    }

    fn anchors(&self, keys: &Keyring) -> Anchors {
        Anchors::read(self.anchors_file(keys).as_slice()).expect("our own anchors")
    }

    fn export(&self, keys: &Keyring) -> Vec<u8> {
        self.export_of(Scope::Installation, keys)
    }

    fn export_of(&self, scope: Scope, keys: &Keyring) -> Vec<u8> {
        let mut out = ExportWriter::begin(Vec::new(), scope, self.now, vec![keys.public()]).expect("memory");
        for chain in &self.chains {
            if matches!(scope, Scope::Organization(only) if only != chain.org) {
                continue;
            }
            out.chain(chain.head()).expect("memory");
            let cut = chain.events.len() / 2;
            let border = chain.events.get(cut).map_or(0, |e| e.seq);
            let split = chain.checkpoints.iter().position(|(seq, _)| *seq >= border);
            let (early, late) = chain.checkpoints.split_at(split.unwrap_or(chain.checkpoints.len()));
            for (events, checkpoints) in [(&chain.events[..cut], early), (&chain.events[cut..], late)] {
                out.batch(&Batch { events: events.to_vec(), checkpoints: checkpoints.to_vec(), next: None })
                    .expect("memory");
            }
        }
        out.finish(keys.signer()).expect("memory")
    }
}

fn check(export: &[u8], anchors: &Anchors) -> Result<Report, Fault> {
    verify(export, anchors.clone(), LaterAnchors::PassOver).map_err(|error| match error {
        VerifyError::Altered(fault) => fault,
        VerifyError::Io(error) => panic!("memory was read: {error}"),
    })
}

/// The fault must be found, in the right chain, and its first record must be the altered one or, where a
/// computed chain hides it, a stretch that holds it.
#[track_caller]
fn assert_caught(world: &World, keys: &Keyring, anchors: &Anchors, org: OrgId, seq: i64) {
    let fault = check(&world.export(keys), anchors).expect_err("the tampering was missed");
    assert_eq!(fault.org, Some(org), "{fault}");
    let (first, last) = fault.records.unwrap_or_else(|| panic!("no record is named: {fault}"));
    assert!(first <= seq && seq <= last, "record {seq} was altered, but: {fault}");
}

const LENGTHS: [usize; 4] = [9, 23, 17, 5];
const EVERY: usize = 4;

/// Runs an attack at every record of every chain.
fn at_every_record(attack: impl Fn(&mut World, usize, usize) -> bool, names: impl Fn(i64) -> i64) {
    let keys = Keyring::numbered(1);
    let honest = World::honest(LENGTHS, EVERY, &keys);
    let anchors = honest.anchors(&keys);
    let mut tried = 0;
    for (c, length) in LENGTHS.into_iter().enumerate() {
        for at in 0..length {
            let mut world = honest.clone();
            if attack(&mut world, c, at) {
                tried += 1;
                assert_caught(&world, &keys, &anchors, org(c as u128), names(at as i64 + 1));
            }
        }
    }
    assert!(tried >= 30, "only {tried} positions");
}

/// The record with another note, as an attacker would like it to read.
fn edited(event: &StoredEvent) -> Vec<u8> {
    let mut record = Record::from_bytes(&event.record).expect("a record");
    record.note = Some("nothing to see".to_owned());
    record.to_bytes()
}
