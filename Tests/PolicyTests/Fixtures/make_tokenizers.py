"""Another library's ids for the tokenizer: small byte-level vocabularies of each kind in use, and what
PyPI's `tokenizers` makes of texts chosen to be awkward.

    python3 -m venv oracle && oracle/bin/pip install tokenizers
    oracle/bin/python Tests/PolicyTests/Fixtures/make_tokenizers.py

Written for tokenizers 0.23. Each tokenizers/NAME.json is a tokenizer; characters.json is not made
here but by `Tokenizer.characters`, and a test holds it to that. expected.json holds, by name, a list
of {"text", "ids", "decoded", "decodedSpecial"}: ids without added special tokens, and the texts of
these ids without and with special tokens; further {"ids", "decoded"} alone, for ids no text has.
"""

import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent / "tokenizers"
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
WORDS = ("the them then there these theory either other mother weather together a an and sand land "
         "hand handle candle count counts counting countess mountain fountain number numbers sum sums "
         "total totals apple apples each teach teacher reach costs cost lost most post 'll 've don't "
         "über straße naïve café Привет мир 数字 数学 =  + - * / \n \n\n").split(" ")


def corpus():
    chance = random.Random(7)
    for _ in range(600):
        words = [chance.choice(WORDS) for _ in range(12)] + [str(chance.randrange(2000))]
        yield " ".join(words)


def train(pre_tokenizer, normalizer=None, size=420):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=size, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def gpt2():
    tokenizer = train(pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


def qwen2():
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = train(split, normalizers.NFC())
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), "<|im|>",
                          AddedToken("né\u0301e", normalized=True),
                          AddedToken("<left>", lstrip=True), AddedToken("<right>", rstrip=True)])
    return tokenizer


def starcoder():
    tokenizer = train(pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


def llama3():
    """Merges ignored for whole pieces, a begin token, a space before the text, spelled-out digits."""
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split("-", "merged_with_next"),
        pre_tokenizers.Split("*", "merged_with_previous"),
        pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)])
    content = json.loads(train(split).to_str())
    # A token no merge makes: only a whole piece can be it.
    content["model"]["vocab"]["Ġzebra"] = len(content["model"]["vocab"])
    content["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|eot_id|>"])
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A",
                                      special_tokens=[("<|begin_of_text|>", begin)])])
    return tokenizer


def sentencepiece(split):
    """A vocabulary in the manner of SentencePiece: marks for spaces, bytes for what it lacks."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if split:  # as Mistral's later files have it
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:  # as Llama 2's have it
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
        decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=300, show_progress=False, special_tokens=special))
    model = json.loads(trained.to_str())["model"]
    content = json.loads(tokenizer.to_str())
    content["model"].update(vocab=model["vocab"], merges=model["merges"])
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def llama2():
    return sentencepiece(split=False)


def mistral():
    return sentencepiece(split=True)


def metaspace():
    """Words split at their marks, and the decoder of the same name."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=200, show_progress=False, special_tokens=["<unk>", "<s>"]))
    return tokenizer


def texts():
    chance = random.Random(11)
    yield from [
        "", " ", "  ", "\n", "a", " a", "a ", "the theory of numbers", "THE Don'T we'LL they've",
        "don't we'll they've I'm he'd it's", "12345 1 22 333 4444 ٣٤٥ ½ Ⅷ 一二三", "x=3*(4+55)-6/7 -- **",
        "tabs\tand\r\nreturns\r\r\n\n  end  ", "   leading", "trailing   ", "a  b   c    d\u00a0e\u2003f\u0085g\u000bh",
        "café cafe\u0301 née ne\u0301e n\u00e9\u0301e \u1e9b\u0323 \ufb01 Å \u212b 각 \u1100\u1161\u11a8",
        "Привет, мир! 数字和数学 שלום مرحبا नमस्ते", "😀👩‍👩‍👧‍👦🇩🇪 \U0001F9D1\u200d\U0001F52C", "\x00\x01\x7f\u0080\u009f",
        "<|endoftext|>", "a<|endoftext|>b<|endoftext|><|endoftext|>", "<|im_start|>user\nhi<|im_end|>\n",
        "<|im|> <|im_ <|im_end|", "x <think> y </think>", "a  <left>  b  <right>  c <right><left> d",
        " \u2003<left>\u2003x<right>\u2003\n y", "<<48/2=24>>24", "<" * 40, "zebra zebras", "a-b - c--d *e f* **g",
        "pneumonoultramicroscopicsilicovolcanoconiosis" * 3, "thethethethethethethe" * 20, "ab" * 300,
        " " * 300 + "x", "\n" * 100, "-" * 129 + "*" * 65, "0" * 100, "ſtraße ẞ İı ǅ K", "\ufeffBOM \ufffd \U0010ffff",
    ]
    for length in range(1, 60):
        yield "".join(chance.choice("the an'ls 12\n-é数<|>m_\u0301\t") for _ in range(length))
    yield from list(corpus())[:10]


def main():
    HERE.mkdir(exist_ok=True)
    expected = {}
    tokenizers = {make.__name__: make() for make in (gpt2, qwen2, starcoder, llama3, llama2,
                                                      mistral, metaspace)}
    for name, tokenizer in tokenizers.items():
        content = json.loads(tokenizer.to_str())
        if name == "starcoder":  # merges in the spelling of before tokenizers 0.20
            content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
        (HERE / f"{name}.json").write_text(
            json.dumps(content, ensure_ascii=False, separators=(",", ":")))
    tokenizers["characters"] = Tokenizer.from_file(str(HERE / "characters.json"))
    for name, tokenizer in tokenizers.items():
        tokenizer = Tokenizer.from_file(str(HERE / f"{name}.json"))  # as a reader meets it
        rows = []
        for text in texts():
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            rows.append(dict(text=text, ids=ids, decoded=tokenizer.decode(ids),
                             decodedSpecial=tokenizer.decode(ids, skip_special_tokens=False)))
        chance = random.Random(13)
        for _ in range(40):
            ids = [chance.randrange(tokenizer.get_vocab_size()) for _ in range(12)]
            rows.append(dict(ids=ids, decoded=tokenizer.decode(ids)))
        expected[name] = rows
    (HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=True,
                                                   separators=(",", ":")))


main()
