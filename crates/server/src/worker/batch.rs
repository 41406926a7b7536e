//! One turn's input: parsed, looked ahead, executed, window by window.
//!
//! Memory latency is what a command costs at a million keys, so the keys of a whole window are hashed and their buckets are brought into
//! the cache before the first command runs, and their entries some commands before their own turn.
//!
//! Invariant: what was executed is consumed, what was not is shown again.

use dunlin_engine::{Args, Call, Executed, OwnedArgs, Replies, Session};
use dunlin_reactor::{ConnId, Input, Io};
use dunlin_resp::{Limits, Outcome, ProtocolError, RequestParser, Span};
use dunlin_store::Sighting;
use dunlin_structures::Rope;

use super::slot::{Activity, Stopwatch};
use super::timing::{RanNow, SMALL_BYTES, Timing};
use super::unsafe_replies::note_positions;
use super::{OUTPUT_SOFT_BYTES, Worker, limits};
use crate::clients::Mark;

/// Commands looked ahead together: their cache lines (three each) fit the first-level cache.
const WINDOW_COMMANDS: usize = 96;
/// So many buckets, or entries, are asked for one right behind the other: the processor then finds out where their pages are for several at
/// a time, which takes longer than a command's other work can hide. For more it drops some of what it is asked for (measured on Zen 4: of
/// 192 lines asked for at once, two in five).
const GROUP_COMMANDS: usize = 8;
/// A group's entries are asked for so many commands before its first one's turn.
const ENTRIES_AHEAD: usize = 4;
/// So many commands before its turn the lock of a command's key is brought over from another worker's cache (measured on 16 cores, one
/// run: 8 workers need 2 % less CPU for GET, 10 % for SET).
const STRIPES_AHEAD: usize = 2;
/// Room for so many arguments is kept from turn to turn; what one long request needed beyond is given back.
const SPANS_KEPT_MAX: usize = 16 << 10;
/// Output of a connection in one turn from which on its further commands wait for the next.
const OUTPUT_TURN_BYTES: usize = 1 << 20;
/// The id of a command that is not in the table.
const UNKNOWN: u16 = u16::MAX;
/// The buffer of a request with an argument from this length on grows no further than that argument needs.
const LONG_ARGUMENT_BYTES: usize = 32 << 10;

/// What is in the window but is no command whose arguments lie in the input.
enum Odd {
    /// Its arguments are copied, because quotes had to be undone.
    Owned(OwnedArgs),
    /// Not a command: answer and close.
    Broken(ProtocolError),
    /// The rest of a request that is over `client-query-buffer-limit`: close.
    TooLong,
}

/// Where the arguments of a prepared command are.
#[derive(Copy, Clone)]
enum Place {
    /// `count` spans from `first` on, relative to the command's begin.
    Spans { first: u32, count: u32 },
    /// At this index among the odd ones.
    Odd(u32),
}

/// A command of the window.
struct Prepared {
    input: u32,
    id: u16,
    /// Index of the first key; 0 for none.
    key: u16,
    db: u32,
    hash: u64,
    /// Where the look-ahead expects its key.
    sighting: Sighting,
    /// The key may lie outside its home bucket.
    away: bool,
    /// Where it begins in its input, and where the next one does.
    start: usize,
    /// See `start`.
    end: usize,
    place: Place,
}

impl Prepared {
    /// Whether its request is too short to take long.
    fn is_small(&self) -> bool {
        match self.place {
            Place::Spans { .. } => self.end - self.start <= SMALL_BYTES,
            _ => false,
        }
    }
}

/// How far one input has come.
#[derive(Copy, Clone, Default)]
struct Reach {
    /// Parsed up to here.
    parsed: usize,
    /// Executed up to here, if `suspended`; else what is parsed is executed.
    done: usize,
    /// There is no further complete request.
    exhausted: bool,
    /// The session waits or closes: its other prepared commands are skipped.
    suspended: bool,
    /// Bytes that the request at its end lacks, if it has a long argument.
    expected: usize,
}

