#!/usr/bin/env python3
"""Makes seed corpora from sample-logs: seeds.py FOLDER writes FOLDER/{deflate,object,parquet,inventory}/."""

import gzip
import hashlib
import sys
import zlib
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[2] / "sample-logs"
SEED_BYTES_MAX = 32 << 10
# How deflate.rs reads its first four: lengths of the pieces.
CUTS = [bytes([255, 255, 255, 255]), bytes([0, 1, 5, 2]), bytes([9, 0, 40, 3])]
# How object.rs reads its first eight bytes: wrap in gzip or zstd, count what is not wanted; lengths of the pieces.
CONTROLS = [bytes([0, 255, 255, 255, 255, 255, 255, 255]), bytes([5, 3, 9, 40, 1, 80, 2, 200]), bytes([15, 128, 7, 7, 7, 7, 7, 7])]


def put(folder: Path, seed: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


def lines(text: bytes) -> bytes:
    """Whole lines up to the limit."""
    return text if len(text) <= SEED_BYTES_MAX else text[: text.rfind(b"\n", 0, SEED_BYTES_MAX) + 1]


def main() -> None:
    root = Path(sys.argv[1])
    logs = sorted(path for path in SAMPLES.rglob("*") if path.is_file() and "logs" in path.relative_to(SAMPLES).parts[1:-1])
    for at, path in enumerate(logs):
        stored = path.read_bytes()
        if stored.startswith(b"PAR1"):
            put(root / "parquet", stored)
        elif stored.startswith(b"\x1f\x8b"):
            put(root / "object", CONTROLS[0] + stored)
            try:
                stored = gzip.decompress(stored)
            except EOFError:
                continue
        for level in (0, 1, 6, 9):
            compressor = zlib.compressobj(level, wbits=-15)
            deflated = compressor.compress(stored[: SEED_BYTES_MAX // 2]) + compressor.flush()
            put(root / "deflate", CUTS[(at + level) % 3] + deflated)
        for control in CONTROLS if len(stored) < 4096 else [CONTROLS[at % 3]]:
            put(root / "object", control + (stored if stored.startswith(b"PAR1") else lines(stored)))
    for case in sorted((SAMPLES / "cases").iterdir()) + [SAMPLES / "estate"]:
        files = sorted(path for path in (case / "inventory").rglob("*.json"))
        texts = [path.read_bytes() for path in files if path.stat().st_size <= SEED_BYTES_MAX]
        for text in texts:
            put(root / "inventory", text)
        for at in range(0, len(texts), 4):
            together = b"\0".join(texts[at : at + 4])
            if len(together) <= SEED_BYTES_MAX:
                put(root / "inventory", together)
    for folder in sorted(root.iterdir()):
        print(f"{folder}: {sum(1 for _ in folder.iterdir())} seeds")


if __name__ == "__main__":
    main()
