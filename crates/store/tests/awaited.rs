//! What a reply has to wait for while replies wait for the log: the last record of each key that its command looked at or changed.

use dunlin_store::stripes::{LockSet, ReadyList, Waiter, Wake};
use dunlin_store::{Event, Local, NewString, Settings, Store, Ttl, Txn};

struct NoOne;

impl Wake for NoOne {
    fn wake(&self) {}
}

/// Runs one command; the record that its reply waits for.
fn awaited(store: &Store, local: &mut Local, act: impl FnOnce(&mut Txn<'_>)) -> u64 {
    (local.replies_wait, local.awaits, local.wrote) = (true, 0, 0);
    let waiter = Waiter::new(ReadyList::new(NoOne), 0);
    let mut held = store
        .lock_stripes(&LockSet::All, &waiter)
        .expect("nobody else is here");
    let mut txn = Txn::new(store, Some(&mut held), local, 0);
    act(&mut txn);
    txn.commit(None);
    store.release_stripes(held);
    local.awaits
}

fn set(txn: &mut Txn<'_>, name: &[u8], value: &[u8]) {
    let key = txn.key(name);
    txn.put_string(0, &key, NewString::new(value), Ttl::Clear);
    let effect = [b"SET".as_slice(), name, value];
    txn.record_args(0, name, Event::string("set"), effect.into_iter());
}

fn get(txn: &mut Txn<'_>, name: &[u8]) {
    let key = txn.key(name);
    txn.read(0, &key);
}

#[test]
fn a_string_that_is_written_over_is_waited_for() {
    let store = Store::new(&Settings::default());
    let _reader = store.log.attach();
    let (mut writer, mut reader) = (store.local(0, 1), store.local(0, 2));
    let mut last = 0;
    // New, over it where it lies, and over it with one that does not fit there.
    for value in [
        b"one".as_slice(),
        b"two",
        b"tri",
        &[b'x'; 500],
        &[b'y'; 500],
    ] {
        let wrote = awaited(&store, &mut writer, |txn| set(txn, b"key", value));
        assert!(wrote > last, "the write waits for its own record");
        last = wrote;
        let read = awaited(&store, &mut reader, |txn| get(txn, b"key"));
        assert_eq!(read, wrote, "and whoever reads it, too");
    }
    let elsewhere = awaited(&store, &mut reader, |txn| get(txn, b"other"));
    assert_eq!(elsewhere, 0, "nobody waits for another key");
}