/// Why parsing of an input stopped.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Filled {
    /// It has no further complete request.
    Exhausted,
    /// The window is full, or must be executed before more is parsed.
    Window,
}

/// A worker's buffers for batches, kept from turn to turn.
#[derive(Default)]
pub(super) struct Batch {
    window: Vec<Prepared>,
    spans: Vec<Span>,
    odd: Vec<Odd>,
    reach: Vec<Reach>,
}

impl Batch {
    #[inline]
    fn args<'a>(&'a self, prepared: &'a Prepared, bytes: &'a [u8]) -> Args<'a> {
        match prepared.place {
            Place::Spans { first, count } => Args::new(
                &bytes[prepared.start..],
                &self.spans[first as usize..][..count as usize],
            ),
            Place::Odd(at) => match &self.odd[at as usize] {
                Odd::Owned(args) => args.as_args(),
                Odd::Broken(_) | Odd::TooLong => Args::new(&[], &[]),
            },
        }
    }
}

/// Puts an odd one to the others.
#[cold]
fn put(odds: &mut Vec<Odd>, odd: Odd) -> Place {
    odds.push(odd);
    Place::Odd(odds.len() as u32 - 1)
}

impl Worker {
    /// Executes what has arrived; what is left of each input waits for its rest, or for its session.
    pub(super) fn run_batch(&mut self, io: &mut Io<'_>, inputs: &mut [Input]) {
        let mut batch = std::mem::take(&mut self.batch);
        batch.reach.clear();
        batch.reach.resize(inputs.len(), Reach::default());
        let mut next = 0;
        while next < inputs.len() {
            batch.window.clear();
            batch.spans.clear();
            while next < inputs.len() {
                match self.prepare(&mut batch, next, &inputs[next]) {
                    Filled::Exhausted => next += 1,
                    Filled::Window => break,
                }
            }
            self.look_ahead(&mut batch, inputs);
            self.look_at_keys(&batch, inputs);
            self.execute_window(io, &mut batch, inputs);
            batch.odd.clear();
            if self.state.local.replies_wait {
                // The disk begins with what there is while the rest of the batch runs.
                self.host.shared.journal.signal();
            }
        }
        for (input, reach) in inputs.iter_mut().zip(&batch.reach) {
            input.consume(if reach.suspended {
                reach.done
            } else {
                reach.parsed
            });
            if reach.expected > 0 {
                input.expect(reach.expected);
            }
            self.publish_client(input, reach.expected);
            self.flush(io, input.conn());
            if input.is_eof() || self.is_stopping {
                self.hold_open(io, input.conn());
            }
        }
        if batch.spans.capacity() > SPANS_KEPT_MAX {
            batch.spans.clear();
            batch.spans.shrink_to(SPANS_KEPT_MAX);
        }
        self.batch = batch;
    }

    /// A connection has written much in this turn: it goes on in the next one, or once its client has taken enough.
    #[cold]
    fn go_on_later(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let written = self.slot(conn).map_or(0, |slot| slot.out.len());
        if io.output_len(conn) + written > OUTPUT_SOFT_BYTES {
            // `drained` shows the rest again.
            io.pause_input(conn);
        } else {
            io.resume_input(conn);
        }
    }

