//! The one zip of a bundle (APPNOTE 6.3.10), and its reader, which takes no other.
//!
//! Sorted names below one folder, the time of 1980-01-01, mode 0644, deflate at one level, zip64 where sizes need it; no comments,
//! no further fields. The reader goes from the first byte to the last, as the writer went: every header must be the one that the
//! writer would write there, and each file, once inflated, must deflate to the bytes it came from. So nothing in a zip is free to
//! change or to hide, its directory is never believed, and memory is bounded; a library that reads any zip does none of that.
//!
//! The deflated bytes are those of the zlib-rs in `Cargo.lock`: a test holds them, because another compressor would make other zips.

use super::contents::Contents;
use super::digest::{Digesting, Fixity};
use super::{CHUNK_BYTES, FILES_MAX, names};
use crate::error::{Error, Result};
use flate2::{Compression, Crc};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
/// Bytes of a local header without name and further field.
const LOCAL_BYTES: usize = 30;
/// Bytes of a local header's zip64 field.
const LOCAL64_BYTES: usize = 20;
const DEFLATED: u16 = 8;
const LEVEL: u32 = 6;
/// 1980-01-01 as MS-DOS has it: the earliest date of a zip.
const DATE: u16 = 1 << 5 | 1;
/// A regular file, rw-r--r--, in the upper half as Unix writers have it.
const ATTRIBUTES: u32 = 0o100_644 << 16;
/// From this size on, a file has the longer fields: below 2^32, because what does not shrink grows a little.
const ZIP64_SIZE: u64 = 0xf000_0000;
/// An offset that no longer fits the shorter field.
const ZIP64_OFFSET: u64 = 0xffff_ffff;

/// One file of a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    /// With the folder.
    name: String,
    crc: u32,
    stored_size: u64,
    size: u64,
    /// Where its header stands.
    offset: u64,
    /// From which size and which offset on fields are longer; only tests have others.
    zip64: (u64, u64),
}

/// Appends numbers in the byte order of a zip.
trait Fields {
    fn u16(&mut self, value: u16) -> &mut Self;
    fn u32(&mut self, value: u32) -> &mut Self;
    fn u64(&mut self, value: u64) -> &mut Self;
}

impl Fields for Vec<u8> {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.extend_from_slice(&value.to_le_bytes());
        self
    }
}

impl Member {
    fn is_large(&self) -> bool {
        self.size >= self.zip64.0
    }

    fn is_far(&self) -> bool {
        self.offset >= self.zip64.1
    }

    /// What both headers say alike: version needed, flags, method, time, CRC, sizes, lengths.
    fn common(&self, header: &mut Vec<u8>, further: usize) {
        let short = |value: u64| if self.is_large() { u32::MAX } else { value as u32 };
        header.u16(if further > 0 { 45 } else { 20 }).u16(0).u16(DEFLATED).u16(0).u16(DATE);
        header.u32(self.crc).u32(short(self.stored_size)).u32(short(self.size)).u16(self.name.len() as u16).u16(further as u16);
    }

    fn local(&self) -> Vec<u8> {
        let mut header = Vec::with_capacity(LOCAL_BYTES + self.name.len() + LOCAL64_BYTES);
        header.u32(LOCAL);
        self.common(&mut header, if self.is_large() { LOCAL64_BYTES } else { 0 });
        header.extend_from_slice(self.name.as_bytes());
        if self.is_large() {
            header.u16(1).u16(16).u64(self.size).u64(self.stored_size);
        }
        header
    }

    fn central(&self) -> Vec<u8> {
        let mut further = Vec::new();
        if self.is_large() || self.is_far() {
            let length = 16 * u16::from(self.is_large()) + 8 * u16::from(self.is_far());
            further.u16(1).u16(length);
            if self.is_large() {
                further.u64(self.size).u64(self.stored_size);
            }
            if self.is_far() {
                further.u64(self.offset);
            }
        }
        let mut header = Vec::new();
        header.u32(CENTRAL).u16(3 << 8 | 45);
        self.common(&mut header, further.len());
        header.u16(0).u16(0).u16(0).u32(ATTRIBUTES).u32(if self.is_far() { u32::MAX } else { self.offset as u32 });
        header.extend_from_slice(self.name.as_bytes());
        header.extend_from_slice(&further);
        header
    }
}

