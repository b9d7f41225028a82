// SPDX-License-Identifier: GPL-2.0-only

//! Reading files that the Windows overlay filter (WOF) has compressed.
//!
//! The unnamed stream of such a file tells its size and is a hole; the chunks are in a stream of their own,
//! see [`wof`]. Any byte can be read at the cost of its chunk and of the entries that tell where that is. A
//! piece of the table is kept, since readers go on to the next chunk.
//!
//! Lock order: the piece of the table is filled with its mutex held, and nothing else is locked meanwhile but
//! the mapping of the stream.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

use super::{
    array,
    attribute::Attribute,
    catalog::Catalog,
    data,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    store::Store, //
};
use crate::ondisk::{
    attribute::AttributeType,
    bytes::u64_from_usize,
    compression::{
        lzx,
        wof::{
            self,
            Algorithm,
            Chunk,
            ChunkNumber,
            Layout, //
        },
        xpress, //
    },
    units::{
        ByteCount,
        ByteOffset, //
    },
};

/// Bytes of the table that are kept.
const PIECE: usize = 4096;

/// A piece of the table of chunks.
#[derive(Default)]
struct Piece {
    /// Where it begins in the stream.
    offset: u64,
    bytes: KVec<u8>,
}

impl Piece {
    /// The part from `offset` on, if all of it is here.
    fn part(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        self.bytes.get(start..)?.get(..length)
    }
}

/// The content of a file that WOF has compressed.
#[pin_data]
pub struct Overlay {
    layout: Layout,
    stream: Arc<Attribute>,
    #[pin]
    table: Mutex<Piece>,
}

impl Overlay {
    /// Opens the content of a file of `size` bytes, whose reparse point has this data.
    pub(super) fn open<D: Device>(
        store: &Store<D>,
        catalog: &Catalog,
        data: &[u8],
        size: ByteCount,
    ) -> Result<Arc<Self>> {
        let place = Place::Attribute(catalog.owner.number, AttributeType::REPARSE_POINT);
        let algorithm = match wof::Backing::parse(data).at(place)? {
            wof::Backing::File(algorithm) => algorithm,
            wof::Backing::Wim => return Err(Error::Unsupported("data in a WIM file elsewhere")),
        };
        let name: KVec<u16> = array::collected(wof::STREAM.encode_utf16(), wof::STREAM.len())?;
        let stream = Attribute::open(store, catalog, AttributeType::DATA, &name)?;
        let missing = Error::rule(place, "WOF file without its compressed stream", 0, 1);
        let stream = stream.ok_or(missing)?;
        let layout = Layout::new(algorithm, size, stream.data_size()).at(stream.place())?;
        let overlay = Arc::pin_init(
            pin_init!(Self {
                layout,
                stream,
                table <- new_mutex!(Piece::default(), "ntfs_rs::wof_table"),
            }),
            GFP_KERNEL,
        );
        overlay.map_err(|_| Error::NoMemory)
    }

    /// The bytes of a chunk, a power of two: it is cheapest to read whole ones.
    pub fn chunk_size(&self) -> usize {
        self.layout.algorithm().chunk_size()
    }

    /// The bytes that it takes on the volume, outside of its MFT records.
    pub(super) fn allocated(&self) -> ByteCount {
        self.stream.allocated()
    }

