// SPDX-License-Identifier: GPL-2.0-only

//! Mapping pairs: how a non-resident attribute says where its clusters are.
//!
//! Each pair is one run: a byte with the sizes of two signed little-endian numbers, the length of
//! the run in clusters, and the distance of its first cluster from that of the run before. A run
//! without the second number is a hole. A zero byte ends the list.

use core::iter::Peekable;

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    units::{
        ClusterCount,
        Lcn,
        Vcn, //
    },
};

/// The largest number of bytes that one pair takes.
const MAX_PAIR: usize = 17;

/// Clusters of an attribute that lie side by side on the volume, or a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first cluster within the attribute.
    pub vcn: Vcn,
    /// The first cluster on the volume; `None` for a hole.
    pub lcn: Option<Lcn>,
    /// How many clusters the run has; never 0, and `vcn + length` does not overflow.
    pub length: ClusterCount,
}

/// Decodes mapping pairs of a part of an attribute.
///
/// `lowest_vcn` and `highest_vcn` are those of the part; a part without clusters has no highest
/// one. `volume_clusters` bounds what a run may refer to. The iterator ends after an error.
pub fn decode(
    pairs: &[u8],
    lowest_vcn: Vcn,
    highest_vcn: Option<Vcn>,
    volume_clusters: ClusterCount,
) -> Runs<'_> {
    Runs {
        pairs,
        at: Some(0),
        vcn: lowest_vcn,
        lcn: 0,
        end: match highest_vcn {
            // Some writers leave 0 here in an attribute that has only one part.
            Some(Vcn::ZERO) if lowest_vcn == Vcn::ZERO => None,
            Some(highest) => highest.checked_add(ClusterCount::new(1)),
            None => Some(lowest_vcn),
        },
        volume_clusters,
    }
}

/// Iterator over the runs of a part of an attribute, see [`decode`].
#[derive(Clone, Debug)]
pub struct Runs<'a> {
    pairs: &'a [u8],
    /// Where the next pair begins; `None` at the end.
    at: Option<usize>,
    /// Where the next run begins in the attribute.
    vcn: Vcn,
    /// Where the run before began on the volume.
    lcn: i64,
    /// Where the last run has to end, if that is known.
    end: Option<Vcn>,
    volume_clusters: ClusterCount,
}

impl Runs<'_> {
    /// Decodes the pair at offset `at` (whose first byte is `sizes`) and says where the next one is.
    fn pair(&mut self, at: usize, sizes: u8) -> Result<(Run, usize)> {
        let bad = |what, found: i64, expected| {
            Malformed::new(what, at, u64::from_le_bytes(found.to_le_bytes()), expected)
        };
        let length_size = usize::from(sizes & 0x0f);
        let lcn_size = usize::from(sizes >> 4);
        let length_at = at.saturating_add(1);
        let lcn_at = length_at.saturating_add(length_size);

        let length = signed_at(self.pairs, length_at, length_size)
            .ok_or_else(|| bad("length of a run cut off or too long", i64::from(sizes), 8))?;
        let length = match u64::try_from(length) {
            Ok(length) if length != 0 => ClusterCount::new(length),
            _ => return Err(bad("run without clusters", length, 1)),
        };
        let end = self
            .vcn
            .checked_add(length)
            .filter(|end| end.get() <= i64::MAX.unsigned_abs())
            .ok_or_else(|| bad("run beyond the last possible VCN", i64::MAX, self.vcn.get()))?;
        if let Some(limit) = self.end {
            if end > limit {
                return Err(Malformed::new(
                    "run beyond the highest VCN of its attribute",
                    at,
                    end.get(),
                    limit.get(),
                ));
            }
        }
        let lcn = if lcn_size == 0 {
            None
        } else {
            let delta = signed_at(self.pairs, lcn_at, lcn_size)
                .ok_or_else(|| bad("place of a run cut off or too long", i64::from(sizes), 8))?;
            self.lcn = self
                .lcn
                .checked_add(delta)
                .ok_or_else(|| bad("place of a run overflows", delta, 0))?;
            match u64::try_from(self.lcn) {
                Ok(lcn) => Some(Lcn::new(lcn)),
                // How NTFS 1.2 wrote a hole.
                Err(_) if self.lcn == -1 => None,
                Err(_) => return Err(bad("run before the volume's start", self.lcn, 0)),
            }
        };
        if let Some(lcn) = lcn {
            if lcn
                .checked_add(length)
                .is_none_or(|end| end.get() > self.volume_clusters.get())
            {
                return Err(Malformed::new(
                    "run beyond the volume's end",
                    at,
                    lcn.get(),
                    self.volume_clusters.get(),
                ));
            }
        }
        let run = Run {
            vcn: self.vcn,
            lcn,
            length,
        };
        self.vcn = end;
        Ok((run, lcn_at.saturating_add(lcn_size)))
    }
}

impl Iterator for Runs<'_> {
    type Item = Result<Run>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at.take()?;
        match bytes::u8_at(self.pairs, at) {
            // The end of the attribute record ends the runs as well as a zero does.
            None | Some(0) => match self.end {
                Some(end) if end != self.vcn => Some(Err(Malformed::new(
                    "runs end before the highest VCN of their attribute",
                    at,
                    self.vcn.get(),
                    end.get(),
                ))),
                _ => None,
            },
            Some(sizes) => Some(self.pair(at, sizes).map(|(run, next)| {
                self.at = Some(next);
                run
            })),
        }
    }
}

