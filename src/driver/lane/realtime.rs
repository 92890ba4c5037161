use std::hint::black_box;
use std::io;

use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::signal::SigSet;

use crate::driver::{plain, syscalls};

/// Above ordinary programs, below the kernel's own threads that the network needs.
const PRIORITY: i32 = 50;
/// Of the thread's stack. Far more than is used.
pub const STACK: usize = 512 << 10;

/// Makes the calling thread one that runs at once when its time has come. Or says why not, and what to do.
pub fn claim_priority() -> Result<(), String> {
    // Signals are for the other threads.
    let _ = SigSet::all().thread_block();
    // Threads of real time wake without slack in any case, others within 50 µs.
    let _ = prctl::set_timerslack(1);
    touch_stack();
    syscalls::set_realtime(PRIORITY).map_err(|error| match error.raw_os_error() {
        Some(libc::EPERM) => format!(
            "not permitted: set LimitRTPRIO={PRIORITY} in the systemd unit, or give shuntd CAP_SYS_NICE"
        ),
        _ => plain(&error),
    })
}

/// Keeps all memory of the process from being paged out, each page from its first use on. Or says why not, and what to do.
pub fn lock_memory() -> Result<(), String> {
    let advice = "set LimitMEMLOCK=infinity in the systemd unit";
    // With a limit the kernel would refuse us memory later, when the limit is reached.
    if setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY).is_err() {
        let (limit, most) = getrlimit(Resource::RLIMIT_MEMLOCK).unwrap_or((0, 0));
        if most != RLIM_INFINITY {
            return Err(format!("no more than {limit} octets are permitted: {advice}"));
        }
    }
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault).map_err(|error| {
        match error {
            nix::Error::EPERM | nix::Error::ENOMEM => format!("not permitted: {advice}"),
            error => plain(&io::Error::from(error)),
        }
    })
}

/// So that no page of it is missing when it is needed.
#[inline(never)]
fn touch_stack() {
    black_box(&mut [0_u8; STACK / 4]);
}