/// Returns what stands after the last file: the directory and its end.
fn directory(members: &[Member], start: u64, zip64_offset: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = members.iter().flat_map(Member::central).collect();
    let size = bytes.len() as u64;
    let count = members.len() as u64;
    // The number of files always fits: FILES_MAX.
    let is_far = start + size >= zip64_offset;
    if is_far {
        bytes.u32(END64).u64(44).u16(3 << 8 | 45).u16(45).u32(0).u32(0).u64(count).u64(count).u64(size).u64(start);
        bytes.u32(LOCATOR64).u32(0).u64(start + size).u32(1);
    }
    let short = |value: u64| if is_far { u32::MAX } else { value as u32 };
    bytes.u32(END).u16(0).u16(0).u16(count as u16).u16(count as u16).u32(short(size)).u32(short(start)).u16(0);
    bytes
}

const _: () = assert!(FILES_MAX < 0xffff, "the number of files fits the shorter field");

/// Deflates into a writer, counting the bytes that go in, with their CRC.
struct Deflating<W: Write> {
    encoder: flate2::write::DeflateEncoder<W>,
    /// Waits to be a whole piece: what a compressor makes of the same bytes may depend on how they are cut.
    piece: Vec<u8>,
    crc: Crc,
    size: u64,
}

impl<W: Write> Deflating<W> {
    fn new(into: W) -> Self {
        let encoder = flate2::write::DeflateEncoder::new(into, Compression::new(LEVEL));
        Deflating { encoder, piece: Vec::with_capacity(CHUNK_BYTES), crc: Crc::new(), size: 0 }
    }

    fn finish(mut self) -> std::io::Result<W> {
        self.encoder.write_all(&self.piece)?;
        self.encoder.finish()
    }
}

impl<W: Write> Write for Deflating<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = &bytes[..bytes.len().min(CHUNK_BYTES - self.piece.len())];
        self.piece.extend_from_slice(taken);
        if self.piece.len() == CHUNK_BYTES {
            self.encoder.write_all(&self.piece)?;
            self.piece.clear();
        }
        self.crc.update(taken);
        self.size += taken.len() as u64;
        Ok(taken.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        // Flushing an encoder would end a block.
        Ok(())
    }
}

/// Writes the zip of a sealed bundle; its folder within the zip has the name of the directory. Returns what identifies the zip.
///
/// # Errors
/// If the directory's name or a file's is not a safe one, the zip exists, or cannot be written whole; then there is none.
pub fn write(bundle: &Path, zip: &Path) -> Result<Fixity> {
    let place = zip.display().to_string();
    let fault = |error: std::io::Error| Error::failed("cannot write the zip").at(place.clone()).caused_by(error);
    let folder = bundle.canonicalize().map_err(fault)?.file_name().and_then(|name| name.to_str().map(str::to_owned));
    let folder = folder.filter(|name| names::fault(name).is_none()).ok_or_else(|| {
        Error::failed("the bundle's folder has no name for a zip").at(bundle.display().to_string()).with_hint("letters, digits and . _ - =")
    })?;
    let contents = Contents::read(bundle)?;
    if let Some(first) = contents.faults.first.first() {
        return Err(Error::failed(format!("the bundle holds what a zip of it must not: {first}")).at(bundle.display().to_string()));
    }
    let beside = zip.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable as a file that was made by its own name, and gone if this fails.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let mut file = tempfile::Builder::new().prefix(".zip-").permissions(mode).tempfile_in(beside).map_err(fault)?;
    let files = contents.files().iter().map(|(name, fixity)| (name.as_str(), *fixity));
    let open = |name: &str| File::open(bundle.join(name));
    write_members(&folder, files, open, file.as_file_mut(), (ZIP64_SIZE, ZIP64_OFFSET)).map_err(fault)?;
    file.as_file().sync_all().map_err(fault)?;
    let mut digesting = Digesting::new(std::io::sink());
    file.rewind().and_then(|()| std::io::copy(file.as_file_mut(), &mut digesting)).map_err(fault)?;
    file.persist_noclobber(zip).map_err(|error| fault(error.error))?;
    Ok(digesting.end().1)
}

