//! Screenshots: from a dump of an X display to a PNG, and whether it shows anything.
//!
//! Xvfb keeps its screen in a file of the format XWD, version 7 (`X11/XWDFile.h`), which `import xwd:-` writes, too.

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

/// The largest side of a screen, in pixels.
const MAX_SIDE: usize = 8192;

/// A screen is blank if at most one pixel of so many has another colour.
const BLANK: usize = 2000;

/// A screenshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    width: u32,
    height: u32,
    /// Red, green and blue of each pixel, row by row.
    pixels: Vec<u8>,
}

impl Screen {
    /// The screen in a dump. `None` if the dump has another format, or is cut.
    pub(crate) fn from_xwd(dump: &[u8]) -> Option<Self> {
        let header = Header::read(dump)?;
        let mut pixels = Vec::with_capacity(header.width * header.height * 3);
        let rows = dump.get(header.start..)?.chunks_exact(header.row);
        for row in rows.take(header.height) {
            for pixel in row.chunks_exact(4).take(header.width) {
                match (header.big_endian, pixel) {
                    (true, [_, red, green, blue]) | (false, [blue, green, red, _]) => {
                        pixels.extend_from_slice(&[*red, *green, *blue]);
                    }
                    _ => return None,
                }
            }
        }
        let (width, height) = (u32::try_from(header.width).ok()?, u32::try_from(header.height).ok()?);
        (pixels.len() == header.width * header.height * 3).then_some(Self { width, height, pixels })
    }

    /// The screen as a PNG.
    pub(crate) fn to_png(&self) -> Result<Vec<u8>, EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }

    /// Whether nearly all of it has one colour.
    pub(crate) fn is_blank(&self) -> bool {
        let pixels = self.pixels.as_chunks::<3>().0;
        // The most frequent colour of a screen that is nearly in one colour is that of most samples.
        let samples = pixels.iter().step_by(pixels.len() / 100 + 1);
        samples
            .take(3)
            .any(|colour| pixels.iter().filter(|pixel| *pixel != colour).count() <= pixels.len() / BLANK)
    }
}

/// The fields of an XWD header that matter. All are 32-bit numbers, the highest byte first.
struct Header {
    width: usize,
    height: usize,
    big_endian: bool,
    /// The length of a row, in bytes.
    row: usize,
    /// Where the rows start.
    start: usize,
}

impl Header {
    fn read(dump: &[u8]) -> Option<Self> {
        let field = |index: usize| {
            let bytes = dump.get(index * 4..index * 4 + 4)?;
            usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
        };
        let (size, version, colours) = (field(0)?, field(1)?, field(19)?);
        let (width, height, row, bits) = (field(4)?, field(5)?, field(12)?, field(11)?);
        let fits = (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height) && row >= width * 4;
        let is_known = version == 7 && bits == 32 && fits && colours <= 1 << 16 && size <= 1 << 16;
        let masks = (field(14)?, field(15)?, field(16)?);
        (is_known && masks == (0x00ff_0000, 0xff00, 0xff)).then_some(Self {
            width,
            height,
            big_endian: field(7)? == 1,
            row,
            start: size + colours * 12,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Screen;

    /// A dump of two rows of two pixels.
    fn dump(pixels: [[u8; 4]; 4]) -> Vec<u8> {
        let mut fields = [0_u32; 25];
        fields[0] = 100;
        fields[1] = 7;
        fields[4] = 2;
        fields[5] = 2;
        fields[11] = 32;
        fields[12] = 8;
        fields[14] = 0x00ff_0000;
        fields[15] = 0xff00;
        fields[16] = 0xff;
        let header = fields.iter().flat_map(|field| field.to_be_bytes());
        header.chain(pixels.into_iter().flatten()).collect()
    }

    #[test]
    fn a_dump_becomes_red_green_and_blue() {
        let screen =
            Screen::from_xwd(&dump([[1, 2, 3, 0], [4, 5, 6, 0], [7, 8, 9, 0], [0, 0, 0, 0]])).unwrap();
        assert_eq!(screen.pixels, [3, 2, 1, 6, 5, 4, 9, 8, 7, 0, 0, 0]);
        assert!(!screen.is_blank());
        assert!(screen.to_png().unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn a_screen_in_one_colour_is_blank() {
        assert!(Screen::from_xwd(&dump([[5, 5, 5, 0]; 4])).unwrap().is_blank());
    }

    #[test]
    fn a_cut_or_foreign_dump_is_no_screen() {
        let whole = dump([[1; 4]; 4]);
        for length in [0, 4, 99, 100, whole.len() - 1] {
            assert_eq!(Screen::from_xwd(&whole[..length]), None);
        }
        assert_eq!(Screen::from_xwd(&[0xff; 4096]), None);
    }
}
