// SPDX-License-Identifier: GPL-2.0-only

//! What WSL keeps of a Linux file in extended attributes: owner, mode and device number.

use super::{
    bytes,
    ea,
    error::Result, //
};

/// The number of a device, as WSL stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceNumber {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

/// The extended attributes of WSL; each of them can be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WslAttributes {
    /// `$LXUID`: the owner.
    pub uid: Option<u32>,
    /// `$LXGID`: the group.
    pub gid: Option<u32>,
    /// `$LXMOD`: `st_mode`, with the type of the file.
    pub mode: Option<u32>,
    /// `$LXDEV`: the device that a device file stands for.
    pub device: Option<DeviceNumber>,
}

impl WslAttributes {
    /// Looks for the attributes in the value of `$EA`.
    ///
    /// One of a size that it cannot have is taken for missing; an error is one of the chain.
    pub fn parse(value: &[u8]) -> Result<Self> {
        let mut found = Self::default();
        for attribute in ea::entries(value) {
            let attribute = attribute?;
            let number = || match attribute.value {
                [_, _, _, _] => bytes::u32_at(attribute.value, 0),
                _ => None,
            };
            match attribute.name {
                b"$LXUID" => found.uid = number(),
                b"$LXGID" => found.gid = number(),
                b"$LXMOD" => found.mode = number(),
                b"$LXDEV" => {
                    found.device = match attribute.value.len() {
                        8 => bytes::u32_at(attribute.value, 0)
                            .zip(bytes::u32_at(attribute.value, 4))
                            .map(|(major, minor)| DeviceNumber { major, minor }),
                        _ => None,
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }
}
