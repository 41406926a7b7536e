//! A last word before the process dies of a signal: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT. See sigaction(2).
//!
//! The handler collects what the kernel tells, lets one reporter write, and then lets the signal do what it does by default.
//!
//! Invariant: the process ends by the signal that struck it, at the latest [`REPORT_S_MAX`] seconds later, whatever the
//! reporter does: a fault inside it ends it at once, a wait that does not end is ended by the alarm. Nothing before the
//! reporter allocates or locks.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_int, c_void, siginfo_t};

/// How long a report may take.
pub const REPORT_S_MAX: u32 = 5;
/// The stack on which handlers run, per thread: enough to resolve a backtrace. Taken from the system only when it is used.
const STACK_BYTES: usize = 1 << 20;
/// Words shown from the top of the stack that was in use.
const STACK_WORDS: usize = 16;
const REGISTERS_MAX: usize = 40;
const SIGNALS: [c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
];

/// What struck the process.
#[derive(Debug)]
pub struct Fault {
    /// Number of the signal.
    pub signal: i32,
    /// Why it was sent, as sigaction(2) has it.
    pub code: i32,
    /// The address that could not be accessed; for signals that a process sent, meaningless.
    pub address: usize,
    /// Process and user that sent it, if a process did.
    pub sender: Option<(i32, u32)>,
    /// Where the thread was, if this machine's registers are known.
    pub instruction: Option<usize>,
    registers: [(&'static str, u64); REGISTERS_MAX],
    registers_len: usize,
    stack_pointer: usize,
}

impl Fault {
    /// Registers by name; none where this machine's are not known.
    #[must_use]
    pub fn registers(&self) -> &[(&'static str, u64)] {
        &self.registers[..self.registers_len]
    }

    /// Writes the words on top of the stack. A stack pointer that leads nowhere ends the process here.
    pub fn write_stack(&self, out: &mut Output) {
        use fmt::Write as _;
        let first = self.stack_pointer & !(size_of::<usize>() - 1);
        if first == 0 {
            return;
        }
        for word in 0..STACK_WORDS {
            let at = first + word * size_of::<usize>();
            #[allow(unsafe_code)]
            // SAFETY: the interrupted thread's own stack, aligned; it stands still while this handler runs on it. If the
            // pointer was spoilt, reading faults, and the process dies as it was about to.
            let value = unsafe { ptr::read_volatile(at as *const usize) };
            let _ = writeln!(out, "({at:016x}) -> {value:016x}");
        }
    }
}

/// Where a report goes: straight to a descriptor, without buffer or lock.
#[derive(Debug)]
pub struct Output(());

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            #[allow(unsafe_code)]
            // SAFETY: the descriptor is standard error or one that `set_output` was given for good; if it was replaced a
            // moment ago the write fails or goes to its successor, and borrows nothing beyond the call.
            let fd = unsafe { BorrowedFd::borrow_raw(OUTPUT.load(Ordering::Relaxed)) };
            match rustix::io::write(fd, rest) {
                Ok(0) => return Err(fmt::Error),
                Ok(written) => rest = &rest[written..],
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

/// Writes a report. It may allocate, at the risk that the alarm ends it; what matters should be written before.
pub type Reporter = fn(&Fault, &mut Output);

static REPORTER: OnceLock<Reporter> = OnceLock::new();
static OUTPUT: AtomicI32 = AtomicI32::new(libc::STDERR_FILENO);
/// The thread that reports, once one does.
static REPORTING: AtomicI32 = AtomicI32::new(0);
/// Its signal, for the alarm.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Sends reports there from now on instead of to standard error.
pub fn set_output(output: OwnedFd) {
    let before = OUTPUT.swap(output.into_raw_fd(), Ordering::Relaxed);
    if before > libc::STDERR_FILENO {
        #[allow(unsafe_code)]
        // SAFETY: an earlier call gave it up to this static, which no longer has it.
        unsafe {
            libc::close(before);
        }
    }
}

/// Has fatal signals reported from now on, on all threads; the first reporter stays. Threads that should report an overflow
/// of their stack call [`prepare_thread`] as well; this one has by this call.
///
/// # Errors
/// As sigaction(2) has it.
pub fn report_fatal_signals(reporter: Reporter) -> io::Result<()> {
    if REPORTER.set(reporter).is_err() {
        return Ok(());
    }
    prepare_thread();
    for signal in SIGNALS {
        install(signal, struck as *const () as usize)?;
    }
    install(libc::SIGALRM, late as *const () as usize)
}

fn install(signal: c_int, handler: usize) -> io::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: an all-zero sigaction is valid (no flags, empty mask); the handler has the form that SA_SIGINFO asks for and
    // lives as long as the program.
    let result = unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(signal, &action, ptr::null_mut())
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Gives this thread a stack for handlers that is large enough for a report. It is kept until the process ends.
pub fn prepare_thread() {
    thread_local! {
        static PREPARED: Cell<bool> = const { Cell::new(false) };
    }
    if PREPARED.replace(true) {
        return;
    }
    // Never freed: a handler may run on it until the thread's last moment. Mapped, since it is no part of what the server uses: its
    // pages are not there before they are touched.
    #[allow(unsafe_code)]
    // SAFETY: a fresh private mapping touches nothing that exists.
    let stack = unsafe {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let access = ProtFlags::READ | ProtFlags::WRITE;
        mmap_anonymous(ptr::null_mut(), STACK_BYTES, access, MapFlags::PRIVATE)
    };
    let Ok(stack) = stack else {
        return;
    };
    let stack = libc::stack_t {
        ss_sp: stack,
        ss_flags: 0,
        ss_size: STACK_BYTES,
    };
    #[allow(unsafe_code)]
    // SAFETY: the memory lives for ever and belongs to nobody else. On failure the thread keeps the stack that it had.
    unsafe {
        libc::sigaltstack(&stack, ptr::null_mut());
    }
}

/// The handler of fatal signals.
extern "C" fn struck(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    if let Err(first) = REPORTING.compare_exchange(0, thread, Ordering::SeqCst, Ordering::SeqCst) {
        if first == thread {
            // The report itself failed.
            die(signal);
        }
        // Another thread reports and ends the process.
        loop {
            #[allow(unsafe_code)]
            // SAFETY: it only waits for a signal.
            unsafe {
                libc::pause();
            }
        }
    }
    SIGNAL.store(signal, Ordering::SeqCst);
    #[allow(unsafe_code)]
    // SAFETY: it only sets a timer.
    unsafe {
        libc::alarm(REPORT_S_MAX);
    }
    let fault = describe(signal, info, context);
    if let Some(reporter) = REPORTER.get() {
        reporter(&fault, &mut Output(()));
    }
    die(signal);
}

/// The handler of the alarm: the report takes too long.
extern "C" fn late(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    match SIGNAL.load(Ordering::SeqCst) {
        // Somebody else's alarm.
        0 => {}
        signal => die(signal),
    }
}

/// Ends the process by the signal's default action.
fn die(signal: c_int) -> ! {
    #[allow(unsafe_code)]
    // SAFETY: all calls are allowed in handlers, and get valid, initialised arguments.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &action, ptr::null_mut());
        let mut set = MaybeUninit::zeroed().assume_init();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, ptr::null_mut());
        libc::raise(signal);
        // Not reached: the default action of each of these signals ends the process.
        libc::_exit(128 + signal)
    }
}

fn describe(signal: c_int, info: *mut siginfo_t, context: *mut c_void) -> Fault {
    #[allow(unsafe_code)]
    // SAFETY: the kernel passes a valid siginfo_t to a handler with SA_SIGINFO; each union member is read where si_code or
    // the signal says that it is there, and all are plain numbers.
    let (code, address, sender) = unsafe {
        let code = (*info).si_code;
        let sent = code <= 0;
        let sender = sent.then(|| ((*info).si_pid(), (*info).si_uid()));
        (code, (*info).si_addr() as usize, sender)
    };
    let mut fault = Fault {
        signal,
        code,
        address,
        sender,
        instruction: None,
        registers: [("", 0); REGISTERS_MAX],
        registers_len: 0,
        stack_pointer: 0,
    };
    #[allow(unsafe_code)]
    // SAFETY: the kernel passes a valid ucontext_t to a handler with SA_SIGINFO.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    registers(context, &mut fault);
    fault
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn registers(context: &libc::ucontext_t, fault: &mut Fault) {
    const NAMES: [(&str, c_int); 18] = [
        ("RAX", libc::REG_RAX),
        ("RBX", libc::REG_RBX),
        ("RCX", libc::REG_RCX),
        ("RDX", libc::REG_RDX),
        ("RDI", libc::REG_RDI),
        ("RSI", libc::REG_RSI),
        ("RBP", libc::REG_RBP),
        ("RSP", libc::REG_RSP),
        ("R8", libc::REG_R8),
        ("R9", libc::REG_R9),
        ("R10", libc::REG_R10),
        ("R11", libc::REG_R11),
        ("R12", libc::REG_R12),
        ("R13", libc::REG_R13),
        ("R14", libc::REG_R14),
        ("R15", libc::REG_R15),
        ("RIP", libc::REG_RIP),
        ("EFL", libc::REG_EFL),
    ];
    let all = &context.uc_mcontext.gregs;
    for (place, (name, index)) in fault.registers.iter_mut().zip(NAMES) {
        *place = (name, all[index as usize] as u64);
    }
    fault.registers_len = NAMES.len();
    fault.instruction = Some(all[libc::REG_RIP as usize] as usize);
    fault.stack_pointer = all[libc::REG_RSP as usize] as usize;
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
fn registers(context: &libc::ucontext_t, fault: &mut Fault) {
    const NAMES: [&str; 31] = [
        "X0", "X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8", "X9", "X10", "X11", "X12", "X13",
        "X14", "X15", "X16", "X17", "X18", "X19", "X20", "X21", "X22", "X23", "X24", "X25", "X26",
        "X27", "X28", "X29", "X30",
    ];
    let machine = &context.uc_mcontext;
    for (place, (name, value)) in fault
        .registers
        .iter_mut()
        .zip(NAMES.iter().zip(machine.regs))
    {
        *place = (name, value);
    }
    fault.registers[NAMES.len()] = ("SP", machine.sp);
    fault.registers[NAMES.len() + 1] = ("PC", machine.pc);
    fault.registers_len = NAMES.len() + 2;
    fault.instruction = Some(machine.pc as usize);
    fault.stack_pointer = machine.sp as usize;
}

#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_os = "linux"
)))]
fn registers(_: &libc::ucontext_t, _: &mut Fault) {}
