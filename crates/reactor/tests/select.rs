//! What select alone cannot do: a connection whose descriptor does not fit its sets. Alone in its file, since it takes the process's
//! descriptors.

mod common;

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use common::{Script, on_system};
use dunlin_reactor::{Limits, Select, SelectPoller};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_connection_that_does_not_fit_is_closed_and_the_others_are_served() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let mut world = on_system::<Select>(Limits::default()).expect("select is everywhere");
    let mut script = Script::echo();
    let (mut early, _) = world.connect_opened(&mut script);
    let mut fillers: Vec<OwnedFd> = Vec::new();
    while fillers
        .last()
        .is_none_or(|fd| fd.as_raw_fd() as usize + 1 < SelectPoller::DESCRIPTORS_MAX)
    {
        fillers.push(std::fs::File::open("/dev/null").unwrap().into());
    }
    let mut misfit = world.connect();
    world.steps(&mut script, 20);
    assert_eq!(world.event_loop.stats().accept_failures, 1);
    assert_eq!(script.open.len(), 1);
    misfit.set_nonblocking(false).unwrap();
    assert_eq!(
        misfit.read(&mut [0; 8]).unwrap(),
        0,
        "it is left in the dark"
    );
    early.write_all(b"still there?").unwrap();
    assert_eq!(
        world.read_exact(&mut script, &mut early, 12),
        b"still there?"
    );
    drop(fillers);
    let (mut late, _) = world.connect_opened(&mut script);
    late.write_all(b"hello").unwrap();
    assert_eq!(world.read_exact(&mut script, &mut late, 5), b"hello");
}