    /// Parses commands of one input into the window.
    fn prepare(&mut self, batch: &mut Batch, index: usize, input: &Input) -> Filled {
        let bytes = input.bytes();
        let reach = &mut batch.reach[index];
        let limits = match self
            .slots
            .get(input.conn().index())
            .and_then(Option::as_deref)
        {
            Some(slot)
                if slot.conn == input.conn()
                    && slot.is_idle()
                    && !reach.suspended
                    && !slot.client.is(Mark::KILLED) =>
            {
                Limits {
                    bulk_bytes_max: self.engine.string_bytes_max(),
                    authenticated: slot.session.as_ref().is_some_and(|s| s.authenticated)
                        || !self.engine.users.password_required(),
                    ..Limits::default()
                }
            }
            Some(slot)
                if slot.conn == input.conn()
                    && !matches!(slot.activity, Activity::Closing)
                    && !slot.client.is(Mark::KILLED) =>
            {
                // Suspended since an earlier window: what follows is shown again when it is back.
                return Filled::Exhausted;
            }
            // Closing or closed: nobody will look at it again.
            _ => {
                *reach = Reach {
                    done: bytes.len(),
                    suspended: true,
                    ..*reach
                };
                return Filled::Exhausted;
            }
        };
        let slot = self.slots[input.conn().index()]
            .as_deref_mut()
            .expect("looked at above");
        let db = slot.session.as_ref().map_or(0, |s| s.db);
        slot.client.touch(self.now_mono_ms);
        while !reach.exhausted && reach.parsed < bytes.len() {
            let (first, base) = (batch.spans.len(), reach.parsed);
            let (end, place) = match slot.parser.next(&bytes[base..], &limits, &mut batch.spans) {
                Outcome::Request { end } => {
                    let count = batch.spans.len() - first;
                    if count == 0 {
                        reach.parsed += end;
                        continue;
                    }
                    (
                        base + end,
                        Place::Spans {
                            first: first as u32,
                            count: count as u32,
                        },
                    )
                }
                Outcome::Inline { end, words } => {
                    let owned = OwnedArgs::of(words.iter().map(Vec::as_slice));
                    (base + end, put(&mut batch.odd, Odd::Owned(owned)))
                }
                Outcome::NeedMore { hint } => {
                    reach.exhausted = true;
                    let argument = bytes.len() - base - slot.parser.understood() + hint;
                    // A hint of one byte is a guess.
                    if argument >= LONG_ARGUMENT_BYTES && hint > 1 {
                        reach.expected = hint;
                    }
                    if bytes.len() - base <= self.query_bytes_max {
                        break;
                    }
                    (bytes.len(), put(&mut batch.odd, Odd::TooLong))
                }
                Outcome::Error(error) => {
                    reach.exhausted = true;
                    (bytes.len(), put(&mut batch.odd, Odd::Broken(error)))
                }
            };
            reach.parsed = end;
            batch.window.push(Prepared {
                input: index as u32,
                id: UNKNOWN,
                key: 0,
                db,
                hash: 0,
                sighting: Sighting::default(),
                away: false,
                start: base,
                end,
                place,
            });
            // An unauthenticated session's next request may be longer after AUTH.
            if batch.window.len() >= WINDOW_COMMANDS || !limits.authenticated {
                return Filled::Window;
            }
        }
        reach.exhausted = true;
        Filled::Exhausted
    }

    /// Finds the commands, hashes their first keys, and brings the buckets into the cache; the entries follow while commands run.
    fn look_ahead(&self, batch: &mut Batch, inputs: &[Input]) {
        let mut window = std::mem::take(&mut batch.window);
        for group in window.chunks_mut(GROUP_COMMANDS) {
            for prepared in &mut *group {
                self.identify(batch, prepared, inputs);
            }
            for prepared in group {
                if prepared.key != 0 {
                    prepared.sighting = self.engine.store.sight(prepared.db, prepared.hash);
                }
            }
        }
        batch.window = window;
    }

    /// The first look at a command: which it is, and its first key's hash.
    #[inline]
    fn identify(&self, batch: &Batch, prepared: &mut Prepared, inputs: &[Input]) {
        let args = batch.args(prepared, inputs[prepared.input as usize].bytes());
        let Some(id) = args.get(0).and_then(|name| self.engine.table.id_of(name)) else {
            return;
        };
        let first_key = self.engine.table.at(id).first_key();
        let key = first_key.and_then(|i| Some((i, args.get(i)?)));
        let hashed = key.map(|(index, key)| (index, self.engine.store.hasher().hash(key)));
        prepared.id = id as u16;
        if let Some((index, hash)) = hashed {
            (prepared.key, prepared.hash) = (index as u16, hash);
        }
    }