/// Reads a signed number of `size` bytes; `None` when it has no byte, too many, or is cut off.
fn signed_at(buffer: &[u8], at: usize, size: usize) -> Option<i64> {
    let stored = bytes::slice_at(buffer, at, size)?;
    let fill = if stored.last()? & 0x80 == 0 { 0 } else { 0xff };
    let mut whole = [fill; 8];
    bytes::put_at(&mut whole, 0, stored)?;
    Some(i64::from_le_bytes(whole))
}

/// How many clusters and holes the runs of `pairs` have together, up to their end.
///
/// For pairs that do not lie side by side in one buffer. Only lengths are looked at; where the runs
/// are on the volume is checked by [`decode`], when they are used.
pub fn total(pairs: impl IntoIterator<Item = u8>) -> Result<ClusterCount> {
    let mut rest = pairs.into_iter();
    let mut total = ClusterCount::ZERO;
    let bad = |what, sizes| Malformed::new(what, 0, u64::from(sizes), 8);
    while let Some(sizes) = rest.next().filter(|sizes| *sizes != 0) {
        let length_size = usize::from(sizes & 0x0f);
        let lcn_size = usize::from(sizes >> 4);
        let mut stored = [0; 8];
        for at in 0..length_size {
            let byte = rest
                .next()
                .ok_or_else(|| bad("length of a run cut off", sizes))?;
            bytes::put_at(&mut stored, at, &[byte])
                .ok_or_else(|| bad("length of a run too long", sizes))?;
        }
        for _ in 0..lcn_size {
            if lcn_size > stored.len() || rest.next().is_none() {
                return Err(bad("place of a run cut off or too long", sizes));
            }
        }
        total = signed_at(&stored, 0, length_size)
            .and_then(|length| u64::try_from(length).ok())
            .filter(|length| *length != 0)
            .and_then(|length| total.checked_add(ClusterCount::new(length)))
            .ok_or_else(|| bad("run without clusters", sizes))?;
    }
    Ok(total)
}

/// Encodes `runs` into `out`, with the zero byte at the end, and says how many bytes that took.
///
/// Every number gets as few bytes as hold it with its sign, as Windows writes it. `None` where
/// `out` is too small or a number does not fit 63 bits; `out` then holds a part.
pub fn encode(runs: impl IntoIterator<Item = Run>, out: &mut [u8]) -> Option<usize> {
    let mut at: usize = 0;
    let mut before: i64 = 0;
    for run in runs {
        let pair = Pair::new(run, before)?;
        bytes::put_at(out, at, pair.bytes())?;
        at = at.checked_add(pair.bytes().len())?;
        before = pair.lcn;
    }
    bytes::put_at(out, at, &[0])?;
    at.checked_add(1)
}

/// Encodes the first of `runs`, as many as `out` has room for, with the zero byte at the end, and says
/// how many bytes that took; the others are left.
///
/// `None` where `out` has no room for a single one, or a number does not fit 63 bits.
pub fn encode_first<I: Iterator<Item = Run>>(
    runs: &mut Peekable<I>,
    out: &mut [u8],
) -> Option<usize> {
    let mut at: usize = 0;
    let mut before: i64 = 0;
    while let Some(run) = runs.peek() {
        let pair = Pair::new(*run, before)?;
        let end = at.checked_add(pair.bytes().len())?;
        if end >= out.len() {
            break;
        }
        bytes::put_at(out, at, pair.bytes())?;
        at = end;
        before = pair.lcn;
        runs.next();
    }
    if at == 0 {
        return None;
    }
    bytes::put_at(out, at, &[0])?;
    at.checked_add(1)
}

/// One encoded run.
struct Pair {
    bytes: [u8; MAX_PAIR],
    length: usize,
    /// Where the run begins, or for a hole the run before it: what the next one counts from.
    lcn: i64,
}

impl Pair {
    /// `before` is where the run before began on the volume.
    fn new(run: Run, before: i64) -> Option<Self> {
        let length = i64::try_from(run.length.get()).ok()?;
        let mut bytes = [0; MAX_PAIR];
        let length_size = put_signed(&mut bytes, 1, length)?;
        let mut end = length_size.checked_add(1)?;
        let mut lcn_size = 0;
        let mut lcn = before;
        if let Some(place) = run.lcn {
            lcn = i64::try_from(place.get()).ok()?;
            lcn_size = put_signed(&mut bytes, end, lcn.checked_sub(before)?)?;
            end = end.checked_add(lcn_size)?;
        }
        let sizes = (lcn_size << 4) | length_size;
        *bytes.first_mut()? = u8::try_from(sizes).ok()?;
        Some(Self {
            bytes,
            length: end,
            lcn,
        })
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

/// Writes `value` with as few bytes as keep its sign, and says how many.
fn put_signed(out: &mut [u8], at: usize, value: i64) -> Option<usize> {
    let whole = value.to_le_bytes();
    let mut size = whole.len();
    while size > 1 {
        let shorter = size.checked_sub(1)?;
        if signed_at(&whole, 0, shorter) != Some(value) {
            break;
        }
        size = shorter;
    }
    bytes::put_at(out, at, whole.get(..size)?)?;
    Some(size)
}
