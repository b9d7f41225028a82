// SPDX-License-Identifier: GPL-2.0-only

//! Bytes that compress well, badly, and not at all.

use super::random::Random;

/// Some bytes of a kind that the number chooses.
pub fn sample(random: &mut Random, length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + 64);
    let words: Vec<Vec<u8>> = (0..200)
        .map(|_| {
            let length = 2 + random.below(9);
            (0..length).map(|_| b'a' + random.below(26) as u8).collect()
        })
        .collect();
    let kinds = [random.below(6), random.below(6)];
    while out.len() < length {
        match kinds[random.below(2)] {
            // Text.
            0 | 1 => {
                for _ in 0..20 {
                    // The first ones more often.
                    let among = 1 + random.below(words.len());
                    out.extend_from_slice(&words[random.below(among)]);
                    out.push(b' ');
                }
            }
            // Noise.
            2 => out.extend_from_slice(&random.next().to_le_bytes()),
            // The same byte for long.
            3 => out.resize(out.len() + random.below(2000), random.next() as u8),
            // Calls of x86.
            4 => {
                out.push(0xe8);
                let target = (random.below(70_000) as i32).wrapping_sub(35_000);
                out.extend_from_slice(&target.to_le_bytes());
                out.extend_from_slice(&words[random.below(4)]);
            }
            // Numbers that count.
            _ => out.extend_from_slice(&(out.len() as u32 / 8).to_le_bytes()),
        }
    }
    out.truncate(length);
    out
}
