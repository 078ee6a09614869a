//! Whether this machine's processor can run a guest for us: found out by running one.
//!
//! That `/dev/kvm` opens, that a machine can be made, even that code of the first processor mode runs, says little: there
//! are hosts (themselves guests) where all that works and a stock kernel still dies at its first vector instruction. So
//! the guest here is in long mode with paging, and executes an SSE instruction.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::sys::check;

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kvm {
    /// It ran. `group` may use the device, where not everybody may.
    Works { group: u32 },
    /// It did not, and why.
    Fails(String),
}

/// How long four instructions may take. A host that emulates them is of no use to a kernel.
const PATIENCE: Duration = Duration::from_secs(2);

// linux/kvm.h
const GET_API_VERSION: libc::c_ulong = 0xAE00;
const CREATE_VM: libc::c_ulong = 0xAE01;
const GET_VCPU_MMAP_SIZE: libc::c_ulong = 0xAE04;
const GET_SUPPORTED_CPUID: libc::c_ulong = 0xC008_AE05;
const CREATE_VCPU: libc::c_ulong = 0xAE41;
const SET_USER_MEMORY_REGION: libc::c_ulong = 0x4020_AE46;
const RUN: libc::c_ulong = 0xAE80;
const SET_REGS: libc::c_ulong = 0x4090_AE82;
const GET_SREGS: libc::c_ulong = 0x8138_AE83;
const SET_SREGS: libc::c_ulong = 0x4138_AE84;
const SET_CPUID2: libc::c_ulong = 0x4008_AE90;
const EXIT_IO: u32 = 2;
const EXIT_HLT: u32 = 5;
const EXIT_INTERNAL_ERROR: u32 = 17;
/// Of `kvm_run`: the reason of an exit, and what is told beside it.
const REASON: usize = 8;
const DETAIL: usize = 32;

#[repr(C)]
struct MemoryRegion {
    slot: u32,
    flags: u32,
    guest: u64,
    size: u64,
    host: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Segment {
    base: u64,
    limit: u32,
    selector: u16,
    /// type, present, dpl, db, s, l, g, avl, unusable, padding
    bits: [u8; 10],
}

#[repr(C)]
struct Sregs {
    segments: [Segment; 8],
    tables: [u64; 4],
    cr0: u64,
    cr2: u64,
    cr3: u64,
    cr4: u64,
    cr8: u64,
    efer: u64,
    apic_base: u64,
    interrupts: [u64; 4],
}

/// Runs the guest, in a thread of its own: a host that hangs must not hang us.
pub(crate) fn probe(device: &Path) -> Kvm {
    let group = match std::fs::metadata(device) {
        Ok(metadata) => metadata.gid(),
        Err(error) => return Kvm::Fails(format!("{}: {error}", device.display())),
    };
    let file = match OpenOptions::new().read(true).write(true).open(device) {
        Ok(file) => file,
        Err(error) => return Kvm::Fails(format!("{}: {error}", device.display())),
    };
    let (told, result) = channel();
    let run = move || told.send(run_guest(&file));
    if let Err(error) = std::thread::Builder::new().name("kvm-probe".to_owned()).spawn(run) {
        return Kvm::Fails(error.to_string());
    }
    match result.recv_timeout(PATIENCE) {
        Ok(Ok(())) => Kvm::Works { group },
        Ok(Err(why)) => Kvm::Fails(why),
        Err(_) => Kvm::Fails(format!(
            "four instructions took longer than {} seconds: they are emulated, not executed",
            PATIENCE.as_secs()
        )),
    }
}

impl Kvm {
    /// The group that a user without the right to the device needs.
    pub(crate) fn group(&self) -> Option<u32> {
        match self {
            Kvm::Works { group } => Some(*group),
            Kvm::Fails(_) => None,
        }
    }
}

/// Memory shared with the kernel, let go when dropped.
struct Map {
    at: *mut u8,
    length: usize,
}

impl Map {
    fn new(length: usize, file: Option<&OwnedFd>) -> Result<Self, String> {
        let (flags, fd) = match file {
            Some(file) => (libc::MAP_SHARED, file.as_raw_fd()),
            None => (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1),
        };
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory in use.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, fd, 0) };
        if at == libc::MAP_FAILED {
            return Err(format!("memory of the guest: {}", std::io::Error::last_os_error()));
        }
        Ok(Map { at: at.cast(), length })
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        if at.checked_add(bytes.len()).is_some_and(|end| end <= self.length) {
            // SAFETY: within the mapping, as just checked; the guest does not run yet.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at.add(at), bytes.len()) };
        }
    }

    fn word(&self, at: usize) -> u32 {
        if at + 4 > self.length {
            return 0;
        }
        // SAFETY: within the mapping, as just checked; the kernel writes it only while it runs the guest.
        unsafe { self.at.add(at).cast::<u32>().read_unaligned() }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.at.cast(), self.length) };
    }
}

fn call(fd: &impl AsRawFd, request: libc::c_ulong, argument: u64, what: &str) -> Result<i64, String> {
    // SAFETY: the argument is a number, or the address of a structure of the kernel's own layout for this request, which
    // the caller keeps alive through the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) })
        .map_err(|errno| format!("{what}: {}", std::io::Error::from_raw_os_error(errno)))
}