    /// The second look, when the buckets have arrived: the entries of the group that begins at `from` are asked for. What is not in its
    /// home bucket (about one in ten) takes a third look. Where the next group begins.
    #[inline]
    fn prefetch_entries(&self, window: &mut [Prepared], from: usize) -> usize {
        let group = window[from..].iter_mut().take(GROUP_COMMANDS);
        let next = from + group.len();
        for prepared in group.filter(|prepared| prepared.key != 0) {
            prepared.away = self.engine.store.prefetch_entry(prepared.sighting);
        }
        next
    }

    /// Counts keys of some commands, for HOTKEYS.
    #[inline]
    fn look_at_keys(&mut self, batch: &Batch, inputs: &[Input]) {
        let (mut from, len) = (0, batch.window.len());
        let hot_keys = &self.host.shared.observer.hot_keys;
        while let Some(at) = self.sampler.next(len - from, hot_keys) {
            let prepared = &batch.window[from + at];
            from += at + 1;
            if prepared.key == 0 {
                continue;
            }
            let args = batch.args(prepared, inputs[prepared.input as usize].bytes());
            let key = (prepared.db, args.at(prepared.key as usize));
            hot_keys.count(self.number, self.now_mono_ms, key, prepared.hash, 1);
        }
    }

    fn execute_window(&mut self, io: &mut Io<'_>, batch: &mut Batch, inputs: &[Input]) {
        let mut timing = Timing::start(self);
        // With one command there is nothing to overlap a look at its entry with.
        let mut asked = usize::from(batch.window.len() == 1);
        for index in 0..batch.window.len() {
            if index + ENTRIES_AHEAD >= asked {
                asked = self.prefetch_entries(&mut batch.window, asked);
            }
            // Not for the whole window at once: other workers would take most of the locks away again.
            if let Some(soon) = batch.window.get(index + STRIPES_AHEAD)
                && soon.key != 0
            {
                self.engine.store.prefetch_stripe(soon.hash);
                if soon.away {
                    self.engine.store.prefetch_away(soon.sighting);
                }
            }
            let input = batch.window[index].input as usize;
            if batch.reach[input].suspended {
                continue;
            }
            if let Some(done) = self.execute_prepared(io, batch, index, inputs, &mut timing) {
                let reach = &mut batch.reach[input];
                (reach.suspended, reach.done) = (true, done);
                // The parser may have looked into a later request, which will be shown again from its start.
                reach.expected = 0;
                if let Some(slot) = self.slot(inputs[input].conn()) {
                    slot.parser = RequestParser::new();
                }
            }
        }
        timing.settle(&mut self.host);
        self.host.counters().recent.end();
    }