fn write_members<'a, R: Read>(
    folder: &str,
    files: impl Iterator<Item = (&'a str, Fixity)>,
    open: impl Fn(&str) -> std::io::Result<R>,
    mut into: impl Write + Seek,
    zip64: (u64, u64),
) -> std::io::Result<()> {
    let mut members = Vec::new();
    let mut offset = 0;
    for (name, fixity) in files {
        let mut member = Member { name: format!("{folder}/{name}"), crc: 0, stored_size: 0, size: fixity.size, offset, zip64 };
        let header_bytes = member.local().len() as u64;
        into.write_all(&member.local())?;
        let mut deflating = Deflating::new(Digesting::new(BufWriter::with_capacity(CHUNK_BYTES, &mut into)));
        let mut original = Digesting::new(&mut deflating);
        std::io::copy(&mut open(name)?, &mut original)?;
        if original.end().1 != fixity {
            return Err(std::io::Error::other(format!("{name} changed while it was read")));
        }
        member.crc = deflating.crc.sum();
        let (stored, fixity) = deflating.finish()?.end();
        stored.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        member.stored_size = fixity.size;
        into.seek(SeekFrom::Start(offset))?;
        into.write_all(&member.local())?;
        offset += header_bytes + member.stored_size;
        into.seek(SeekFrom::Start(offset))?;
        members.push(member);
    }
    into.write_all(&directory(&members, offset, zip64.1))
}

/// Why reading a zip ends early.
enum End {
    /// It is not as the writer writes it.
    Fault(String),
    /// The disk failed.
    Io(std::io::Error),
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> End {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => End::Fault("it is cut off".to_owned()),
            // What zlib makes of bytes that do not inflate.
            std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => End::Fault("its data do not inflate".to_owned()),
            _ => End::Io(error),
        }
    }
}

/// Reads a zip into `contents`; returns why it is not the one that its files make, if so.
///
/// # Errors
/// If it cannot be opened or read.
pub(super) fn read(path: &Path, contents: &mut Contents, is_kept: &dyn Fn(&str) -> bool) -> std::io::Result<Option<String>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("neither a directory nor a regular file"));
    }
    read_members(BufReader::with_capacity(CHUNK_BYTES, file), contents, is_kept, (ZIP64_SIZE, ZIP64_OFFSET))
}

fn read_members(
    mut from: impl BufRead,
    contents: &mut Contents,
    is_kept: &dyn Fn(&str) -> bool,
    zip64: (u64, u64),
) -> std::io::Result<Option<String>> {
    let mut members: Vec<Member> = Vec::new();
    let mut offset = 0;
    let end = loop {
        match read_member(&mut from, &members, offset, contents, is_kept, zip64) {
            Ok(Some(member)) => {
                offset += member.local().len() as u64 + member.stored_size;
                members.push(member);
            }
            Ok(None) => break check_directory(&mut from, &directory(&members, offset, zip64.1)),
            Err(end) => break Err(end),
        }
    };
    match end {
        Ok(()) => Ok(None),
        Err(End::Fault(fault)) => Ok(Some(match members.last() {
            Some(member) => format!("after {}, from byte {offset}: {fault}", member.name),
            None => format!("at its start: {fault}"),
        })),
        Err(End::Io(error)) => Err(error),
    }
}

