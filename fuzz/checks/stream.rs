//! Event streams: the events are the bytes, however these were cut; and a rewritten event says what it should.

use bytes::Bytes;
use portreeve::protocol::mcp::sse::{Event, EventTooLong, Splitter};

use super::Dice;

pub(crate) fn stream(input: &[u8]) {
    let (mut dice, stream) = Dice::take(input);
    let whole = split(&[stream], 1 << 20).expect("the bound is wide");
    let raw: Vec<_> = whole.iter().flat_map(|event| event.raw().to_vec()).collect();
    assert_eq!(raw, stream, "the events are the stream");

    let mut cuts: Vec<usize> = (0..dice.below(12)).map(|_| dice.below(stream.len() + 1)).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
    assert_eq!(split(&chunks, 1 << 20), Ok(whole.clone()));
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(split(&single, 1 << 20), Ok(whole.clone()));

    let bound = dice.below(64);
    let of_whole = split(&[stream], bound);
    assert_eq!(split(&chunks, bound), of_whole, "what is too long is so however it comes");
    assert_eq!(split(&single, bound), of_whole);
    assert_eq!(of_whole.is_err(), whole.iter().any(|event| event.raw().len() > bound));

    whole.iter().for_each(rewrite);
}

fn split(chunks: &[&[u8]], limit: usize) -> Result<Vec<Event>, EventTooLong> {
    let mut splitter = Splitter::new(limit);
    let mut events = Vec::new();
    for chunk in chunks {
        let mut chunk = Bytes::copy_from_slice(chunk);
        while let Some(event) = splitter.next(&mut chunk)? {
            events.push(event);
        }
        assert!(chunk.is_empty(), "a chunk is used up");
    }
    events.extend(splitter.finish());
    Ok(events)
}

/// What a reader hears of an event besides its data and its id stays, and the event still ends where it ended.
fn rewrite(event: &Event) {
    let rest = |event: &Event| (event.kind().map(<[u8]>::to_vec), event.retry(), event.is_complete());
    let has = |name: &[u8]| event.fields().any(|field| field.name == name);
    let with_data = event.with_data(b"{\"a\":1}");
    assert_eq!(rest(&with_data), rest(event), "{event:?} {with_data:?}");
    assert_eq!(with_data.id(), event.id());
    let wanted = has(b"data").then_some(&b"{\"a\":1}"[..]);
    assert_eq!(with_data.data().as_deref(), wanted, "{event:?} {with_data:?}");
    let with_id = event.with_id("sealed").expect("an id of one line");
    assert_eq!(rest(&with_id), rest(event), "{event:?} {with_id:?}");
    assert_eq!(with_id.data(), event.data());
    assert_eq!(with_id.id(), has(b"id").then_some(&b"sealed"[..]), "{event:?} {with_id:?}");
    // A line feed in front may belong to the return that ended the event before, which nobody can tell from here.
    if event.is_complete() && !event.raw().starts_with(b"\n") {
        for changed in [with_data, with_id] {
            let again = split(&[changed.raw()], 1 << 20).expect("the bound is wide");
            // Nor may the line feed behind the return of an empty line be waited for, where the line before that, which
            // was of the other kind, is the one that went: it comes as an event of its own that says nothing.
            let said = again.iter().filter(|event| event.raw().as_ref() != b"\n").count();
            assert_eq!(said, 1, "one event stays one: {event:?} {changed:?}");
        }
    }
}
