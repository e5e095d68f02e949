//! Making a bundle: a BagIt 1.0 bag (RFC 8493), sealed by two signed statements.
//!
//! It grows under a hidden name beside its own and takes that only when everything is written and on the disk: what was
//! interrupted never looks sealed. Layout and order of sealing are told in `docs/evidence.md`.

use super::digest::{Digest, Digesting, Fixity};
use super::keys::Signer;
use super::statement::{BAG_PREDICATE, RESULTS_PREDICATE, Statement};
use super::{BUNDLE_BYTES_MAX, FILE_BYTES_MAX, FILES_MAX, names, time_stamp};
use crate::error::{Error, Result};
use crate::time::{UnixSeconds, rfc3339};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The folder of the payload.
pub const PAYLOAD: &str = "data/";
/// The one payload file outside the results: who ran what, when, where. It may differ between two runs over the same inputs.
pub const RUN: &str = "data/run.json";
/// Statement over the results.
pub const RESULTS_ENVELOPE: &str = "results.intoto.json";
/// Statement over every other file but the next three.
pub const BAG_ENVELOPE: &str = "bag.intoto.json";
/// The public key, for convenience: trust in it comes from elsewhere.
pub const KEY_COPY: &str = "signer.pub.pem";
/// Request for a time stamp over [`BAG_ENVELOPE`].
pub const TIME_STAMP_REQUEST: &str = "bag.intoto.json.tsq";
/// The reply to it, added by its holder.
pub const TIME_STAMP_REPLY: &str = "bag.intoto.json.tsr";
/// Digests of the payload.
pub const MANIFEST: &str = "manifest-sha256.txt";
/// Digests of the tag files.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// What the bag says of itself.
pub const BAG_INFO: &str = "bag-info.txt";
/// How to verify it by hand.
pub const README: &str = "README.txt";
/// The declaration.
pub const DECLARATION: &str = "bagit.txt";
/// Its one content (RFC 8493 §2.1.1).
pub const DECLARATION_TEXT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// Tag files that [`TAG_MANIFEST`] lists, by name.
pub const LISTED_TAG_FILES: [&str; 4] = [README, BAG_INFO, DECLARATION, MANIFEST];
/// Files that no statement can cover, since they came after the last one. Each is checked in another way, but for the reply.
pub const UNSIGNED: [&str; 4] = [BAG_ENVELOPE, KEY_COPY, TIME_STAMP_REQUEST, TIME_STAMP_REPLY];
/// The key of the results' predicate that chains bundles: digest of the previous period's [`BAG_ENVELOPE`], or null.
pub const PREVIOUS: &str = "previous";

const README_TEMPLATE: &str = include_str!("readme.txt");
/// Where the template takes the text on re-performing the figures.
const REPERFORM_MARK: &str = "{reperform}\n";
const NO_REPERFORM: &str = "This bundle has no SQL to re-perform its figures.\n";

/// A bundle in the making. Dropped before it is sealed, it leaves nothing.
#[derive(Debug)]
pub struct Bag {
    /// Where it will be.
    dir: PathBuf,
    /// Where it grows.
    work: tempfile::TempDir,
    files: BTreeMap<String, Fixity>,
    in_lower_case: BTreeSet<String>,
    /// Started and not finished.
    unfinished: BTreeSet<String>,
}

