//! A file with the boxes of an MP4 and nothing to play: enough to be recognised, stored and sought in.

/// Sizes are spread over this range by the look.
const SMALLEST: usize = 64 << 10;
const SPREAD: usize = 192 << 10;

/// A video of 64 to 256 KiB that follows from `look`.
pub(super) fn video(look: &[u8; 32]) -> Vec<u8> {
    let size =
        SMALLEST + usize::from(u16::from_le_bytes([look[0], look[1]])) * SPREAD / (usize::from(u16::MAX) + 1);
    let mut file = Vec::with_capacity(size);
    file.extend(atom(b"ftyp", b"isom\0\0\x02\0isomiso2mp41"));
    file.extend(atom(b"moov", &atom(b"mvhd", &movie_header())));
    let media: Vec<u8> =
        look.iter().cycle().zip(0_u8..=250).map(|(look, at)| look.wrapping_add(at)).collect();
    let rest = size - file.len() - 8;
    let media: Vec<u8> = media.into_iter().cycle().take(rest).collect();
    file.extend(atom(b"mdat", &media));
    file
}

/// Version 0: six seconds at a time scale of 1000, normal rate and volume, no tracks.
fn movie_header() -> Vec<u8> {
    let mut header = vec![0; 100];
    header[12..16].copy_from_slice(&1000_u32.to_be_bytes());
    header[16..20].copy_from_slice(&6000_u32.to_be_bytes());
    header[20..24].copy_from_slice(&0x0001_0000_u32.to_be_bytes());
    header[24..26].copy_from_slice(&0x0100_u16.to_be_bytes());
    for (at, value) in [(36, 0x0001_0000_u32), (52, 0x0001_0000), (68, 0x4000_0000), (96, 1)] {
        header[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    header
}

fn atom(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = (content.len() + 8) as u32;
    [&size.to_be_bytes(), name.as_slice(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_is_of_the_right_size_and_made_of_whole_boxes() {
        for look in [[0; 32], [0xFF; 32]] {
            let file = video(&look);
            assert!((SMALLEST..=SMALLEST + SPREAD).contains(&file.len()), "{}", file.len());
            let (mut at, mut names) = (0, Vec::new());
            while at < file.len() {
                names.push(file[at + 4..at + 8].to_vec());
                at += u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
            }
            assert_eq!((at, names), (file.len(), vec![b"ftyp".to_vec(), b"moov".to_vec(), b"mdat".to_vec()]));
        }
    }
}
