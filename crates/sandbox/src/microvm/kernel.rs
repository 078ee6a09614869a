//! The kernel as Firecracker wants it: an ELF file, taken out of the compressed one that distributions ship
//! (Linux `Documentation/arch/x86/boot.rst`; the LZ4 block format).

/// Of the header: how many sectors come before the part in protected mode; where in that the payload is, and how long.
const SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD: usize = 0x248;
const LENGTH: usize = 0x24c;
/// What begins a payload that `lz4 -l` packed, and bytes that one of its blocks unpacks to at most.
const LEGACY: u32 = 0x184c_2102;
const BLOCK: usize = 8 << 20;
/// Larger than any kernel.
const MOST: usize = 512 << 20;

/// Unpacks the kernel in a boot image.
///
/// # Errors
/// Why it cannot be: another packing than LZ4, or a damaged file.
pub(crate) fn unpack(image: &[u8]) -> Result<Vec<u8>, String> {
    let word = |at: usize| Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?));
    if image.get(MAGIC..MAGIC + 4) != Some(b"HdrS") {
        return Err("it is no boot image".to_owned());
    }
    let sectors = image.get(SECTORS).copied().map(usize::from).filter(|count| *count > 0).unwrap_or(4);
    let place = || -> Option<&[u8]> {
        let from = (sectors + 1) * 512 + word(PAYLOAD)? as usize;
        image.get(from..from.checked_add(word(LENGTH)? as usize)?)
    };
    let payload = place().ok_or("its payload is not where it should be")?;
    let Some((magic, mut rest)) = payload.split_first_chunk::<4>() else { return Err("it is empty".to_owned()) };
    if u32::from_le_bytes(*magic) != LEGACY {
        return Err("it is packed otherwise than with LZ4".to_owned());
    }
    let mut kernel = Vec::new();
    // The last four bytes are the unpacked size, and no block.
    while let Some((size, after)) = rest.split_first_chunk::<4>().filter(|(_, after)| !after.is_empty()) {
        let size = u32::from_le_bytes(*size) as usize;
        let Some((block, after)) = after.split_at_checked(size) else { break };
        let before = kernel.len();
        block_into(block, &mut kernel).ok_or("a block of it is damaged")?;
        if kernel.len() - before > BLOCK || kernel.len() > MOST {
            return Err("a block of it is too large".to_owned());
        }
        rest = after;
    }
    if kernel.starts_with(b"\x7fELF") { Ok(kernel) } else { Err("what is in it is no ELF file".to_owned()) }
}

/// Unpacks one block: sequences of literals and of copies of what came before.
fn block_into(mut block: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let begin = out.len();
    while let Some((token, rest)) = block.split_first() {
        block = rest;
        let literals = length(usize::from(token >> 4), &mut block)?;
        let (bytes, rest) = block.split_at_checked(literals)?;
        out.extend(bytes);
        block = rest;
        if block.is_empty() {
            break;
        }
        let (offset, rest) = block.split_first_chunk::<2>()?;
        block = rest;
        let offset = usize::from(u16::from_le_bytes(*offset));
        let count = length(usize::from(token & 15), &mut block)? + 4;
        if offset == 0 || offset > out.len() - begin || out.len() - begin + count > BLOCK {
            return None;
        }
        // It may overlap what it writes: byte by byte.
        for _ in 0..count {
            out.push(*out.get(out.len() - offset)?);
        }
    }
    Some(())
}

/// A length of four bits, and of as many bytes more as are full.
fn length(first: usize, block: &mut &[u8]) -> Option<usize> {
    let mut sum = first;
    if first == 15 {
        loop {
            let (more, rest) = block.split_first()?;
            *block = rest;
            sum = sum.checked_add(usize::from(*more))?;
            if *more != 255 {
                break;
            }
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A boot image whose payload is these blocks.
    fn image_of(blocks: &[&[u8]]) -> Vec<u8> {
        let mut payload = LEGACY.to_le_bytes().to_vec();
        for block in blocks {
            payload.extend((block.len() as u32).to_le_bytes());
            payload.extend(*block);
        }
        payload.extend(99u32.to_le_bytes());
        let mut image = vec![0; 1024];
        image[SECTORS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[LENGTH..LENGTH + 4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image.extend(payload);
        image
    }

    #[test]
    fn literals_copies_and_overlaps_are_unpacked() {
        // Four literals and a copy of nine, one back; then the last literals.
        let block = [0x45, 0x7f, b'E', b'L', b'F', 1, 0, 0x20, b'x', b'y'];
        assert_eq!(unpack(&image_of(&[&block])).unwrap(), b"\x7fELFFFFFFFFFFxy");
        // A length of more than four bits.
        let long = [&[0xf0, 5][..], b"\x7fELFabcdefghijklmnop"].concat();
        assert_eq!(unpack(&image_of(&[&long])).unwrap(), b"\x7fELFabcdefghijklmnop");
    }

    #[test]
    fn other_packings_and_damage_are_told() {
        let mut other = image_of(&[&[0x40, 0x7f, b'E', b'L', b'F']]);
        other[1024] = 0;
        assert!(unpack(&other).unwrap_err().contains("LZ4"));
        assert!(unpack(b"no kernel").unwrap_err().contains("boot image"));
        assert!(unpack(&image_of(&[&[0x10, 1, 9, 9]])).unwrap_err().contains("damaged"), "a copy of what is not there");
        assert!(unpack(&image_of(&[&[0x40, b'n', b'o', b'n', b'e']])).unwrap_err().contains("ELF"));
    }

    proptest! {
        #[test]
        fn no_payload_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = unpack(&image_of(&[&bytes]));
            let _ = unpack(&bytes);
        }
    }
}