    /// Reads from `offset` on; says how many bytes, less than `buf` has only at the end of the file. May sleep.
    pub fn read<D: Device>(
        &self,
        store: &Store<D>,
        offset: ByteOffset,
        buf: &mut [u8],
    ) -> Result<usize> {
        let mut reader = Reader {
            store,
            overlay: self,
            decoder: None,
            input: KVVec::new(),
            output: KVVec::new(),
        };
        let mut done: usize = 0;
        // Each turn reads at least a byte, up to the end of a chunk.
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.checked_add(ByteCount::new(u64_from_usize(done)));
            let Some(at) = at.filter(|at| self.layout.chunk_of(*at).is_some()) else {
                break;
            };
            match reader.read_chunk(at, rest)? {
                // The stream is shorter than it was.
                0 => return Err(Error::NotFound),
                read => done = done.saturating_add(read),
            }
        }
        Ok(done)
    }

    /// Where a chunk is.
    fn chunk<D: Device>(&self, store: &Store<D>, number: ChunkNumber) -> Result<Chunk> {
        let place = self.stream.place();
        let part = self.layout.entries_of(number).ok_or(Error::NotFound)?;
        let offset = part.offset.get();
        let mut piece = self.table.lock();
        if piece.part(offset, part.length).is_none() {
            let mut bytes = KVec::<u8>::zeroed(PIECE, GFP_KERNEL)?;
            let read = data::read_at(store, &self.stream, part.offset, &mut bytes)?;
            bytes.truncate(read);
            *piece = Piece { offset, bytes };
        }
        let entries = piece.part(offset, part.length).unwrap_or(&[]);
        self.layout.chunk(number, entries).at(place)
    }
}

/// The memory of a decoder, of which there is one.
enum Decoder {
    Xpress(KVec<xpress::Work>),
    Lzx(KVec<lzx::Work>),
}

impl Decoder {
    fn new(algorithm: Algorithm) -> Result<Self> {
        Ok(match algorithm {
            Algorithm::Xpress4K | Algorithm::Xpress8K | Algorithm::Xpress16K => {
                Self::Xpress(KVec::zeroed(1, GFP_KERNEL)?)
            }
            Algorithm::Lzx32K => Self::Lzx(KVec::zeroed(1, GFP_KERNEL)?),
        })
    }

    fn decode(&mut self, input: &[u8], out: &mut [u8], place: Place) -> Result {
        match self {
            Self::Xpress(work) => {
                let work = work.first_mut().ok_or(Error::NoMemory)?;
                xpress::decompress(input, out, work).at(place)
            }
            Self::Lzx(work) => {
                let work = work.first_mut().ok_or(Error::NoMemory)?;
                lzx::decompress(input, out, work).at(place)
            }
        }
    }
}

/// What a call reads with.
struct Reader<'a, D: Device> {
    store: &'a Store<D>,
    overlay: &'a Overlay,
    decoder: Option<Decoder>,
    input: KVVec<u8>,
    output: KVVec<u8>,
}

impl<D: Device> Reader<'_, D> {
    /// Reads from `at`, which is in the file, up to the end of its chunk; says how many bytes.
    fn read_chunk(&mut self, at: ByteOffset, buf: &mut [u8]) -> Result<usize> {
        let overlay = self.overlay;
        let place = overlay.stream.place();
        let number = overlay.layout.chunk_of(at).ok_or(Error::NotFound)?;
        let chunk = overlay.chunk(self.store, number)?;
        let size = overlay.chunk_size();
        let skip = usize::try_from(at.get()).unwrap_or(0) & size.saturating_sub(1);
        let length = chunk.size.saturating_sub(skip).min(buf.len());
        let buf = buf.get_mut(..length).unwrap_or(&mut []);
        if chunk.is_plain() {
            let from = chunk
                .stored
                .offset
                .get()
                .saturating_add(u64_from_usize(skip));
            return data::read_at(self.store, &overlay.stream, ByteOffset::new(from), buf);
        }
        if self.input.len() < chunk.stored.length {
            self.input = KVVec::zeroed(size, GFP_KERNEL)?;
        }
        let input = self.input.get_mut(..chunk.stored.length).unwrap_or(&mut []);
        let read = data::read_at(self.store, &overlay.stream, chunk.stored.offset, input)?;
        let input = input.get(..read).unwrap_or(&[]);
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(Decoder::new(overlay.layout.algorithm())?),
        };
        if length == chunk.size {
            decoder.decode(input, buf, place)?;
            return Ok(length);
        }
        if self.output.is_empty() {
            self.output = KVVec::zeroed(size, GFP_KERNEL)?;
        }
        let output = self.output.get_mut(..chunk.size).unwrap_or(&mut []);
        decoder.decode(input, output, place)?;
        let from = output.get(skip..).unwrap_or(&[]);
        for (to, from) in buf.iter_mut().zip(from) {
            *to = *from;
        }
        Ok(length)
    }
}
