//! The devices of one thread: a handler that connects them, and passes on what they send and get.
//!
//! Invariant: bytes that came are never dropped: a deadline that passes within a frame leaves them where they are, and it is only
//! looked at whether the device still waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dunlin_frame::{AckResult, Codec, Decoded, Packet};
use dunlin_reactor::{CloseReason, ConnId, ConnectAddress, Handler, Input, Io, Peer, Rope};
use hdrhistogram::Histogram;

use super::device::{Device, Phase};
use super::report::{Progress, latencies};

/// How long a device waits for an ack.
const READ_DEADLINE_MS: u64 = 5_000;
/// How long it waits before it connects again, or sends again what was refused.
const AGAIN_MS: u64 = 100;
/// How long it goes on without any ack, with --reconnect or within a frame.
const GIVE_UP_MS: u64 = 30_000;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) address: ConnectAddress,
    pub(crate) codec: Codec,
    pub(crate) devices: usize,
    pub(crate) messages: u32,
    /// 0: as soon as there is room.
    pub(crate) interval_ms: u64,
    pub(crate) pipeline: usize,
    pub(crate) token: Option<String>,
    pub(crate) payload_bytes: Option<usize>,
    pub(crate) reconnect: bool,
}

/// See the module's text.
pub(crate) struct Fleet {
    plan: Arc<Plan>,
    progress: Arc<Progress>,
    devices: Vec<Device>,
    by_conn: HashMap<ConnId, usize>,
    latency_us: Histogram<u64>,
    active: usize,
    started: bool,
}

impl Fleet {
    /// The devices of thread `index` out of `threads`.
    pub(crate) fn new(
        plan: Arc<Plan>,
        index: usize,
        threads: usize,
        progress: Arc<Progress>,
    ) -> Fleet {
        let numbers = (index..plan.devices).step_by(threads);
        let devices: Vec<Device> = numbers.map(|number| Device::new(number, 0)).collect();
        Fleet {
            active: devices.len(),
            plan,
            progress,
            devices,
            by_conn: HashMap::new(),
            latency_us: latencies(),
            started: false,
        }
    }

    fn connect(&mut self, io: &mut Io<'_>, index: usize) {
        let conn = io.connect(&self.plan.address, None);
        self.by_conn.insert(conn, index);
        let device = &mut self.devices[index];
        (device.phase, device.conn) = (Phase::Connecting, Some(conn));
    }

    /// Sends what a device may send now, and looks whether it is done.
    fn go_on(&mut self, io: &mut Io<'_>, index: usize) {
        let quit = self.progress.quit.load(Ordering::Relaxed);
        let device = &mut self.devices[index];
        let Some(conn) = device.conn else { return };
        if device.is_done(&self.plan, quit) {
            return self.end(io, index);
        }
        if device.phase != Phase::Submitting {
            return;
        }
        let now = (io.now_ms(), io.now_us());
        let mut out = Rope::with_buffer(io.buffer());
        let fresh = device.submit(&self.plan, now, quit, out.tail());
        self.progress.sent.fetch_add(fresh, Ordering::Relaxed);
        if out.is_empty() {
            io.recycle(out.take_tail());
        } else {
            io.send(conn, &mut out);
        }
        if device.waits_for_time(&self.plan) && !quit {
            io.set_timer(device.next_at_ms, index as u64);
        }
        let deadline_ms = device.is_waiting().then_some(now.0 + READ_DEADLINE_MS);
        io.set_read_deadline(conn, deadline_ms);
    }

    fn end(&mut self, io: &mut Io<'_>, index: usize) {
        let device = &mut self.devices[index];
        if device.phase == Phase::Ended {
            return;
        }
        device.phase = Phase::Ended;
        if let Some(conn) = device.conn.take() {
            io.close_after_flush(conn);
        }
        self.active -= 1;
        if self.active == 0 {
            self.progress.add_latencies(&self.latency_us);
            io.stop(io.now_ms() + AGAIN_MS);
        }
    }

    /// A connection came to nothing: again, or the end.
    fn failed(&mut self, io: &mut Io<'_>, index: usize, what: &str) {
        let quit = self.progress.quit.load(Ordering::Relaxed);
        let device = &mut self.devices[index];
        if device.phase == Phase::Ended {
            return;
        }
        self.progress.error(device.number, what);
        device.phase = Phase::Connecting;
        if let Some(conn) = device.conn.take() {
            self.by_conn.remove(&conn);
            io.close(conn);
        }
        let is_late = io.now_ms() - device.last_ack_ms >= GIVE_UP_MS;
        if !self.plan.reconnect || is_late || (quit && !device.is_waiting()) {
            return self.end(io, index);
        }
        self.progress.reconnects.fetch_add(1, Ordering::Relaxed);
        io.set_timer(io.now_ms() + AGAIN_MS, index as u64);
    }