fn owned(fd: i64) -> OwnedFd {
    // SAFETY: the kernel just returned this new descriptor to us alone.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Memory of the guest: page tables that map the first 2 MiB to themselves, and the code.
const SIZE: usize = 0x10000;
const TABLES: [(usize, u64); 3] = [(0x1000, 0x2000 | 3), (0x2000, 0x3000 | 3), (0x3000, 0x83)];
const CODE: usize = 0x4000;
/// `pxor xmm0,xmm0; out 0x10,al; hlt`
const PROGRAM: [u8; 7] = [0x66, 0x0f, 0xef, 0xc0, 0xe6, 0x10, 0xf4];

fn run_guest(kvm: &File) -> Result<(), String> {
    let version = call(kvm, GET_API_VERSION, 0, "version of KVM")?;
    if version != 12 {
        return Err(format!("KVM has the version {version}, not 12"));
    }
    let machine = owned(call(kvm, CREATE_VM, 0, "a new machine")?);
    let memory = Map::new(SIZE, None)?;
    for (at, entry) in TABLES {
        memory.write(at, &entry.to_le_bytes());
    }
    memory.write(CODE, &PROGRAM);
    let region = MemoryRegion { slot: 0, flags: 0, guest: 0, size: SIZE as u64, host: memory.at as u64 };
    call(&machine, SET_USER_MEMORY_REGION, &raw const region as u64, "memory of the guest")?;
    let cpu = owned(call(&machine, CREATE_VCPU, 0, "a new processor")?);

    // Whatever this processor has: a number of entries, then entries of 40 bytes.
    let mut features = vec![0u64; 1 + 256 * 5];
    if let Some(count) = features.first_mut() {
        *count = 256;
    }
    call(kvm, GET_SUPPORTED_CPUID, features.as_mut_ptr() as u64, "features of the processor")?;
    call(&cpu, SET_CPUID2, features.as_ptr() as u64, "features of the processor")?;
    enter_long_mode(&cpu)?;

    let shared = call(kvm, GET_VCPU_MMAP_SIZE, 0, "state of the processor")?;
    let state = Map::new(usize::try_from(shared).unwrap_or(0), Some(&cpu))?;
    for (expected, step) in [(EXIT_IO, "output"), (EXIT_HLT, "halt")] {
        call(&cpu, RUN, 0, "run")?;
        let reason = state.word(REASON);
        if reason == EXIT_INTERNAL_ERROR {
            return Err(format!(
                "KVM_EXIT_INTERNAL_ERROR (suberror {}) at a vector instruction in long mode: this host's KVM runs only \
                 guests made for it",
                state.word(DETAIL)
            ));
        }
        if reason != expected {
            return Err(format!("the guest came out with exit reason {reason} instead of its {step}"));
        }
    }
    Ok(())
}

/// 64-bit code with paging and vector instructions switched on (Intel SDM volume 3, 9.8.5 and 13.1).
fn enter_long_mode(cpu: &OwnedFd) -> Result<(), String> {
    // SAFETY: all zero is a valid value of this plain structure.
    let mut sregs: Sregs = unsafe { std::mem::zeroed() };
    call(cpu, GET_SREGS, &raw mut sregs as u64, "registers")?;
    sregs.cr3 = 0x1000;
    sregs.cr4 = 1 << 5 | 1 << 9 | 1 << 10; // PAE, OSFXSR, OSXMMEXCPT
    sregs.cr0 = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1; // PG, WP, NE, ET, MP, PE
    sregs.efer = 1 << 10 | 1 << 8; // LMA, LME
    let code = Segment { base: 0, limit: u32::MAX, selector: 8, bits: [11, 1, 0, 0, 1, 1, 1, 0, 0, 0] };
    let data = Segment { selector: 16, bits: [3, 1, 0, 1, 1, 0, 1, 0, 0, 0], ..code };
    // cs, ds, es, fs, gs, ss; the task register and the local table stay as they are.
    sregs.segments[0] = code;
    sregs.segments[1..6].fill(data);
    call(cpu, SET_SREGS, &raw const sregs as u64, "long mode")?;
    // rax to r15, rip, rflags (bit 1 is always set).
    let mut regs = [0u64; 18];
    regs[16] = CODE as u64;
    regs[17] = 2;
    call(cpu, SET_REGS, regs.as_ptr() as u64, "registers").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layouts_are_the_kernels() {
        // As the sizes in the request numbers say.
        assert_eq!((size_of::<MemoryRegion>(), size_of::<Sregs>(), size_of::<[u64; 18]>()), (0x20, 0x138, 0x90));
    }

    #[test]
    fn a_device_that_is_none_fails_with_its_reason() {
        let Kvm::Fails(why) = probe(Path::new("/dev/null")) else { panic!("/dev/null runs no guests") };
        assert!(why.contains("KVM"), "{why}");
        let Kvm::Fails(why) = probe(Path::new("/no/device")) else { panic!("nothing runs no guests") };
        assert!(why.contains("/no/device"), "{why}");
    }

    #[test]
    fn the_probe_of_this_machine_ends_one_way_or_the_other() {
        // On real hardware it works; on a host that is a guest itself it may fail, and then says at what.
        if let Kvm::Fails(why) = probe(Path::new("/dev/kvm")) {
            assert!(!why.is_empty());
        }
    }
}