/// How a bag is sealed.
#[derive(Debug)]
pub struct Seal<'a> {
    /// Who signs.
    pub signer: &'a Signer,
    /// What is stated of the results: a JSON object of what depends on inputs and parameters alone (run digest, period, scope, verdicts,
    /// digests of policy and inputs), so that a second run signs the same. [`PREVIOUS`] is added to it.
    pub results: Map<String, Value>,
    /// What is stated of this very bag: a JSON object that may name the run.
    pub bag: Map<String, Value>,
    /// Digest of the bag envelope of the previous period's bundle ([`Sealed::envelope`]), if there is one.
    pub previous: Option<Digest>,
    /// Further lines of `bag-info.txt`, such as `External-Identifier` and `Source-Organization`: label and value, both ASCII.
    pub info: Vec<(String, String)>,
    /// When it is sealed: `Bagging-Date`. None is written without it.
    pub sealed_at: Option<UnixSeconds>,
    /// Text of `README.txt` on how to re-perform the figures; commands are indented by four spaces.
    pub reperform: Option<String>,
    /// Whether a request for a time stamp is written.
    pub time_stamp_request: bool,
}

impl<'a> Seal<'a> {
    /// Returns the seal of a signer with nothing stated.
    pub fn new(signer: &'a Signer) -> Seal<'a> {
        Seal {
            signer,
            results: Map::new(),
            bag: Map::new(),
            previous: None,
            info: Vec::new(),
            sealed_at: None,
            reperform: None,
            time_stamp_request: false,
        }
    }
}

/// A sealed bundle.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Its directory.
    pub dir: PathBuf,
    /// Digest of the statement over the results: the same for every run over the same inputs.
    pub results: Digest,
    /// Digest of the statement over the whole bag: what the next period's bundle names as its previous one.
    pub envelope: Digest,
    /// Payload files, with `data/`.
    pub files: BTreeMap<String, Fixity>,
}