    /// Takes the acks of a device.
    fn read(&mut self, io: &mut Io<'_>, index: usize, input: &mut Input) {
        let codec = self.plan.codec;
        let mut at = 0;
        loop {
            match codec.decode(&input.bytes()[at..]) {
                Ok(Decoded::NeedMore { hint }) => {
                    input.expect(hint);
                    break;
                }
                Ok(Decoded::Packet { packet, end }) => {
                    at += end;
                    if let Err(what) = self.take(io, index, packet) {
                        self.failed(io, index, &what);
                        break;
                    }
                }
                Err(error) => {
                    self.failed(io, index, &error.to_string());
                    break;
                }
            }
        }
        input.consume(at);
    }

    fn take(&mut self, io: &mut Io<'_>, index: usize, packet: Packet<'_>) -> Result<(), String> {
        let device = &mut self.devices[index];
        match (packet, device.phase) {
            (Packet::ConnAck { result, .. }, Phase::Introducing) => {
                if result == AckResult::Error {
                    return Err("the gateway refuses the connection".to_owned());
                }
                device.phase = Phase::Submitting;
            }
            (Packet::SubmitAck { id, result }, Phase::Submitting) => {
                device.last_ack_ms = io.now_ms();
                if result == AckResult::Error {
                    if !device.refused(id, self.plan.reconnect) {
                        return Err(format!("an ack for {id}, which is not under way"));
                    }
                    self.progress.error(device.number, "a message was refused");
                    return Ok(());
                }
                let sent_us = device
                    .acknowledged(id)
                    .ok_or_else(|| format!("an ack for {id}, which is not under way"))?;
                self.progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.latency_us.saturating_record(io.now_us() - sent_us);
            }
            (other, _) => return Err(format!("a {} that was not asked for", other.name())),
        }
        Ok(())
    }
}

impl Handler for Fleet {
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        // Nobody listens here.
        io.close(conn);
    }

    fn connected(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        let Some(&index) = self.by_conn.get(&conn) else {
            return;
        };
        let mut out = Rope::with_buffer(io.buffer());
        self.devices[index].introduce(&self.plan, out.tail());
        io.send(conn, &mut out);
        io.set_read_deadline(conn, Some(io.now_ms() + READ_DEADLINE_MS));
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let Some(&index) = self.by_conn.get(&input.conn()) else {
                input.consume(input.bytes().len());
                continue;
            };
            self.read(io, index, input);
            self.go_on(io, index);
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, why: CloseReason) {
        let Some(index) = self.by_conn.remove(&conn) else {
            return;
        };
        let device = &mut self.devices[index];
        if device.conn == Some(conn) {
            device.conn = None;
            let what = match why {
                CloseReason::Reset(error) => format!("the connection was lost: {error}"),
                CloseReason::Connect(error) => format!("no connection: {error}"),
                CloseReason::Eof => "the gateway closed the connection".to_owned(),
                other => format!("the connection was closed: {other:?}"),
            };
            self.failed(io, index, &what);
        }
    }

    fn read_deadline(&mut self, io: &mut Io<'_>, conn: ConnId, _: usize) {
        let Some(&index) = self.by_conn.get(&conn) else {
            return;
        };
        let silent_ms = io.now_ms() - self.devices[index].last_ack_ms;
        if io.input_len(conn) > 0 && silent_ms < GIVE_UP_MS {
            // Within a frame: its beginning is kept, and the rest may be on its way.
            return io.set_read_deadline(conn, Some(io.now_ms() + READ_DEADLINE_MS));
        }
        self.failed(io, index, "no ack within 5 s");
    }

    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        let index = token as usize;
        let device = &self.devices[index];
        match device.phase {
            Phase::Connecting if device.conn.is_none() => self.connect(io, index),
            _ => self.go_on(io, index),
        }
    }

    fn woken(&mut self, io: &mut Io<'_>) {
        // A signal: what has nothing under way ends now.
        if self.progress.quit.load(Ordering::Relaxed) {
            for index in 0..self.devices.len() {
                let device = &self.devices[index];
                if !device.is_waiting() {
                    self.end(io, index);
                }
            }
        }
    }

    fn turn_end(&mut self, io: &mut Io<'_>) -> Option<u64> {
        if !self.started {
            self.started = true;
            for index in 0..self.devices.len() {
                let device = &mut self.devices[index];
                device.last_ack_ms = io.now_ms();
                self.connect(io, index);
            }
        }
        None
    }
}
