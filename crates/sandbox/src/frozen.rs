//! Moves what this process has in memory into a sealed file of memory, so that copies of it cost little.
//!
//! A fork copies an entry for every page that a process has written, for PID 1 of a cage and again for its command, and each
//! end takes them down. Pages of a file it leaves to be found where they are touched. So what was made ahead is written to
//! a file in memory, which is sealed against every change, and mapped over itself as private memory: who writes to a page
//! gets a copy of it, as before.
//!
//! Only memory is moved whose owner never counts on a page that it gave back to be empty: the heap of the C library, the
//! data of loaded libraries and Python's arenas. Memory that other libraries mapped for themselves stays as it is.

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{MemfdFlags, SealFlags};

/// A stretch of addresses, up to the second.
pub(crate) type Stretch = (usize, usize);

/// Stretches that lie no further apart (in pages) are one: each is a mapping of its own, which a fork copies.
const GAP: usize = 16;
/// Arenas that are remembered; each has 256 KiB or 1 MiB.
const ARENAS: usize = 1024;

/// `PyObjectArenaAllocator` of CPython's `objimpl.h`.
#[repr(C)]
pub(crate) struct ArenaAllocator {
    context: *mut c_void,
    alloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, *mut c_void, usize),
}

/// Where Python's arenas begin, and their sizes; zero where there is none.
static PLACES: [[AtomicUsize; 2]; ARENAS] = [const { [const { AtomicUsize::new(0) }; 2] }; ARENAS];

/// Python's own allocator of arenas (`obmalloc.c`), which remembers where they are.
pub(crate) const ALLOCATOR: ArenaAllocator =
    ArenaAllocator { context: std::ptr::null_mut(), alloc: map_arena, free: unmap_arena };

unsafe extern "C" fn map_arena(_: *mut c_void, size: usize) -> *mut c_void {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at a place of the kernel's choice touches no memory in use.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), size, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return std::ptr::null_mut();
    }
    if let Some([place, length]) = PLACES.iter().find(|[place, _]| place.load(Ordering::Relaxed) == 0) {
        place.store(at as usize, Ordering::Relaxed);
        length.store(size, Ordering::Relaxed);
    }
    at
}

unsafe extern "C" fn unmap_arena(_: *mut c_void, at: *mut c_void, size: usize) {
    if let Some([place, _]) = PLACES.iter().find(|[place, _]| place.load(Ordering::Relaxed) == at as usize) {
        place.store(0, Ordering::Relaxed);
    }
    // SAFETY: Python gives back an arena that it got from `map_arena` and uses no more.
    unsafe { libc::munmap(at, size) };
}

