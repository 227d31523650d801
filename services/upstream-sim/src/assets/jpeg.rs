//! A small baseline JPEG encoder: every 8×8 block has one colour, so a block is one DC value and an end mark.

/// Code lengths of the DC table: twelve categories of four bits each.
const DC_LENGTHS: [u8; 16] = [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const DC_CATEGORIES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// The AC table knows nothing but "end of block", as the one-bit code 0.
const AC_LENGTHS: [u8; 16] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const END_OF_BLOCK: u8 = 0;

/// A square picture of `blocks` × `blocks` coloured tiles that follow from `look`.
pub(super) fn picture(look: &[u8; 32], blocks: u8) -> Vec<u8> {
    let mut file = header(u16::from(blocks) * 8);
    let mut bits = Bits::default();
    let mut last = [0; 3];
    for y in 0..blocks {
        for x in 0..blocks {
            let colour = tile(look, i32::from(x), i32::from(y));
            for (value, last) in colour.into_iter().zip(&mut last) {
                bits.dc(value - *last);
                *last = value;
            }
        }
    }
    file.extend(bits.finish());
    file.extend([0xFF, 0xD9]);
    file
}

/// The colour of a tile as Y, Cb, Cr around zero.
fn tile(look: &[u8; 32], x: i32, y: i32) -> [i32; 3] {
    let wave = |seed: usize| {
        let (a, b, c) = (i32::from(look[seed]), i32::from(look[seed + 1]), i32::from(look[seed + 2]));
        (a + (b % 7 + 1) * x * 3 + (c % 5 + 1) * y * 4) % 200 - 100
    };
    [wave(0), wave(3), wave(6)]
}

fn header(side: u16) -> Vec<u8> {
    let [high, low] = side.to_be_bytes();
    let mut file = vec![0xFF, 0xD8];
    segment(&mut file, 0xE0, &[b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"]);
    // With a quantiser of 8 a block's DC coefficient is its colour.
    segment(&mut file, 0xDB, &[&[0], &[8; 64]]);
    segment(&mut file, 0xC0, &[&[8, high, low, high, low, 3], &[1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]]);
    segment(&mut file, 0xC4, &[&[0x00], &DC_LENGTHS, &DC_CATEGORIES]);
    segment(&mut file, 0xC4, &[&[0x10], &AC_LENGTHS, &[END_OF_BLOCK]]);
    segment(&mut file, 0xDA, &[&[3, 1, 0, 2, 0, 3, 0], &[0, 63, 0]]);
    file
}

fn segment(file: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) {
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + 2;
    file.extend([0xFF, marker, (length >> 8) as u8, length as u8]);
    file.extend(parts.concat());
}

/// Writes bits from the highest down, with a zero after every 0xFF.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    /// One block: its difference to the block before, and nothing else.
    fn dc(&mut self, difference: i32) {
        let category = 32 - difference.unsigned_abs().leading_zeros();
        let value = if difference < 0 { difference + (1 << category) - 1 } else { difference };
        self.push(category, 4);
        self.push(value.unsigned_abs(), category);
        self.push(0, 1);
    }

    fn push(&mut self, value: u32, count: u32) {
        self.held = self.held << count | value;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let rest = (8 - self.count % 8) % 8;
        self.push((1 << rest) - 1, rest);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_framed_like_a_jpeg_and_follows_its_look() {
        let picture_a = picture(&[7; 32], 40);
        assert_eq!(&picture_a[..4], &[0xFF, 0xD8, 0xFF, 0xE0]);
        assert_eq!(&picture_a[6..11], b"JFIF\0");
        assert!(picture_a.ends_with(&[0xFF, 0xD9]));
        assert_eq!(picture(&[7; 32], 40), picture_a);
        assert_ne!(picture(&[8; 32], 40), picture_a);
    }

    #[test]
    fn negative_differences_are_written_as_complements() {
        let mut bits = Bits::default();
        bits.dc(-3);
        bits.dc(0);
        // Category 2, bits 00, end; category 0, end; then ones up to the byte.
        assert_eq!(bits.finish(), [0b0010_0000, 0b0000_1111]);
    }
}
