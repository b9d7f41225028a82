# SPDX-License-Identifier: GPL-2.0-only
"""The shared images as plans for guests: which volume is where on which disk, and its truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import images
from context import Context
from report import Skip


@dataclass
class SharedVolumes:
    """Disks to attach (the ext4 one with the raw images first) and the volumes on them."""

    disks: list[object]
    volumes: list[dict[str, object]]


def folder_of(context: Context) -> Path:
    """The folder of images, or a skip of the whole group."""
    if context.images is None:
        raise Skip("../shared/images is not here")
    return context.images


def real_volumes(context: Context) -> SharedVolumes:
    """All volumes of the manifest."""
    import vm

    folder = folder_of(context)
    manifest = json.loads((folder / "manifest.json").read_text())
    parts: list[images.Part] = []
    disks: list[object] = []
    volumes: list[dict[str, object]] = []
    for image in manifest["images"]:
        where: dict[str, object]
        if image["file"].endswith(".zst"):
            name = f"{image['id']}.raw"
            parts.append(images.Part(name, image["packed_sha256"], images.unzstd(folder / image["file"])))
            where = {"file": name}
        else:
            disks.append(vm.Disk(folder / image["file"], format="qcow2"))
            where = {"disk": len(disks)}
        several = len(image["volumes"]) > 1
        for number, part in enumerate(image["volumes"], 1):
            truth = Path(part["truth"])
            version = f"{truth.name} {(folder / truth).stat().st_size}"
            parts.append(images.Part(truth.name, version, images.copy(folder / truth)))
            volumes.append(
                dict(
                    where, id=f"{image['id']}{f'.p{number}' if several else ''}", offset=part["offset"],
                    truth=truth.name, geometry=part["geometry"],
                )
            )  # fmt: skip
    return SharedVolumes([vm.Disk(images.disk_of("real", parts), mode="ro"), *disks], volumes)


def broken_volumes(context: Context) -> SharedVolumes:
    """The corrupted ones."""
    import vm

    folder = folder_of(context) / "corrupt"
    parts: list[images.Part] = []
    volumes: list[dict[str, object]] = []
    for image in json.loads((folder / "corrupt.json").read_text())["images"]:
        for file in image["files"]:
            name = file["file"].removesuffix(".tar.xz")
            parts.append(images.Part(f"{name}.img", file["archive_sha256"], images.untar(folder / file["file"], file["member"])))
            volumes.append(
                {
                    "id": name, "file": f"{name}.img", "offset": 0, "category": image["category"],
                    "what": image["description"], "peers": file["peers"],
                }
            )  # fmt: skip
    return SharedVolumes([vm.Disk(images.disk_of("broken", parts), mode="ro")], volumes)