/// Reads the next file; `None` where the directory begins, after its signature.
fn read_member(
    from: &mut impl BufRead,
    before: &[Member],
    offset: u64,
    contents: &mut Contents,
    is_kept: &dyn Fn(&str) -> bool,
    zip64: (u64, u64),
) -> Result<Option<Member>, End> {
    let fault = |what: &str| Err(End::Fault(what.to_owned()));
    let mut header = [0; LOCAL_BYTES];
    let (signature, fields) = header.split_at_mut(4);
    from.read_exact(signature)?;
    if !before.is_empty() && signature == CENTRAL.to_le_bytes() {
        return Ok(None);
    }
    if signature != LOCAL.to_le_bytes() {
        return fault("not a zip as flowproof writes it: no header of a file");
    }
    from.read_exact(fields)?;
    let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let u32_at = |at: usize| u64::from(u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    let (crc, stored_size, size) = (u32_at(14) as u32, u32_at(18), u32_at(22));
    let (name_bytes, further_bytes) = (u16_at(26) as usize, u16_at(28) as usize);
    if name_bytes > 2 * names::NAME_BYTES_MAX + 1 || !matches!(further_bytes, 0 | LOCAL64_BYTES) {
        return fault("not a header as flowproof writes it");
    }
    let mut rest = vec![0; name_bytes + further_bytes];
    from.read_exact(&mut rest)?;
    let (name, further) = rest.split_at(name_bytes);
    let Some(name) = std::str::from_utf8(name).ok().filter(|name| name.is_ascii()) else {
        return fault("a name that is not ASCII");
    };
    let long = |at: usize| further.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    let (size, stored_size) = (long(4).unwrap_or(size), long(12).unwrap_or(stored_size));
    let member = Member { name: name.to_owned(), crc, stored_size, size, offset, zip64 };
    if member.local() != [&header[..], &rest].concat() {
        return fault("not a header as flowproof writes it");
    }
    // One folder at the top, and in it names in order: neither twice nor hidden behind another.
    let Some((folder, inside)) = name.split_once('/').filter(|(folder, _)| names::fault(folder).is_none()) else {
        return fault(&format!("{name:?} is not in a folder with a safe name"));
    };
    if let Some(last) = before.last() {
        let (last_folder, last_inside) = last.name.split_once('/').unwrap_or_default();
        if folder != last_folder {
            return fault(&format!("{name:?} is not in the folder {last_folder:?}"));
        }
        if inside <= last_inside {
            return fault(&format!("{name:?} is named twice or out of order"));
        }
    }
    if !contents.admit(inside, size) {
        return fault(&format!("{name:?} is not allowed in a bundle"));
    }
    let mut stored = Tally { inner: from.take(stored_size), digesting: Digesting::new(std::io::sink()) };
    let mut again = Deflating::new(Digesting::new(std::io::sink()));
    let faults_before = contents.faults.count();
    let inflated = flate2::bufread::DeflateDecoder::new(&mut stored);
    contents.take(inside, size, inflated, is_kept(inside), &mut again)?;
    let (crc, inflated_size) = (again.crc.sum(), again.size);
    let (_, was) = stored.digesting.end();
    let (_, would_be) = again.finish()?.end();
    if contents.faults.count() != faults_before || inflated_size != size || crc != member.crc {
        return fault(&format!("{name:?} does not inflate to what its header says"));
    }
    if was != would_be || was.size != stored_size {
        return fault(&format!("{name:?} is deflated in another way than flowproof does"));
    }
    Ok(Some(member))
}

fn check_directory(from: &mut impl BufRead, expected: &[u8]) -> Result<(), End> {
    let mut rest = CENTRAL.to_le_bytes().to_vec();
    from.take(expected.len() as u64 - 3).read_to_end(&mut rest)?;
    match rest.iter().zip(expected).position(|(was, would_be)| was != would_be) {
        None if rest.len() == expected.len() => Ok(()),
        None if rest.len() < expected.len() => Err(End::Fault("its directory is cut off".to_owned())),
        None => Err(End::Fault("something follows its end".to_owned())),
        Some(at) => Err(End::Fault(format!("its directory is not that of its files, at its byte {at}"))),
    }
}

/// Digests the bytes that are consumed from a buffered reader.
struct Tally<R> {
    inner: R,
    digesting: Digesting<std::io::Sink>,
}

impl<R: BufRead> Read for Tally<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(into)?;
        self.digesting.write_all(&into[..count])?;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Tally<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        // The bytes are in the buffer still; reading them there cannot fail, and writing to a sink neither.
        if let Ok(ahead) = self.inner.fill_buf() {
            let _ = self.digesting.write_all(&ahead[..count.min(ahead.len())]);
        }
        self.inner.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::digest::Digest;
    use std::io::Cursor;

    const PROD: (u64, u64) = (ZIP64_SIZE, ZIP64_OFFSET);

    fn zip_of(folder: &str, files: &[(&str, &[u8])], zip64: (u64, u64)) -> Vec<u8> {
        let mut zip = Cursor::new(Vec::new());
        let open = |name: &str| Ok(files.iter().find(|(known, _)| *known == name).unwrap().1);
        let listed = files.iter().map(|(name, bytes)| (*name, Fixity::of(bytes)));
        write_members(folder, listed, open, &mut zip, zip64).unwrap();
        zip.into_inner()
    }

    fn read_back(zip: &[u8], zip64: (u64, u64)) -> (Contents, Option<String>) {
        let mut contents = Contents::default();
        let fault = read_members(zip, &mut contents, &|_| true, zip64).unwrap();
        (contents, fault)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let long = b"10.20.30.40,443\r\n".repeat(20_000);
        let files: [(&str, &[u8]); 4] = [("a", b""), ("b/c", b"one"), ("b/d", &long), ("e", b"two")];
        // Longer fields for all, for large files, for those that stand far behind, for none.
        for zip64 in [(0, 0), (1_000, u64::MAX), (u64::MAX, 100), (2, 60), PROD] {
            let zip = zip_of("bundle", &files, zip64);
            let (contents, fault) = read_back(&zip, zip64);
            assert_eq!(fault, None, "{zip64:?}");
            assert!(contents.faults.is_empty());
            for (name, bytes) in files {
                assert_eq!(contents.bytes(name), Some(bytes), "{name}");
                assert_eq!(contents.files()[name], Fixity::of(bytes));
            }
            // Another reader agrees, also on the longer fields.
            let mut other = zip::ZipArchive::new(Cursor::new(&zip)).unwrap();
            for (name, bytes) in files {
                let mut read = Vec::new();
                other.by_name(&format!("bundle/{name}")).unwrap().read_to_end(&mut read).unwrap();
                assert_eq!(read, bytes, "{name} {zip64:?}");
            }
        }
    }

    #[test]
    fn the_compressor_is_part_of_the_format() {
        // A change here means that zips made before no longer equal their re-creation: keep the compressor, or the old one beside it.
        let rows: String = (0..3_000).map(|row| format!("10.20.{}.{},{},6,approved\r\n", row / 250, row % 250, row * 7 % 1_000)).collect();
        let zip = zip_of("bundle", &[("data/destinations.csv", rows.as_bytes())], PROD);
        let digest = "8d45a68523089fedbe402b86a8b7c6bb99863b82d3eed362c6b703bd91409a9d";
        assert_eq!((zip.len(), Digest::of(&zip).to_string().as_str()), (11_518, digest));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let check = |folder: &str, names: &[&str], why: &str| {
            let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b"x"[..])).collect();
            let (contents, fault) = read_back(&zip_of(folder, &files, PROD), PROD);
            let told = format!("{} {:?}", fault.expect("a fault"), contents.faults.first);
            assert!(told.contains(why), "{names:?}: {told}");
        };
        check("b", &["../x"], "leads elsewhere");
        check("b", &["data/../../x"], "leads elsewhere");
        check("b", &["/etc/passwd"], "an absolute path");
        check("b", &["data\\x"], "other than letters");
        check("b", &["C:x"], "other than letters");
        check("b", &["a\u{e9}"], "not ASCII");
        check("b", &["a\0b"], "other than letters");
        check("b", &[&"x".repeat(200)], "200 bytes or more");
        check("b", &[""], "no name");
        check("..", &["x"], "not in a folder with a safe name");
        check("", &["x"], "not in a folder with a safe name");
        check("b", &["x", "x"], "named twice or out of order");
        check("b", &["x", "a"], "named twice or out of order");
        check("b", &["X", "x"], "in case only");
        check("b", &["data/", "data/x"], "an empty part");
    }

    #[test]
    fn sizes_that_are_lies_are_refused() {
        let bomb = vec![0; 4 << 20];
        let zip = zip_of("b", &[("x", &bomb)], PROD);
        assert!(zip.len() < 10_000);
        let told = |zip: &[u8]| read_back(zip, PROD).1.expect("a fault");
        // The size in its header: less than what inflates. No more than that is inflated.
        let mut small = zip.clone();
        small[22..26].copy_from_slice(&10_u32.to_le_bytes());
        let (contents, fault) = read_back(&small, PROD);
        assert!(fault.unwrap().contains("does not inflate to what its header says"));
        assert_eq!(contents.files()["x"].size, 11);
        // More, and beyond the limit, which is seen before anything is inflated.
        let mut large = zip.clone();
        large[22..26].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(told(&large).contains("not a header"), "a size of this kind stands in the longer field");
        let far = Member { name: "b/x".into(), crc: 0, stored_size: 1, size: super::super::FILE_BYTES_MAX + 1, offset: 0, zip64: PROD };
        assert!(told(&far.local()).contains("not allowed in a bundle"));
        // The stored size: more than the stream has, or less.
        let stored = u32::from_le_bytes(zip[18..22].try_into().unwrap());
        for wrong in [stored - 1, stored + 1, u32::MAX] {
            let mut other = zip.clone();
            other[18..22].copy_from_slice(&wrong.to_le_bytes());
            told(&other);
        }
        // The same file deflated otherwise: stored blocks inflate to the same bytes.
        let member = |stored: &[u8]| {
            let mut crc = Crc::new();
            crc.update(b"x");
            let member = Member { name: "b/x".into(), crc: crc.sum(), stored_size: stored.len() as u64, size: 1, offset: 0, zip64: PROD };
            let local = [&member.local(), stored].concat();
            let start = local.len() as u64;
            [local, directory(&[member], start, PROD.1)].concat()
        };
        assert_eq!(read_back(&zip_of("b", &[("x", b"x")], PROD), PROD).1, None);
        assert!(told(&member(&[1, 1, 0, 0xfe, 0xff, b'x'])).contains("deflated in another way"));
        // Something hidden behind the end of the stream.
        let mut hidden = Vec::new();
        std::io::copy(&mut flate2::read::DeflateEncoder::new(&b"x"[..], Compression::new(LEVEL)), &mut hidden).unwrap();
        assert_eq!(read_back(&member(&hidden), PROD).1, None);
        hidden.extend_from_slice(b"hidden");
        assert!(told(&member(&hidden)).contains("deflated in another way"));
    }

    #[test]
    fn the_number_of_files_has_a_limit() {
        let names: Vec<String> = (0..=FILES_MAX).map(|at| format!("{at:05}")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        let all = files.clone();
        let mut zip = Cursor::new(Vec::new());
        write_members("b", all.iter().map(|(name, bytes)| (*name, Fixity::of(bytes))), |_| Ok(&b""[..]), &mut zip, PROD).unwrap();
        let (contents, fault) = read_back(&zip.into_inner(), PROD);
        assert!(fault.unwrap().contains("not allowed"));
        assert_eq!(contents.faults.first, [format!("{FILES_MAX:05}: more than {FILES_MAX} files")]);
    }
}