impl Bag {
    /// Starts a bag that will be at `dir`, which must not exist or be an empty directory.
    ///
    /// # Errors
    /// If there is something already, or nothing can be written beside it.
    pub fn create(dir: &Path) -> Result<Bag> {
        let fault = |error: std::io::Error| Error::failed("cannot make the bundle").at(dir.display().to_string()).caused_by(error);
        let is_free = match std::fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(fault(error)),
        };
        if !is_free {
            let error = Error::failed("the folder is not empty").at(dir.display().to_string());
            return Err(error.with_hint("a bundle is never changed or overwritten: name a new folder"));
        }
        let name = dir.file_name().and_then(|name| name.to_str()).filter(|name| names::fault(name).is_none()).ok_or_else(|| {
            let error = Error::failed("the bundle's folder needs a plain name").at(dir.display().to_string());
            error.with_hint("letters, digits and . _ - =, so that it can be zipped")
        })?;
        let beside = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(beside).map_err(fault)?;
        // 0777 is cut by the umask, as for any folder; the default of a temporary one would be its owner's alone for ever.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        let work = tempfile::Builder::new().prefix(&format!(".{name}.unsealed-")).permissions(mode).tempdir_in(beside).map_err(fault)?;
        std::fs::create_dir(work.path().join("data")).map_err(fault)?;
        Ok(Bag { dir: dir.to_owned(), work, files: BTreeMap::new(), in_lower_case: BTreeSet::new(), unfinished: BTreeSet::new() })
    }

    /// Adds a payload file with these bytes; `path` is relative to `data/`.
    ///
    /// # Errors
    /// As [`Bag::create_file`].
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<Fixity> {
        let mut file = self.create_file(path)?;
        file.write_all(bytes).map_err(|error| file.fault(error))?;
        file.finish()
    }

    /// Starts a payload file to write into; `path` is relative to `data/`. It must end with [`BagFile::finish`].
    ///
    /// # Errors
    /// If the path is not a safe one or taken, the bag is full, or the file cannot be made.
    pub fn create_file(&mut self, path: &str) -> Result<BagFile<'_>> {
        let name = format!("{PAYLOAD}{path}");
        let fault = |what: String| Error::failed(what).at(name.clone());
        if let Some(what) = names::fault(&name) {
            return Err(fault(format!("not a name for a file of a bundle: {what}")));
        }
        if self.files.len() + UNSIGNED.len() + LISTED_TAG_FILES.len() + 2 >= FILES_MAX {
            return Err(fault(format!("a bundle has at most {FILES_MAX} files")));
        }
        if !self.in_lower_case.insert(name.to_ascii_lowercase()) {
            return Err(fault("the bundle has a file of that name, or one that differs in case only".to_owned()));
        }
        let file = self.make(&name)?;
        self.unfinished.insert(name.clone());
        Ok(BagFile { name, file: Digesting::new(BufWriter::new(file)), bag: self })
    }

    /// Returns the payload files so far, with `data/`.
    pub fn files(&self) -> &BTreeMap<String, Fixity> {
        &self.files
    }

    /// Writes manifests and statements, and gives the bag its name.
    ///
    /// # Errors
    /// If the bag has no results or a file that was not finished, the signer fails, a predicate has no canonical form, or a file cannot be written. Then nothing is left.
    pub fn seal(self, seal: &Seal<'_>) -> Result<Sealed> {
        let results: BTreeMap<String, Digest> = digests(self.files.iter().filter(|(name, _)| *name != RUN));
        if let Some(name) = self.unfinished.first() {
            return Err(Error::failed("this file was not written to its end").at(name.clone()));
        }
        if results.is_empty() {
            return Err(Error::failed("the bundle has no results").at(self.dir.display().to_string()));
        }
        if seal.results.contains_key(PREVIOUS) {
            return Err(Error::failed("the results' predicate names the previous bundle itself").with_hint("that is Seal::previous"));
        }
        let mut tags = BTreeMap::from([
            (README, readme(seal.reperform.as_deref()).into_bytes()),
            (BAG_INFO, bag_info(&self.files, seal)?.into_bytes()),
            (DECLARATION, DECLARATION_TEXT.as_bytes().to_vec()),
            (MANIFEST, manifest(&digests(self.files.iter())).into_bytes()),
        ]);
        let listed = tags.iter().map(|(name, bytes)| ((*name).to_owned(), Digest::of(bytes))).collect();
        tags.insert(TAG_MANIFEST, manifest(&listed).into_bytes());

        let mut predicate = seal.results.clone();
        predicate.insert(PREVIOUS.to_owned(), seal.previous.map_or(Value::Null, |digest| digest.to_string().into()));
        let results = Statement::new(&results, RESULTS_PREDICATE, predicate.into()).sign(seal.signer)?;
        let results_digest = Digest::of(&results);
        tags.insert(RESULTS_ENVELOPE, results);

        let mut all = digests(self.files.iter());
        all.extend(tags.iter().map(|(name, bytes)| ((*name).to_owned(), Digest::of(bytes))));
        let envelope = Statement::new(&all, BAG_PREDICATE, seal.bag.clone().into()).sign(seal.signer)?;
        let envelope_digest = Digest::of(&envelope);
        if seal.time_stamp_request {
            tags.insert(TIME_STAMP_REQUEST, time_stamp::request(envelope_digest));
        }
        tags.insert(BAG_ENVELOPE, envelope);
        tags.insert(KEY_COPY, seal.signer.public().to_pem()?.into_bytes());

        for (name, bytes) in &tags {
            let fault = |error: std::io::Error| Error::failed("cannot write").at((*name).to_owned()).caused_by(error);
            let mut file = self.make(name)?;
            file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault)?;
        }
        self.take_its_name()?;
        Ok(Sealed { dir: self.dir, results: results_digest, envelope: envelope_digest, files: self.files })
    }

    fn make(&self, name: &str) -> Result<File> {
        let path = self.work.path().join(name);
        let fault = |error: std::io::Error| Error::failed("cannot write").at(name.to_owned()).caused_by(error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(fault)?;
        }
        File::create_new(&path).map_err(fault)
    }

    /// Renames the finished bag, once every folder of it is on the disk.
    fn take_its_name(&self) -> Result<()> {
        let fault = |error: std::io::Error| Error::failed("cannot finish the bundle").at(self.dir.display().to_string()).caused_by(error);
        for entry in walkdir::WalkDir::new(self.work.path()).contents_first(true) {
            let entry = entry.map_err(|error| fault(error.into()))?;
            if entry.file_type().is_dir() {
                File::open(entry.path()).and_then(|folder| folder.sync_all()).map_err(fault)?;
            }
        }
        // An empty directory of that name is replaced; anything that came there meanwhile is not.
        std::fs::rename(self.work.path(), &self.dir).map_err(fault)?;
        let beside = self.dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(beside).and_then(|folder| folder.sync_all()).map_err(fault)
    }
}

