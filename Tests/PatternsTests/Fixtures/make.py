"""Makes splits.json: how Hugging Face's tokenizers cut awkward texts by the pre-tokenizer patterns in use.

    pip install tokenizers && python make.py

Only characters of Unicode 14 are used: the two libraries' tables differ beyond. A piece that no
match covers is a piece too, so each text is the sum of its pieces.
"""

import json
import random
from pathlib import Path

from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}

ATOMS = [
    " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\u0085", "a", "Zebra", "don't", "WE'LL", "it's",
    "'ſ", "é", "e\u0301", "ß", "日本語", "한글", "שלום", "ไทย", "१२३", "½", "Ⅷ", "²", "1", "12345", "3.14", "x=1;", "//", "...",
    "!?", "<think>", "🐟", "👩\u200d🔬", "_", "-", "'", "\"", "\u200b", "\ufeff", "\u0000", "\u001f", "\u00ad", "Ǆ", "ﬁ",
]

numbers = random.Random(1)
texts = ["", "Hello, world!  The answer is\n\n 42.", "a" * 50 + " " * 50 + "\n" * 3]
texts += ["".join(numbers.choice(ATOMS) for _ in range(numbers.randint(1, 24))) for _ in range(60)]

cases = [
    {
        "pattern": pattern,
        "text": text,
        "pieces": [piece for piece, _ in Split(Regex(pattern), "isolated").pre_tokenize_str(text)],
    }
    for pattern in PATTERNS.values()
    for text in texts
]
for case in cases:
    assert "".join(case["pieces"]) == case["text"]
Path(__file__).with_name("splits.json").write_text(json.dumps(cases, indent=0) + "\n")
