"""Another library's ids for real vocabularies, as checksums: what PyPI's `tokenizers` makes of
GSM8K's training text, of every character there is, and of random bytes.

    python3 -m venv oracle && oracle/bin/pip install tokenizers
    oracle/bin/python Tests/PolicyTests/Fixtures/make_vocabularies.py DATA

Written for tokenizers 0.23. DATA has tokenizers/NAME/tokenizer.json and gsm8k/train.jsonl; they are
not part of this repository, and the test that reads vocabularies.json looks for them beside it.

vocabularies.json: {NAME: {"bytes": of the file; CORPUS: {"texts", "count", "ids", "decoded"}}};
"ids" are FNV-1a checksums over the ids of 512 texts each, every id 4 bytes, the texts divided
by the id 0xffffffff; "decoded" is the checksum of all decoded texts' UTF-8, each ended by a byte 0.
"""

import json
import pathlib
import random
import sys
import unicodedata

from tokenizers import Tokenizer

NAMES = ["gpt2", "qwen2", "starcoder"]
BLOCK = 512


class Checksum:
    def __init__(self):
        self.value = 0xCBF29CE484222325

    def add(self, data):
        value = self.value
        for byte in data:
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        self.value = value


def generator(seed):
    """xorshift64, which the test has too."""
    state = (seed * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) | 1
    while True:
        state ^= state << 13 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 7
        state ^= state << 17 & 0xFFFFFFFFFFFFFFFF
        yield state


def gsm8k(data):
    for line in open(data / "gsm8k" / "train.jsonl"):
        row = json.loads(line)
        yield row["question"] + "\n" + row["answer"]


def characters():
    """Every character but surrogates, 64 a text, between letters and between spaces; of what is
    private or unassigned beyond U+33500, a sixteenth.

    Two marks never meet: which of them comes first in NFC changes between versions of Unicode, and
    the tables of `tokenizers` are older than Foundation's. PCRE2 10.42 has those of Unicode 14 and
    does not know the Kaktovik numerals of Unicode 15 for numbers; they are left out.
    """
    for start in range(0, 0x110000, 64):
        if 0xD800 <= start < 0xE000:
            continue
        if start >= 0x33500 and start % 1024 and not 0xE0000 <= start < 0xE0200:
            continue
        block = [chr(code) for code in range(start, start + 64)
                 if not 0x1D2C0 <= code < 0x1D2D4]
        yield "a".join(block) + " " + " ".join(block)


def random_bytes():
    """Bytes as UTF-8, each that is none of a character replaced; a half of them drawn from few."""
    numbers = generator(17)
    few = b" \n\t'a1<|>\xc3\xa9\xe2\x80\x83\xf0\x9f\x98\x80\xcc\x81"
    for index in range(2048):
        length = next(numbers) % 200
        raw = bytes(next(numbers) % 256 if index % 2 else few[next(numbers) % len(few)]
                    for _ in range(length))
        yield raw.decode("utf-8", errors="replace")


def main():
    data = pathlib.Path(sys.argv[1])
    corpora = {"gsm8k": list(gsm8k(data)), "characters": list(characters()),
               "bytes": list(random_bytes())}
    result = {}
    for name in NAMES:
        path = data / "tokenizers" / name / "tokenizer.json"
        tokenizer = Tokenizer.from_file(str(path))
        result[name] = {"bytes": path.stat().st_size}
        for corpus, texts in corpora.items():
            sums, count, decoded = [], 0, Checksum()
            for index, text in enumerate(texts):
                if index % BLOCK == 0:
                    sums.append(Checksum())
                ids = tokenizer.encode(text, add_special_tokens=False).ids
                count += len(ids)
                sums[-1].add(b"".join(id.to_bytes(4, "little") for id in ids + [0xFFFFFFFF]))
                back = tokenizer.decode(ids, skip_special_tokens=False)
                # Elsewhere Python's own Unicode tables, or bytes starcoder has not, may differ.
                assert corpus != "gsm8k" or back in (
                    text, unicodedata.normalize("NFC", text)), (name, text, back)
                decoded.add(back.encode() + b"\0")
            result[name][corpus] = {"texts": len(texts), "count": count,
                                    "ids": [f"{sum.value:016x}" for sum in sums],
                                    "decoded": f"{decoded.value:016x}"}
            print(name, corpus, len(texts), count)
    path = pathlib.Path(__file__).parent / "tokenizers" / "vocabularies.json"
    path.write_text(json.dumps(result, separators=(",", ":")) + "\n")


main()