/// A payload file that is being written.
#[derive(Debug)]
pub struct BagFile<'a> {
    name: String,
    file: Digesting<BufWriter<File>>,
    bag: &'a mut Bag,
}

impl BagFile<'_> {
    /// Ends the file; it is on the disk and part of the bag.
    ///
    /// # Errors
    /// If it could not be written whole, or is beyond a bundle's limits.
    pub fn finish(self) -> Result<Fixity> {
        let name = self.name;
        let fault = |error: std::io::Error| Error::failed("cannot write").at(name.clone()).caused_by(error);
        let (writer, fixity) = self.file.end();
        writer.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| file.sync_all()).map_err(fault)?;
        let all = self.bag.files.values().map(|file| file.size).sum::<u64>() + fixity.size;
        if fixity.size > FILE_BYTES_MAX || all > BUNDLE_BYTES_MAX {
            let limits = format!("{FILE_BYTES_MAX} bytes of a file and {BUNDLE_BYTES_MAX} of a bundle are the limit");
            return Err(Error::failed(limits).at(name).with_hint("seal a shorter period or fewer clusters at a time"));
        }
        self.bag.unfinished.remove(&name);
        self.bag.files.insert(name, fixity);
        Ok(fixity)
    }

    fn fault(&self, error: std::io::Error) -> Error {
        Error::failed("cannot write").at(self.name.clone()).caused_by(error)
    }
}

impl Write for BagFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn digests<'a>(files: impl Iterator<Item = (&'a String, &'a Fixity)>) -> BTreeMap<String, Digest> {
    files.map(|(name, fixity)| (name.clone(), fixity.digest)).collect()
}

/// Returns the text of a manifest, as `sha256sum --check` reads it.
pub fn manifest(files: &BTreeMap<String, Digest>) -> String {
    files.iter().fold(String::new(), |text, (name, digest)| text + &format!("{digest}  {name}\n"))
}

/// Returns the sum of a payload: bytes and files, as `Payload-Oxum` has it.
pub fn oxum<'a>(files: impl Iterator<Item = &'a Fixity>) -> String {
    let (bytes, count) = files.fold((0_u64, 0), |(bytes, count), file| (bytes.saturating_add(file.size), count + 1));
    format!("{bytes}.{count}")
}

fn bag_info(files: &BTreeMap<String, Fixity>, seal: &Seal<'_>) -> Result<String> {
    let mut lines = seal.info.clone();
    lines.push(("Bag-Software-Agent".to_owned(), format!("flowproof {}", env!("CARGO_PKG_VERSION"))));
    lines.push(("Payload-Oxum".to_owned(), oxum(files.values())));
    lines.extend(seal.sealed_at.map(|at| ("Bagging-Date".to_owned(), rfc3339(at).chars().take("2026-10-03".len()).collect())));
    lines.sort();
    let mut text = String::new();
    for (label, value) in lines {
        let is_label = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_label || !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(Error::failed(format!("{label:?}: {value:?} is no line for {BAG_INFO}")).with_hint("printable ASCII only"));
        }
        text += &format!("{label}: {value}\n");
    }
    Ok(text)
}

fn readme(reperform: Option<&str>) -> String {
    README_TEMPLATE.replace(REPERFORM_MARK, reperform.unwrap_or(NO_REPERFORM))
}