/// Moves the memory of this process, which must have one thread.
///
/// # Errors
/// What the kernel refuses; all that was not moved is as it was.
pub(crate) fn freeze() -> io::Result<()> {
    let maps = Mapping::all()?;
    let mut wanted = loaded_data();
    wanted.extend(maps.iter().filter(|map| map.heap).map(|map| map.place));
    let arenas = PLACES.iter().map(|place| place.each_ref().map(|number| number.load(Ordering::Relaxed)));
    wanted.extend(arenas.filter(|[place, _]| *place != 0).map(|[place, length]| (place, place + length)));

    let pages = Pages::open()?;
    let mut moves = Vec::new();
    for map in maps.iter().filter(|map| map.private) {
        for (from, to) in &wanted {
            let common = (map.place.0.max(*from), map.place.1.min(*to));
            moves.extend(pages.own(common, GAP)?.into_iter().map(|stretch| (stretch, map.protection)));
        }
    }
    let file = rustix::fs::memfd_create(c"frozen", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut offset = 0;
    for (stretch, protection) in &moves {
        move_one(*stretch, *protection, file.as_raw_fd(), offset)?;
        offset += (stretch.1 - stretch.0) as i64;
    }
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(())
}

/// Between the copy and its mapping nothing may write to the stretch, so nothing here allocates.
fn move_one((from, to): Stretch, protection: c_int, file: RawFd, offset: i64) -> io::Result<()> {
    let mut done = 0;
    while done < to - from {
        // SAFETY: reads memory that is mapped and readable, as this process's maps said; the kernel does the reading.
        let written =
            unsafe { libc::pwrite(file, (from + done) as *const c_void, to - from - done, offset + done as i64) };
        if written <= 0 {
            return Err(io::Error::last_os_error());
        }
        done += written as usize;
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
    // SAFETY: what is mapped holds the same bytes as what it takes the place of, with the same protection.
    let at = unsafe { libc::mmap(from as *mut c_void, to - from, protection, flags, file, offset) };
    if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The pages that this process has written since [`freeze`] in what can be written, but for its stack.
pub(crate) fn written() -> io::Result<Vec<Stretch>> {
    let pages = Pages::open()?;
    let mut found = Vec::new();
    for map in Mapping::all()?.iter().filter(|map| map.private && map.protection & libc::PROT_WRITE != 0) {
        found.extend(pages.own(map.place, 0)?);
    }
    Ok(found)
}

/// Has the kernel make copies of pages that will be written to, all at once, which costs less than one by one. One that
/// cannot be had now is had when it is written to.
pub(crate) fn copy_ahead(stretches: &[Stretch]) {
    for (from, to) in stretches {
        // SAFETY: this changes no memory's content, and the kernel refuses what is not mapped for writing.
        unsafe { libc::madvise(*from as *mut c_void, to - from, libc::MADV_POPULATE_WRITE) };
    }
}

/// What copies of this process write to, where it has said so.
static HOT: OnceLock<Vec<Stretch>> = OnceLock::new();

extern "C" fn copy_hot() {
    copy_ahead(HOT.get().map_or(&[], Vec::as_slice));
}

/// Has every later fork of this process by the C library do [`copy_ahead`] with these.
pub(crate) fn copy_ahead_in_forks(stretches: &[Stretch]) {
    if HOT.set(stretches.to_vec()).is_ok() {
        // SAFETY: the function takes no lock, allocates nothing and stays where it is. Where it cannot be kept, forks are
        // slower, no more.
        unsafe { libc::pthread_atfork(None, None, Some(copy_hot)) };
    }
}

/// A line of `/proc/self/maps`.
struct Mapping {
    place: Stretch,
    protection: c_int,
    /// Private, readable, and no stack.
    private: bool,
    heap: bool,
}

impl Mapping {
    fn all() -> io::Result<Vec<Self>> {
        Ok(std::fs::read_to_string("/proc/self/maps")?.lines().filter_map(Self::parse).collect())
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let rights = words.next()?;
        let name = words.nth(3).unwrap_or("");
        let place = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
        let protection = [('r', libc::PROT_READ), ('w', libc::PROT_WRITE), ('x', libc::PROT_EXEC)];
        let protection = protection.iter().filter(|(right, _)| rights.contains(*right)).map(|(_, bit)| bit).sum();
        let special = name.starts_with("[stack") || name.starts_with("[v");
        let private = rights.starts_with('r') && rights.ends_with('p') && !special;
        Some(Mapping { place, protection, private, heap: name == "[heap]" })
    }
}

fn page_size() -> usize {
    // SAFETY: asks for a number, which every Linux knows.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// What the kernel tells of this process's pages.
struct Pages {
    file: File,
    size: usize,
}

impl Pages {
    fn open() -> io::Result<Self> {
        Ok(Pages { file: File::open("/proc/self/pagemap")?, size: page_size() })
    }

    /// The stretches of pages that are this process's own, not those of a file; what lies not further than `gap` pages
    /// apart is one.
    fn own(&self, (from, to): Stretch, gap: usize) -> io::Result<Vec<Stretch>> {
        // Documentation/admin-guide/mm/pagemap.rst
        const PRESENT: u64 = 1 << 63;
        const SWAPPED: u64 = 1 << 62;
        const OF_A_FILE: u64 = 1 << 61;
        let mut found: Vec<Stretch> = Vec::new();
        let count = to.saturating_sub(from) / self.size;
        let mut words = vec![0; count * size_of::<u64>()];
        self.file.read_exact_at(&mut words, (from / self.size * size_of::<u64>()) as u64)?;
        for (place, word) in words.chunks_exact(size_of::<u64>()).enumerate() {
            let word = word.try_into().map_or(0, u64::from_ne_bytes);
            if word & (PRESENT | SWAPPED) == 0 || word & OF_A_FILE != 0 {
                continue;
            }
            let at = from + place * self.size;
            match found.last_mut() {
                Some((_, end)) if at - *end <= gap * self.size => *end = at + self.size,
                _ => found.push((at, at + self.size)),
            }
        }
        Ok(found)
    }
}

/// The writable parts of this program and of the libraries that it has loaded.
fn loaded_data() -> Vec<Stretch> {
    unsafe extern "C" fn note(info: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
        // SAFETY: the C library hands over a valid description, and our own vector.
        let (info, found) = unsafe { (&*info, &mut *found.cast::<Vec<Stretch>>()) };
        let size = page_size();
        for number in 0..usize::from(info.dlpi_phnum) {
            // SAFETY: the table has `dlpi_phnum` entries.
            let header = unsafe { &*info.dlpi_phdr.add(number) };
            if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W != 0 {
                let from = info.dlpi_addr as usize + header.p_vaddr as usize;
                let to = from + header.p_memsz as usize;
                found.push((from / size * size, to.div_ceil(size) * size));
            }
        }
        0
    }
    let mut found: Vec<Stretch> = Vec::new();
    // SAFETY: the function takes what it is given here, and the vector outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut found).cast()) };
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    static MARK: AtomicUsize = AtomicUsize::new(7);

    /// In the copy of a process, which has one thread.
    fn moves() -> Option<bool> {
        MARK.store(8, Ordering::Relaxed);
        let text = String::from("kept");
        let page = &raw const MARK as usize / page_size() * page_size();
        let has = |found: &[Stretch]| found.iter().any(|(from, to)| *from <= page && page < *to);
        let before = has(&written().ok()?);
        freeze().ok()?;
        let moved = std::fs::read_to_string("/proc/self/maps").ok()?.contains("memfd:frozen");
        let same = MARK.load(Ordering::Relaxed) == 8 && text == "kept";
        let behind = has(&written().ok()?);
        copy_ahead(&[(page, page + page_size())]);
        let copied = has(&written().ok()?);
        MARK.store(9, Ordering::Relaxed);
        Some(before && moved && same && !behind && copied && MARK.load(Ordering::Relaxed) == 9)
    }

    #[test]
    fn memory_is_the_same_when_it_was_moved_and_a_page_is_its_own_again_when_it_is_written() {
        // SAFETY: the copy takes no lock of other threads but those that the C library's fork keeps free.
        match unsafe { libc::fork() } {
            0 => crate::init::leave(if moves() == Some(true) { 0 } else { 1 }),
            pid => {
                let mut status = 0;
                // SAFETY: collects our own child.
                assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
                assert_eq!(status, 0);
            }
        }
    }

    #[test]
    fn a_line_of_the_maps_is_understood() {
        let heap = Mapping::parse("55fe000-55ff000 rw-p 00000000 00:00 0                          [heap]").unwrap();
        assert_eq!((heap.place, heap.private, heap.heap), ((0x55fe000, 0x55ff000), true, true));
        assert_eq!(heap.protection, libc::PROT_READ | libc::PROT_WRITE);
        let file = Mapping::parse("7f00-7f10 r--p 00001000 fe:00 10010845    /usr/lib/a b.so").unwrap();
        assert!(file.private && !file.heap && file.protection == libc::PROT_READ);
        for other in
            ["1-2 rw-s 0 00:00 0 /x", "1-2 ---p 0 00:00 0", "1-2 rw-p 0 00:00 0 [stack]", "1-2 r--p 0 00:00 0 [vvar]"]
        {
            assert!(!Mapping::parse(other).unwrap().private, "{other}");
        }
    }
}