    /// Executes one command. When its session is suspended or closing: where its input goes on.
    fn execute_prepared(
        &mut self,
        io: &mut Io<'_>,
        batch: &Batch,
        index: usize,
        inputs: &[Input],
        timing: &mut Timing,
    ) -> Option<usize> {
        let prepared = &batch.window[index];
        let input = &inputs[prepared.input as usize];
        let (conn, end) = (input.conn(), Some(prepared.end));
        if let Place::Odd(at) = prepared.place {
            match &batch.odd[at as usize] {
                Odd::Owned(_) => {}
                Odd::Broken(error) => {
                    self.protocol_error(io, conn, error);
                    return end;
                }
                Odd::TooLong => {
                    self.close_over_query(io, conn, &input.bytes()[prepared.start..]);
                    return end;
                }
            }
        }
        let args = batch.args(prepared, input.bytes());
        let known = (prepared.id != UNKNOWN).then_some(prepared.id as usize);
        if known.is_none() && limits::is_from_browser(args) {
            self.close_browser(io, conn);
            return end;
        }
        if self.watchful && self.postpone(io, conn, args, known) {
            return Some(prepared.start);
        }
        if self.has_published() && self.mail_goes_first(conn, args, known) {
            self.deliver_messages(io);
        }
        let slot = self.slots[conn.index()].as_deref_mut()?;
        let Some(session) = slot.session.as_deref_mut() else {
            return end;
        };
        if slot.out.tail().capacity() == 0 {
            *slot.out.tail() = io.buffer();
        }
        slot.last = known.map_or(slot.last, |id| Some(id as u16));
        // A client that asked for no replies gets this one only if it is that of CLIENT REPLY ON.
        let muted = session.replies != Replies::On;
        let mut unwanted = None;
        self.host.input_len = input.bytes().len() - prepared.end;
        let arrived_us = input.arrived_us(prepared.end);
        self.host.arrived_us = arrived_us;
        let out_before = slot.out.len();
        self.host.counters().recent.begin(known);
        let executed = self.engine.execute(Call {
            args,
            id: known,
            first_hash: (prepared.key != 0).then_some((prepared.key as usize, prepared.hash)),
            session,
            out: if muted {
                unwanted.insert(Rope::new())
            } else {
                &mut slot.out
            },
            host: &mut self.host,
            worker: &mut self.state,
            waiter: &slot.waiter,
            now_ms: self.now_ms,
        });
        note_positions(&mut self.state.local, session, &mut slot.awaits);
        match executed {
            Executed::Done { id } => {
                // It owns nothing, which the compiler does not see: a call less.
                std::mem::forget(executed);
                if muted || session.replies != Replies::On {
                    settle_replies(session, unwanted, &mut slot.out);
                }
                let turn = self.state.local.turn.take();
                let closing = session.close_after_reply;
                slot.last = id.map_or(slot.last, |id| Some(id as u16));
                let out_len = slot.out.len();
                let small = out_len - out_before <= SMALL_BYTES && prepared.is_small();
                let brief = id.is_some_and(|id| self.engine.table.is_brief(id));
                let next = batch.window.get(index + 1);
                let last = !brief
                    || !small
                    || next.is_none_or(|next| {
                        let input = &inputs[next.input as usize];
                        next.id != prepared.id || input.arrived_us(next.end) != arrived_us
                    });
                let before = slot.unsafe_replies.as_ref();
                let awaits = before.map_or(slot.awaits, |before| slot.awaits.max(before.awaits()));
                let ran = id.map(|id| RanNow {
                    id,
                    args,
                    session,
                    awaits,
                });
                if timing.after(&mut self.host, ran, last).is_some() && timing.is_stale() {
                    self.read_wall_clock();
                }
                if !brief {
                    // It may have been CLIENT PAUSE or MONITOR.
                    self.look_around();
                }
                if let Some(turn) = turn
                    && self.serve_others(io, conn, turn)
                {
                    return end;
                }
                // So long that further commands of the connection have to wait.
                let mut full = out_len > OUTPUT_TURN_BYTES;
                if closing {
                    self.close_after_reply(io, conn);
                } else if full {
                    self.go_on_later(io, conn);
                } else if self.has_published() {
                    full = self.ease_congestion(io, conn);
                }
                end.filter(|_| closing || full)
            }
            other => {
                let ran_us = timing.after(&mut self.host, None, true).unwrap_or(0);
                slot.suspended = Stopwatch {
                    arrived_us: self.host.arrived_us,
                    ran_us,
                };
                slot.muted = muted;
                self.suspend(io, conn, other, args);
                end
            }
        }
    }
}

/// A command is done of a session that asked for no replies, before it (then there is an unwanted one) or by it.
#[cold]
pub(super) fn settle_replies(session: &mut Session, unwanted: Option<Rope>, out: &mut Rope) {
    // Confirmations of subscriptions are sent all the same.
    if let Some(mut pushes) = session.pushes.take() {
        out.append(&mut pushes);
    }
    match session.replies {
        Replies::On => {
            if let Some(mut wanted) = unwanted {
                out.append(&mut wanted);
            }
        }
        Replies::SkipNext => session.replies = Replies::Skip,
        Replies::Skip => session.replies = Replies::On,
        Replies::Off => {}
    }
}
